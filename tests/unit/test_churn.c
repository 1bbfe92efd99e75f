/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks do to each placer before they measure: that memory is as full as they say, of
 * requests that do not overlap; and that searches ask for what they are named after.
 */
#include "churn.h"
#include "macros.h"
#include "search.h"
#include "ticks.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define GRANULE (4 * KiB)
#define MEMORY  (5 * GiB)
#define IN_TIME UINT64_MAX

static const struct placer_ops *const all_placers[] = {
        &placer_par,
        &placer_bitmap,
        &placer_buddy,
        &placer_zones,
};

/* ---- churn ----------------------------------------------------------------------------------- */

static int compare_first(const void *a, const void *b)
{
        const struct living *x = a, *y = b;

        return (x->first > y->first) - (x->first < y->first);
}

/* Nothing overlaps, and together it is what is taken, but for what is wasted by rounding. */
static void check_living(const struct churn *churn)
{
        const uint64_t taken = MEMORY - churn->ops->free_bytes(churn->placer);
        struct living *sorted = calloc(churn->n_living, sizeof(*sorted));
        uint64_t sum = 0;

        assert_non_null(sorted);
        memcpy(sorted, churn->living, churn->n_living * sizeof(*sorted));
        qsort(sorted, churn->n_living, sizeof(*sorted), compare_first);
        for (size_t i = 0; i < churn->n_living; i++) {
                const struct living next = i + 1 < churn->n_living
                                                   ? sorted[i + 1]
                                                   : (struct living){ .first = MEMORY };

                assert_true(sorted[i].first + request_bytes(sorted[i].request) <= next.first);
                sum += request_bytes(sorted[i].request);
        }
        free(sorted);
        if (churn->ops == &placer_par || churn->ops == &placer_bitmap)
                assert_int_equal(sum, taken);
        else
                assert_in_range(sum, taken / 2, taken);
}

static void assert_full(const struct churn *churn, unsigned percent)
{
        const uint64_t target = MEMORY / 100 * (100 - percent);

        /* A request too many, rounded up; and some are away. */
        assert_in_range(churn->ops->free_bytes(churn->placer), target - 16 * MiB,
                        target + MEMORY / 64 + 16 * MiB);
}

static void start(struct churn *churn, const struct placer_ops *ops, uint64_t seed)
{
        assert_int_equal(churn_init(churn, ops, MEMORY, GRANULE, seed), 0);
        assert_int_equal(churn_fill(churn), 0);
}

/* Full to @percent, after some operations. */
static void enter(struct churn *churn, unsigned percent)
{
        const uint64_t free_bytes = MEMORY / 100 * (100 - percent);
        uint64_t done;

        churn_shed(churn, free_bytes);
        assert_int_equal(churn_run(churn, 4000, IN_TIME, &done), 0);
        assert_int_equal(done, 4000);
}

static void test_churn_is_as_full_as_it_should(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(all_placers); i++) {
                struct churn churn;

                start(&churn, all_placers[i], 1);
                assert_full(&churn, 98);
                check_living(&churn);
                for (unsigned percent = 90; percent > 0; percent -= 45) {
                        enter(&churn, percent);
                        assert_full(&churn, percent);
                        check_living(&churn);
                }
                churn_deinit(&churn);
        }
}

/* Large requests do not die out where memory is full. */
static void test_churn_keeps_its_mix(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(all_placers); i++) {
                struct churn churn;
                uint64_t sum = 0;

                start(&churn, all_placers[i], 1);
                for (unsigned round = 0; round < 10; round++)
                        enter(&churn, 95);
                for (size_t k = 0; k < churn.n_living; k++)
                        sum += request_bytes(churn.living[k].request);
                assert_in_range(sum / churn.n_living, 450 * KiB, 850 * KiB);
                churn_deinit(&churn);
        }
}

/* Field by field: what lies between them is nobody's. */
static bool same_life(const struct churn *a, const struct churn *b)
{
        if (a->n_living != b->n_living)
                return false;
        for (size_t i = 0; i < a->n_living; i++) {
                const struct living *x = &a->living[i], *y = &b->living[i];

                if (x->first != y->first || x->request.size != y->request.size ||
                    x->request.align != y->request.align || x->request.below != y->request.below ||
                    x->request.boundary != y->request.boundary)
                        return false;
        }
        return true;
}

static void test_churn_follows_its_seed(void **state)
{
        struct churn churn[3];

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                start(&churn[i], &placer_bitmap, i == 2 ? 2 : 1);
                enter(&churn[i], 80);
        }
        assert_true(same_life(&churn[0], &churn[1]));
        assert_false(same_life(&churn[0], &churn[2]));
        for (unsigned i = 0; i < 3; i++)
                churn_deinit(&churn[i]);
}

static void test_churn_ends_in_time(void **state)
{
        struct churn churn;
        uint64_t done;

        (void)state;
        start(&churn, &placer_par, 1);
        churn_shed(&churn, MEMORY / 10);
        assert_int_equal(churn_run(&churn, UINT64_MAX, ticks_wall_ns(), &done), 0);
        assert_true(done < 100000000);
        churn_deinit(&churn);
}

/* The shares that mix.h tells. */
static void test_mix_shares(void **state)
{
        const struct mix mix = { .memory_bytes = 64 * GiB };
        unsigned small = 0, huge = 0, low = 0, dma = 0, boundary = 0;
        struct random random = { 1 };
        uint64_t sum = 0;

        (void)state;
        for (unsigned i = 0; i < 100000; i++) {
                const struct constraint want = request_constraint(mix_draw(&mix, &random));
                enum limit limit;

                assert_int_equal(constraint_check(&want, &limit), 0);
                assert_int_equal(want.size_bytes % (4 * KiB), 0);
                assert_true(want.size_bytes <= 8 * MiB);
                sum += want.size_bytes;
                small += want.size_bytes <= 64 * KiB;
                huge += want.size_bytes == 2 * MiB;
                low += want.window.last == 4 * GiB - 1;
                dma += want.window.last == 16 * MiB - 1;
                boundary += want.boundary_bytes == 64 * KiB;
        }
        assert_in_range(sum / 100000, 600 * KiB, 800 * KiB);
        assert_in_range(small, 49000, 53000);
        assert_in_range(huge, 14000, 16000);
        assert_in_range(low, 5500, 6900);
        assert_in_range(dma, 300, 480);
        assert_in_range(boundary, 2000, 3000);
}

/* ---- searches -------------------------------------------------------------------------------- */

static void check_limits(enum search_id search, const struct constraint *want)
{
        const bool aligned = search == SEARCH_ALIGN || search == SEARCH_ALIGN_FAILS;
        const bool bounded = search == SEARCH_BOUNDARY || search == SEARCH_BOUNDARY_FAILS;

        assert_int_equal(want->align_bytes, aligned ? 2 * MiB : GRANULE);
        assert_int_equal(want->boundary_bytes, bounded ? 64 * KiB : 0);
        switch (search) {
        case SEARCH_WINDOW:
        case SEARCH_WINDOW_FAILS:
        case SEARCH_ALIGN_FAILS:
                assert_int_equal(range_size(want->window), GiB);
                assert_true(want->window.last < MEMORY);
                break;
        case SEARCH_BELOW_4G:
        case SEARCH_BELOW_4G_FAILS: assert_int_equal(want->window.last, 4 * GiB - 1); break;
        case SEARCH_BELOW_16M:
        case SEARCH_BELOW_16M_FAILS: assert_int_equal(want->window.last, 16 * MiB - 1); break;
        case SEARCH_BOUNDARY_FAILS: assert_true(range_size(want->window) <= 16 * MiB); break;
        default: assert_int_equal(want->window.last, UINT64_MAX);
        }
}

static void test_search_draws_what_it_is_named_after(void **state)
{
        struct random random = { 1 };
        struct churn churn;

        (void)state;
        start(&churn, &placer_par, 1);
        for (unsigned i = 0; i < 1000; i++)
                for (enum search_id search = SEARCH_ANY; search < SEARCH_ANY_FAILS; search++) {
                        const struct constraint want = search_draw(search, &churn, &random);
                        enum limit limit;

                        assert_false(search_fails(search));
                        assert_int_equal(constraint_check(&want, &limit), 0);
                        check_limits(search, &want);
                }
        churn_deinit(&churn);
}

/* One granule less, and it would have been found; what has a place of one granule at all. */
static void check_hardest(const struct churn *churn, struct constraint want)
{
        uint64_t first;

        assert_true(churn->ops->find(churn->placer, &want, &first) > 0);
        want.size_bytes -= GRANULE;
        if (want.size_bytes)
                assert_int_equal(churn->ops->find(churn->placer, &want, &first), 0);
}

static void test_search_fails_by_one_granule(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(all_placers); i++) {
                struct random random = { 1 };
                struct churn churn;
                unsigned drawn = 0;

                start(&churn, all_placers[i], 1);
                enter(&churn, 90);
                for (unsigned round = 0; round < 8; round++)
                        for (enum search_id search = SEARCH_ANY_FAILS; search < SEARCHES;
                             search++) {
                                struct constraint want;

                                assert_true(search_fails(search));
                                if (!search_draw_failing(search, &churn, &random, &want))
                                        continue;
                                check_limits(search, &want);
                                check_hardest(&churn, want);
                                drawn++;
                        }
                /* Windows of which all is free are rare. */
                assert_true(drawn > 40);
                churn_deinit(&churn);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_churn_is_as_full_as_it_should),
                cmocka_unit_test(test_churn_keeps_its_mix),
                cmocka_unit_test(test_churn_follows_its_seed),
                cmocka_unit_test(test_churn_ends_in_time),
                cmocka_unit_test(test_mix_shares),
                cmocka_unit_test(test_search_draws_what_it_is_named_after),
                cmocka_unit_test(test_search_fails_by_one_granule),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
