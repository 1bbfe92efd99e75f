/* SPDX-License-Identifier: MIT */
#include "fair_lock.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

/**
 * struct place - threads that want the lock, and what they did with it
 * @order: in which order they had it: @n of them
 */
struct place {
        struct fair_lock lock;
        unsigned order[8], n;
};

struct visitor {
        struct place *place;
        unsigned name;
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

static void *visitor_main(void *data)
{
        struct visitor *visitor = data;

        visit(visitor->place, visitor->name);
        return NULL;
}

/* Who lets go and asks again comes after those who asked meanwhile, in the order they did. */
static void test_fair_lock_keeps_the_order(void **state)
{
        const struct timespec moment = { .tv_nsec = (long)NS_PER_MS };
        struct place place = { .n = 0 };
        struct visitor visitors[5];

        (void)state;
        fair_lock_init(&place.lock);
        fair_lock_enter(&place.lock);
        for (unsigned i = 0; i < ARRAY_SIZE(visitors); i++) {
                visitors[i] = (struct visitor){ .place = &place, .name = i + 1 };
                assert_int_equal(
                        pthread_create(&visitors[i].thread, NULL, visitor_main, &visitors[i]), 0);
                while (waiting(&place) < i + 2)
                        nanosleep(&moment, NULL);
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fair_lock_keeps_the_order),
        };

        return cmocka_run_group_tests_name("fair_lock", tests, NULL, NULL);
}
