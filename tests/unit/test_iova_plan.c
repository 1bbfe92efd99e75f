/* SPDX-License-Identifier: MIT */
/* The plan of the I/O addresses behind an IOMMU. */
#include "iova_plan.h"

#include "heap.h"
#include "macros.h"
#include "result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What an Intel IOMMU says: all but the window of the interrupts. */
static const struct range x86[] = { { 0, 0xfedfffff }, { 0xfef00000, 0x7fffffffff } };

#define X86_PAGES (4 * KiB | 2 * MiB | GiB)
#define X86_TOP   UINT64_C(0x8000000000)

static struct iova_plan *plan_of_x86(void)
{
        struct iova_plan *plan;

        assert_int_equal(iova_plan_new(x86, 2, X86_PAGES, &plan), 0);
        return plan;
}

static struct constraint limits(struct range window, uint64_t size)
{
        return (struct constraint){
                .window = window, .size_bytes = size, .align_bytes = 1, .max_segments = 1
        };
}

static struct range take(struct iova_plan *plan, struct constraint want)
{
        struct iova_refusal refusal;
        struct range place;

        assert_int_equal(iova_plan_take(plan, &want, &place, &refusal), 0);
        return place;
}

/* ---- where ---------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct constraint want;
        uint64_t first;
} place_cases[] = {
        { "from the top down", { { 0, UINT64_MAX }, 4 * KiB, 1, 0, 0, 1 }, X86_TOP - 4 * KiB },
        { "as high as the device reaches",
          { { 0, 256 * MiB - 1 }, 64 * KiB, 1, 0, 0, 1 },
          256 * MiB - 64 * KiB },
        { "what goes into large pages begins with one",
          { { 0, 256 * MiB - 1 }, 3 * MiB, 1, 0, 0, 1 },
          252 * MiB },
        { "where no large page fits, with small ones",
          { { MiB, 4 * MiB + 64 * KiB - 1 }, 3 * MiB, 1, 0, 0, 1 },
          MiB + 64 * KiB },
        { "below the interrupts and not across them",
          { { 0, 0xfeffffff }, 2 * MiB, 1, 0, 0, 1 },
          0xfec00000 },
        { "within the boundary", { { 0, 0x1ffff }, 48 * KiB, 1, 64 * KiB, 0, 1 }, 0x14000 },
};

static void test_iova_plan_finds_the_highest_place(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(place_cases); i++) {
                struct iova_plan *plan = plan_of_x86();
                struct range place = take(plan, place_cases[i].want);

                if (place.first != place_cases[i].first ||
                    range_size(place) != place_cases[i].want.size_bytes)
                        fail_msg("%s: %#lx to %#lx", place_cases[i].name, place.first, place.last);
                iova_plan_give(plan, place);
                assert_int_equal(take(plan, place_cases[i].want).first, place.first);
                iova_plan_free(plan);
        }
}

static void test_iova_plan_rounds_to_whole_pages(void **state)
{
        static const struct range odd[] = { { 0x800, 0x27ff }, { 0x3000, 0x3ffe } };
        struct iova_plan *plan;

        (void)state;
        assert_int_equal(iova_plan_new(odd, 2, X86_PAGES, &plan), 0);
        assert_int_equal(iova_plan_granule(plan), 4 * KiB);
        assert_int_equal(take(plan, limits(RANGE_ALL, 1)).first, 0x1000);
        iova_plan_free(plan);
}

static void test_iova_plan_takes_the_whole_64_bits(void **state)
{
        static const struct range all = { 0, UINT64_MAX };
        struct iova_plan *plan;
        struct range range;

        (void)state;
        assert_int_equal(iova_plan_new(&all, 1, X86_PAGES, &plan), 0);
        assert_true(iova_plan_next(plan, 0, &range));
        assert_int_equal(range.first, 0);
        assert_int_equal(range.last, UINT64_MAX - 4 * KiB);
        assert_false(iova_plan_next(plan, UINT64_MAX, &range));
        iova_plan_free(plan);
}

static void test_iova_plan_needs_something_usable(void **state)
{
        static const struct range small = { 0x1001, 0x2fff };
        struct iova_plan *plan;

        (void)state;
        assert_int_equal(iova_plan_new(x86, 2, 0xfff, &plan), -EINVAL);
        assert_int_equal(iova_plan_new(x86, 0, X86_PAGES, &plan), -EINVAL);
        assert_int_equal(iova_plan_new(&small, 1, 8 * KiB, &plan), -EINVAL);
}

/* ---- why not -------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct constraint want;
        int result;
        struct iova_refusal refusal;
} refusal_cases[] = {
        { "no size",
          { { 0, UINT64_MAX }, 0, 1, 0, 0, 1 },
          PAR_REFUSED_INVALID,
          { IOVA_MEANINGLESS, LIMIT_SIZE, 0, 0, 0, 0 } },
        { "an alignment that is none",
          { { 0, UINT64_MAX }, 4096, 3, 0, 0, 1 },
          PAR_REFUSED_INVALID,
          { IOVA_MEANINGLESS, LIMIT_ALIGN, 0, 0, 0, 0 } },
        { "longer than the boundary",
          { { 0, UINT64_MAX }, 128 * KiB, 1, 64 * KiB, 0, 1 },
          PAR_REFUSED_NEVER_FITS,
          { IOVA_CONTRADICTORY, LIMIT_BOUNDARY, 0, 0, 0, 0 } },
        { "the window of the interrupts",
          { { 0xfee00000, 0xfeefffff }, 4096, 1, 0, 0, 1 },
          PAR_REFUSED_NEVER_FITS,
          { IOVA_UNUSABLE, LIMIT_NONE, 0, 0, 0, 0 } },
        { "beyond the aperture",
          { { X86_TOP, UINT64_MAX }, 4096, 1, 0, 0, 1 },
          PAR_REFUSED_NEVER_FITS,
          { IOVA_UNUSABLE, LIMIT_NONE, 0, 0, 0, 0 } },
        { "across the interrupts",
          { { 0xfed00000, 0xfeffffff }, 2 * MiB, 1, 0, 0, 1 },
          PAR_REFUSED_NEVER_FITS,
          { IOVA_TOO_NARROW, LIMIT_NONE, 2 * MiB, MiB, 2 * MiB, MiB } },
};

static void test_iova_plan_says_why_not(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(refusal_cases); i++) {
                struct iova_plan *plan = plan_of_x86();
                struct iova_refusal refusal;
                struct range place;
                int r = iova_plan_take(plan, &refusal_cases[i].want, &place, &refusal);

                if (r != refusal_cases[i].result ||
                    refusal.reason != refusal_cases[i].refusal.reason ||
                    refusal.limit != refusal_cases[i].refusal.limit ||
                    refusal.usable != refusal_cases[i].refusal.usable ||
                    refusal.usable_run != refusal_cases[i].refusal.usable_run ||
                    refusal.free != refusal_cases[i].refusal.free ||
                    refusal.free_run != refusal_cases[i].refusal.free_run)
                        fail_msg("%s: %d, reason %d, limit %d, usable %lu in %lu, free %lu in %lu",
                                 refusal_cases[i].name, r, (int)refusal.reason, (int)refusal.limit,
                                 refusal.usable, refusal.usable_run, refusal.free,
                                 refusal.free_run);
                iova_plan_free(plan);
        }
}

static void test_iova_plan_tells_full_from_scattered(void **state)
{
        struct constraint low = limits((struct range){ 0, 64 * KiB - 1 }, 16 * KiB), large = low;
        struct iova_plan *plan = plan_of_x86();
        struct iova_refusal refusal;
        struct range places[4], place;

        (void)state;
        large.size_bytes = 32 * KiB;
        for (size_t i = 0; i < 4; i++)
                places[i] = take(plan, low);
        assert_int_equal(iova_plan_take(plan, &low, &place, &refusal), PAR_REFUSED_EXHAUSTED);
        assert_int_equal(refusal.reason, IOVA_FULL);
        assert_int_equal(refusal.usable, 64 * KiB);
        assert_int_equal(refusal.free, 0);

        iova_plan_give(plan, places[0]);
        iova_plan_give(plan, places[2]);
        assert_int_equal(iova_plan_take(plan, &large, &place, &refusal), PAR_REFUSED_FRAGMENTED);
        assert_int_equal(refusal.reason, IOVA_SCATTERED);
        assert_int_equal(refusal.free, 32 * KiB);
        assert_int_equal(refusal.free_run, 16 * KiB);

        iova_plan_give(plan, places[1]);
        assert_int_equal(take(plan, large).first, 32 * KiB);
        iova_plan_free(plan);
}

/* ---- others in the same container ----------------------------------------------------------- */

static void test_iova_plan_avoids_where_others_are(void **state)
{
        struct constraint low = limits((struct range){ 0, 64 * KiB - 1 }, 32 * KiB);
        struct iova_plan *plan = plan_of_x86();

        (void)state;
        iova_plan_avoid(plan, take(plan, low));
        assert_int_equal(take(plan, low).first, 0);
        /* Nothing else is left: perhaps the other one has gone. */
        assert_int_equal(take(plan, low).first, 32 * KiB);
        iova_plan_free(plan);
}

/* Two pages at the top, of which something else is in the middle. */
static void test_iova_plan_shuns_to_the_last(void **state)
{
        const struct range bar = { X86_TOP - 6 * KiB, X86_TOP - 2 * KiB - 1 };
        const struct range window = { X86_TOP - 12 * KiB, UINT64_MAX };
        struct iova_plan *plan = plan_of_x86();
        struct range place;

        (void)state;
        iova_plan_shun(plan, bar);
        iova_plan_shun(plan, bar);
        place = take(plan, limits(RANGE_ALL, 4 * KiB));
        assert_int_equal(place.first, X86_TOP - 12 * KiB);
        /* It is avoided before, and shunned after a place with somebody else's mapping. */
        iova_plan_avoid(plan, place);
        place = take(plan, limits(window, 4 * KiB));
        assert_int_equal(place.first, X86_TOP - 12 * KiB);
        iova_plan_give(plan, place);

        /* Nothing else is large enough; what is given back is not shunned any more. */
        place = take(plan, limits(window, 12 * KiB));
        assert_int_equal(place.first, X86_TOP - 12 * KiB);
        iova_plan_give(plan, place);
        assert_int_equal(take(plan, limits(window, 4 * KiB)).first, X86_TOP - 4 * KiB);
        iova_plan_free(plan);
}

static void test_iova_plan_shuns_what_is_free_only(void **state)
{
        struct iova_plan *plan = plan_of_x86();
        struct range taken = take(plan, limits(RANGE_ALL, 4 * KiB));

        (void)state;
        iova_plan_shun(plan, (struct range){ 0, UINT64_MAX });
        iova_plan_give(plan, taken);
        assert_int_equal(take(plan, limits(RANGE_ALL, 4 * KiB)).first, taken.first);
        assert_int_equal(take(plan, limits(RANGE_ALL, 4 * KiB)).last, taken.first - 1);
        assert_int_equal(iova_plan_narrow(plan, &(struct range){ 0, 0xffff }, 1), 0);
        assert_int_equal(take(plan, limits(RANGE_ALL, 4 * KiB)).last, 0xffff);
        iova_plan_free(plan);
}

static void test_iova_plan_narrows(void **state)
{
        static const struct range less[] = { { 0, 0xffff }, { 0x20000, 0xfeffffff } };
        struct iova_plan *plan = plan_of_x86();
        struct range taken = take(plan, limits((struct range){ 0, 0x1ffff }, 4 * KiB)), range;

        (void)state;
        iova_plan_avoid(plan, take(plan, limits(RANGE_ALL, 4 * KiB)));
        iova_plan_give(plan, taken);
        assert_int_equal(iova_plan_narrow(plan, less, 2), 0);
        assert_int_equal(take(plan, limits(RANGE_ALL, MiB)).last, 0xfeffffff);
        assert_int_equal(take(plan, limits((struct range){ 0, 0x1ffff }, 4 * KiB)).last, 0xffff);
        assert_true(iova_plan_next(plan, 0x20000, &range));
        assert_int_equal(range.last, 0xfedfffff);
        assert_int_equal(iova_plan_narrow(plan, less, 0), -EINVAL);
        iova_plan_free(plan);
}

/* ---- without memory ------------------------------------------------------------------------- */

/* What is done to a fresh plan; as the call's result. */
static int try_new(struct iova_plan *plan)
{
        struct iova_plan *other = NULL;
        int r = iova_plan_new(x86, 2, X86_PAGES, &other);

        (void)plan;
        iova_plan_free(other);
        return r;
}

static int try_take(struct iova_plan *plan)
{
        const struct constraint want = limits(RANGE_ALL, 20 * KiB);
        struct iova_refusal refusal;
        struct range place;
        int r = iova_plan_take(plan, &want, &place, &refusal);

        if (!r)
                iova_plan_give(plan, place);
        return r;
}

static int try_narrow(struct iova_plan *plan)
{
        static const struct range less = { 0x5000, 0xfedf0fff };

        return iova_plan_narrow(plan, &less, 1);
}

static const struct {
        const char *name;
        int (*try)(struct iova_plan *plan);
} memory_cases[] = {
        { "new", try_new },
        { "take", try_take },
        { "narrow", try_narrow },
};

static void test_iova_plan_survives_without_memory(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(memory_cases); i++) {
                bool failed = true;

                for (unsigned long n = 1; failed; n++) {
                        struct iova_plan *plan = plan_of_x86();
                        int r;

                        heap_fail(n, n);
                        r = memory_cases[i].try(plan);
                        failed = heap_mend();
                        if (r != (failed ? -ENOMEM : 0) || (!failed && n == 1))
                                fail_msg("%s, allocation %lu: %d", memory_cases[i].name, n, r);
                        /* What was free, and still is usable, can be had. */
                        assert_int_equal(try_take(plan), 0);
                        iova_plan_free(plan);
                }
        }
}

static void test_iova_plan_forgets_what_to_avoid_without_memory(void **state)
{
        struct constraint want = limits(RANGE_ALL, 4 * KiB);
        struct iova_plan *plan = plan_of_x86();
        struct range place = take(plan, want);

        (void)state;
        heap_fail(1, 1);
        iova_plan_avoid(plan, place);
        assert_true(heap_mend());
        assert_int_equal(take(plan, want).first, place.first);
        iova_plan_free(plan);
}

static void test_iova_plan_leaves_what_to_shun_without_memory(void **state)
{
        const struct range page = { X86_TOP - 4 * KiB, X86_TOP - 1 };
        bool failed = true;

        (void)state;
        for (unsigned long n = 1; failed; n++) {
                struct iova_plan *plan = plan_of_x86();

                heap_fail(n, n);
                iova_plan_shun(plan, page);
                failed = heap_mend();
                assert_true(failed || n > 1);
                assert_int_equal(take(plan, limits(RANGE_ALL, 4 * KiB)).first,
                                 failed ? page.first : page.first - 4 * KiB);
                assert_int_equal(take(plan, limits(RANGE_ALL, 4 * KiB)).first,
                                 page.first - (failed ? 4 : 8) * KiB);
                iova_plan_free(plan);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_iova_plan_finds_the_highest_place),
                cmocka_unit_test(test_iova_plan_rounds_to_whole_pages),
                cmocka_unit_test(test_iova_plan_takes_the_whole_64_bits),
                cmocka_unit_test(test_iova_plan_needs_something_usable),
                cmocka_unit_test(test_iova_plan_says_why_not),
                cmocka_unit_test(test_iova_plan_tells_full_from_scattered),
                cmocka_unit_test(test_iova_plan_avoids_where_others_are),
                cmocka_unit_test(test_iova_plan_shuns_to_the_last),
                cmocka_unit_test(test_iova_plan_shuns_what_is_free_only),
                cmocka_unit_test(test_iova_plan_narrows),
                cmocka_unit_test(test_iova_plan_survives_without_memory),
                cmocka_unit_test(test_iova_plan_leaves_what_to_shun_without_memory),
                cmocka_unit_test(test_iova_plan_forgets_what_to_avoid_without_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
