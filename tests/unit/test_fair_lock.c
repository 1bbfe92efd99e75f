/* SPDX-License-Identifier: MIT */
#include "fair_lock.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

/**
 * struct place - threads that want the lock, and what they did with it
 * @order: in which order they had it: @n of them
 * @inside: who share it just now
 */
struct place {
        struct fair_lock lock;
        unsigned order[8];
        atomic_uint n, inside;
};

/* @meets: with how many he has to be inside at once, himself included; 0: he is alone. */
struct visitor {
        struct place *place;
        unsigned name, meets;
        pthread_t thread;
};

static uint64_t waiting(struct place *place)
{
        uint64_t n;

        pthread_mutex_lock(&place->lock.lock);
        n = place->lock.asked - place->lock.passed;
        pthread_mutex_unlock(&place->lock.lock);
        return n;
}

static void visit(struct place *place, unsigned name)
{
        fair_lock_enter(&place->lock);
        place->order[place->n++] = name;
        fair_lock_leave(&place->lock);
}

/* Without the others it would not end. */
static void meet(struct place *place, unsigned name, unsigned meets)
{
        const struct timespec moment = { .tv_nsec = (long)NS_PER_MS };

        fair_lock_enter_shared(&place->lock);
        place->order[place->n++] = name;
        place->inside++;
        while (place->inside < meets)
                nanosleep(&moment, NULL);
        fair_lock_leave(&place->lock);
}

static void *visitor_main(void *data)
{
        struct visitor *visitor = data;

        if (visitor->meets)
                meet(visitor->place, visitor->name, visitor->meets);
        else
                visit(visitor->place, visitor->name);
        return NULL;
}

/* Start one, and see that he has asked. */
static void send(struct visitor *visitor)
{
        const struct timespec moment = { .tv_nsec = (long)NS_PER_MS };
        const uint64_t before = waiting(visitor->place);

        assert_int_equal(pthread_create(&visitor->thread, NULL, visitor_main, visitor), 0);
        while (waiting(visitor->place) == before)
                nanosleep(&moment, NULL);
}

/* Who lets go and asks again comes after those who asked meanwhile, in the order they did. */
static void test_fair_lock_keeps_the_order(void **state)
{
        struct place place = { .n = 0 };
        struct visitor visitors[5];

        (void)state;
        fair_lock_init(&place.lock);
        fair_lock_enter(&place.lock);
        for (unsigned i = 0; i < ARRAY_SIZE(visitors); i++) {
                visitors[i] = (struct visitor){ .place = &place, .name = i + 1 };
                send(&visitors[i]);
        }
        fair_lock_leave(&place.lock);
        visit(&place, 100);
        for (unsigned i = 0; i < ARRAY_SIZE(visitors); i++)
                pthread_join(visitors[i].thread, NULL);
        assert_int_equal(place.n, ARRAY_SIZE(visitors) + 1);
        for (unsigned i = 0; i < ARRAY_SIZE(visitors); i++)
                assert_int_equal(place.order[i], i + 1);
        assert_int_equal(place.order[ARRAY_SIZE(visitors)], 100);
        fair_lock_deinit(&place.lock);
}

/* Who would have it alone comes after those who share it and asked before, and before those who
 * would share it and asked after him. */
static void test_fair_lock_is_shared_in_order(void **state)
{
        struct place place = { .n = 0 };
        struct visitor visitors[] = {
                { .place = &place, .name = 1, .meets = 3 },
                { .place = &place, .name = 2, .meets = 3 },
                { .place = &place, .name = 3, .meets = 3 },
                { .place = &place, .name = 4 },
                { .place = &place, .name = 5, .meets = 5 },
                { .place = &place, .name = 6, .meets = 5 },
        };

        (void)state;
        fair_lock_init(&place.lock);
        fair_lock_enter(&place.lock);
        for (unsigned i = 0; i < ARRAY_SIZE(visitors); i++)
                send(&visitors[i]);
        assert_int_equal(place.n, 0);
        fair_lock_leave(&place.lock);
        for (unsigned i = 0; i < ARRAY_SIZE(visitors); i++)
                pthread_join(visitors[i].thread, NULL);
        assert_int_equal(place.n, ARRAY_SIZE(visitors));
        assert_int_equal(place.order[3], 4);
        fair_lock_deinit(&place.lock);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fair_lock_keeps_the_order),
                cmocka_unit_test(test_fair_lock_is_shared_in_order),
        };

        return cmocka_run_group_tests_name("fair_lock", tests, NULL, NULL);
}
