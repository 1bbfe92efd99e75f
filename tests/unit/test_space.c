/* SPDX-License-Identifier: MIT */
/*
 * A space against a plain array of granules, at both ends of the 64-bit range, and its promise that
 * reserved changes cannot fail.
 */
#include "macros.h"
#include "space.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

/* Linked in place of calloc(): fails once, after so many calls. */
void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
static unsigned calls_left = UINT32_MAX;

void *__wrap_calloc(size_t n, size_t bytes)
{
        return calls_left-- ? __real_calloc(n, bytes) : NULL;
}

#define N       96u
#define CHANGES 4000u

struct model {
        uint64_t base, granule;
        bool there[N];
};

static const struct {
        const char *name;
        uint64_t base, granule;
} worlds[] = {
        { "bytes at the bottom", 0, 1 },
        { "pages at the bottom", 0, 4096 },
        { "pages somewhere", 13 * GiB, 4096 },
        { "bytes at the top", UINT64_MAX - N + 1, 1 },
        { "pages at the top", 0 - N *UINT64_C(4096), 4096 },
        { "huge ones, over nearly all there is", 0, UINT64_C(1) << 57 },
};

static struct range part(const struct model *model, unsigned first, unsigned last)
{
        return (struct range){ model->base + first * model->granule,
                               model->base + last * model->granule + (model->granule - 1) };
}

static uint64_t rnd(uint64_t *state, uint64_t below)
{
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (*state >> 33) % below;
}

/* Change the longest stretch from @first on that is all there or all not there, up to @last. */
static void flip(struct model *model, struct space *space, unsigned first, unsigned last)
{
        const bool there = model->there[first];
        unsigned i = first;

        while (i + 1 <= last && model->there[i + 1] == there)
                i++;
        for (unsigned k = first; k <= i; k++)
                model->there[k] = !there;
        if (there)
                space_remove(space, part(model, first, i));
        else
                space_add(space, part(model, first, i));
}

static bool model_next(const struct model *model, unsigned i, struct range *ret)
{
        unsigned last;

        while (i < N && !model->there[i])
                i++;
        if (i == N)
                return false;
        for (last = i; last + 1 < N && model->there[last + 1];)
                last++;
        *ret = part(model, i, last);
        return true;
}

static bool model_prev(const struct model *model, unsigned from, unsigned at_least,
                       struct range *ret)
{
        for (unsigned i = from + 1; i-- > 0;) {
                unsigned first = i, last = i;

                if (!model->there[i])
                        continue;
                while (first > 0 && model->there[first - 1])
                        first--;
                while (last + 1 < N && model->there[last + 1])
                        last++;
                if (last - first + 1 >= at_least) {
                        *ret = part(model, first, i);
                        return true;
                }
                if (!first)
                        return false;
                i = first;
        }
        return false;
}

static void same_range(bool a, struct range ra, bool b, struct range rb)
{
        assert_int_equal(a, b);
        if (a)
                assert_true(ra.first == rb.first && ra.last == rb.last);
}

static void compare(const struct model *model, const struct space *space, uint64_t *random)
{
        const unsigned a = (unsigned)rnd(random, N), b = a + (unsigned)rnd(random, N - a);
        const unsigned at_least = 1 + (unsigned)rnd(random, 8);
        struct range expected = { 0, 0 }, got = { 0, 0 };
        uint64_t inside = 0, all = 0, runs = 0;
        bool found, whole = true;

        for (unsigned i = 0; i < N; i++) {
                all += model->there[i] * model->granule;
                inside += (i >= a && i <= b && model->there[i]) * model->granule;
                whole = whole && (i < a || i > b || model->there[i]);
                runs += model->there[i] && (i == 0 || !model->there[i - 1]);
        }
        assert_true(space_bytes(space) == all);
        assert_int_equal(space_ranges(space), runs);
        assert_true(space_bytes_in(space, part(model, a, b)) == inside);
        assert_true(space_bytes_in(space, RANGE_ALL) == all);
        assert_int_equal(space_contains(space, part(model, a, b)), whole);

        found = space_next(space, part(model, a, a).first, &got);
        same_range(found, got, model_next(model, a, &expected), expected);
        found = space_prev(space, part(model, b, b).last, &got);
        same_range(found, got, model_prev(model, b, 1, &expected), expected);
        found = space_prev_longer(space, part(model, b, b).last, at_least * model->granule, &got);
        same_range(found, got, model_prev(model, b, at_least, &expected), expected);
}

static void test_space_is_what_was_added(void **state)
{
        (void)state;
        for (size_t w = 0; w < ARRAY_SIZE(worlds); w++) {
                struct model model = { .base = worlds[w].base, .granule = worlds[w].granule };
                uint64_t random = w + 1;
                struct space *space;

                print_message("%s\n", worlds[w].name);
                assert_int_equal(space_new(model.granule, &space), 0);
                assert_true(space_granule(space) == model.granule);
                for (unsigned i = 0; i < CHANGES; i++) {
                        const unsigned first = (unsigned)rnd(&random, N);
                        const unsigned most = rnd(&random, 4) ? 3 : N;
                        const unsigned last = first + (unsigned)rnd(&random, most);

                        if (rnd(&random, 8) == 0)
                                assert_int_equal(space_reserve(space, rnd(&random, 5)), 0);
                        assert_int_equal(space_reserve(space, 1), 0);
                        flip(&model, space, first, last < N ? last : N - 1);
                        space_check(space);
                        compare(&model, space, &random);
                }
                space_free(space);
        }
}

/* What was reserved is used up one by one, by whatever change, however the runs fall apart. */
static void test_space_reserved_changes(void **state)
{
        const struct model model = { .base = 0, .granule = 4096 };
        struct space *space;

        (void)state;
        assert_int_equal(space_new(model.granule, &space), 0);
        assert_int_equal(space_reserve(space, 0), 0);
        space_check(space);
        assert_int_equal(space_reserve(space, 1 + N / 2), 0);
        assert_int_equal(space_reserve(space, N / 2), 0);
        space_add(space, part(&model, 0, N - 1));
        space_check(space);
        for (unsigned i = 0; i < N; i += 2)
                space_remove(space, part(&model, i, i));
        space_check(space);
        assert_int_equal(space_ranges(space), N / 2);
        for (unsigned i = 0; i < N; i += 2) {
                space_add(space, part(&model, i, i));
                space_check(space);
        }
        assert_int_equal(space_ranges(space), 1);
        space_free(space);
}

static void test_space_unreserve(void **state)
{
        const struct model model = { .base = 0, .granule = 4096 };
        struct space *space;

        (void)state;
        assert_int_equal(space_new(model.granule, &space), 0);
        assert_int_equal(space_reserve(space, 5), 0);
        space_unreserve(space, 3);
        space_check(space);
        space_add(space, part(&model, 1, 2));
        space_remove(space, part(&model, 1, 1));
        space_unreserve(space, 0);
        space_check(space);
        assert_true(space_bytes(space) == 4096);
        space_free(space);
        space_free(NULL);
}

static void test_space_without_memory(void **state)
{
        struct space *space;

        (void)state;
        calls_left = 0;
        assert_int_equal(space_new(4096, &space), -ENOMEM);
        assert_int_equal(space_new(4096, &space), 0);
        for (unsigned calls = 0; calls < 4; calls++) {
                calls_left = calls;
                assert_int_equal(space_reserve(space, 4), -ENOMEM);
                space_check(space);
        }
        assert_int_equal(space_reserve(space, 4), 0);
        space_unreserve(space, 4);
        space_free(space);
}

static void test_space_empty(void **state)
{
        struct range range;
        struct space *space;

        (void)state;
        assert_int_equal(space_new(1, &space), 0);
        space_check(space);
        assert_int_equal(space_bytes(space), 0);
        assert_int_equal(space_bytes_in(space, RANGE_ALL), 0);
        assert_false(space_next(space, 0, &range));
        assert_false(space_prev(space, UINT64_MAX, &range));
        assert_false(space_prev_longer(space, UINT64_MAX, 1, &range));
        assert_false(space_contains(space, (struct range){ 0, 0 }));
        space_free(space);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_space_is_what_was_added),
                cmocka_unit_test(test_space_reserved_changes),
                cmocka_unit_test(test_space_unreserve),
                cmocka_unit_test(test_space_without_memory),
                cmocka_unit_test(test_space_empty),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
