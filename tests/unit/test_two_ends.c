/* SPDX-License-Identifier: MIT */
/* The choice among places; whether there is one at all is test_placement.c's. */
#include "macros.h"
#include "result.h"
#include "two_ends.h"

#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#include "pieces.h"

#define ALL                   \
        {                     \
                0, UINT64_MAX \
        }
#define GRANULE (4 * KiB)

/* The pieces of @a and @b in a space each. */
static const struct {
        const char *name;
        struct piece a[PIECES_MAX], b[PIECES_MAX];
        struct constraint want; /* window, size, align, boundary, max_segment_bytes, max_segments */
        int result;
        uint64_t first;
} cases[] = {
        { "small ones go to the highest place",
          { { 5 * GiB, 8 * MiB }, { 6 * GiB, 16 * MiB } },
          { { 0 } },
          { ALL, MiB - 4 * KiB, 1, 0, 0, 1 },
          0,
          6 * GiB + 15 * MiB + 4 * KiB },
        { "large ones to the lower end of the shortest run",
          { { 5 * GiB, 8 * MiB }, { 6 * GiB, 16 * MiB } },
          { { 0 } },
          { ALL, MiB, 1, 0, 0, 1 },
          0,
          5 * GiB },
        { "of equal runs the highest",
          { { 5 * GiB, 8 * MiB }, { 6 * GiB, 8 * MiB } },
          { { 0 } },
          { ALL, 4 * MiB, 1, 0, 0, 1 },
          0,
          6 * GiB },
        { "a run that is too short does not count",
          { { 5 * GiB, 3 * MiB }, { 6 * GiB, 16 * MiB } },
          { { 0 } },
          { ALL, 4 * MiB, 1, 0, 0, 1 },
          0,
          6 * GiB },
        { "nor one that has no aligned place",
          { { 5 * GiB + MiB, 5 * MiB }, { 6 * GiB, 16 * MiB } },
          { { 0 } },
          { ALL, 4 * MiB, 4 * MiB, 0, 0, 1 },
          0,
          6 * GiB },
        { "aligns the address",
          { { 5 * GiB + MiB, 8 * MiB }, { 6 * GiB, 16 * MiB } },
          { { 0 } },
          { ALL, 4 * MiB, 4 * MiB, 0, 0, 1 },
          0,
          5 * GiB + 4 * MiB },
        { "a snug run in a lower tier is left alone",
          { { 3 * GiB, 4 * MiB }, { 6 * GiB, 16 * MiB } },
          { { 0 } },
          { ALL, 4 * MiB, 1, 0, 0, 1 },
          0,
          6 * GiB },
        { "goes down a tier where none above has a place",
          { { GiB, 8 * MiB }, { GiB + 64 * MiB, 5 * MiB }, { 2 * GiB, 3 * MiB } },
          { { 0 } },
          { ALL, 4 * MiB, 1, 0, 0, 1 },
          0,
          GiB + 64 * MiB },
        { "a run is as long as its tier has of it",
          { { 4 * GiB - 64 * MiB, 68 * MiB }, { 5 * GiB, 5 * MiB } },
          { { 0 } },
          { ALL, 4 * MiB, 1, 0, 0, 1 },
          0,
          4 * GiB },
        { "across the border of two tiers where there is nothing else",
          { { 4 * GiB - 2 * MiB, 4 * MiB }, { 3 * GiB, 64 * MiB } },
          { { 0 } },
          { ALL, 3 * MiB, 1, 0, 0, 1 },
          0,
          4 * GiB - MiB },
        { "a run is as long as the window has of it",
          { { 5 * GiB, 8 * MiB }, { 6 * GiB, 16 * MiB } },
          { { 0 } },
          { { 0, 6 * GiB + 4 * MiB - 1 }, 4 * MiB, 1, 0, 0, 1 },
          0,
          6 * GiB },
        { "stays inside the window",
          { { 5 * GiB, 8 * MiB } },
          { { 0 } },
          { { 5 * GiB + MiB + 1, UINT64_MAX }, 4 * MiB, 1, 0, 0, 1 },
          0,
          5 * GiB + MiB + GRANULE },
        { "the next block where the lowest start straddles a boundary",
          { { 5 * GiB + 5 * MiB, 16 * MiB } },
          { { 0 } },
          { ALL, 4 * MiB, 1, 8 * MiB, 0, 1 },
          0,
          5 * GiB + 8 * MiB },
        { "the highest start where a block does not do either",
          { { 5 * GiB + MiB, 12 * MiB } },
          { { 0 } },
          { ALL, 10 * MiB, 1, 8 * MiB, 6 * MiB, 2 },
          0,
          5 * GiB + 3 * MiB },
        { "a run may lie in two spaces",
          { { 5 * GiB, 2 * MiB }, { 6 * GiB, 16 * MiB } },
          { { 5 * GiB + 2 * MiB, 2 * MiB } },
          { ALL, 4 * MiB, 1, 0, 0, 1 },
          0,
          5 * GiB },
        { "says so where there are too few bytes",
          { { 5 * GiB, 2 * MiB } },
          { { 6 * GiB, MiB } },
          { ALL, 4 * MiB, 1, 0, 0, 1 },
          PAR_REFUSED_EXHAUSTED,
          0 },
        { "and where they do not lie together",
          { { 5 * GiB, 2 * MiB } },
          { { 6 * GiB, 2 * MiB } },
          { ALL, 4 * MiB, 1, 0, 0, 1 },
          PAR_REFUSED_FRAGMENTED,
          0 },
};

static void test_two_ends(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct space *spaces[2];
                struct range place = { 0, 0 };
                int r;

                spaces[0] = space_of_pieces(GRANULE, cases[i].a);
                spaces[1] = space_of_pieces(GRANULE, cases[i].b);
                r = two_ends_find((const struct space *const *)spaces, 2, &cases[i].want, &place);
                if (r != cases[i].result || place.first != cases[i].first)
                        fail_msg("%s: result %d, first %#llx", cases[i].name, r,
                                 (unsigned long long)place.first);
                if (!r)
                        assert_int_equal(range_size(place), cases[i].want.size_bytes);
                space_free(spaces[0]);
                space_free(spaces[1]);
        }
}

/* Runs that are the shorter the lower they lie. */
static void test_two_ends_looks_at_so_many_runs(void **state)
{
        const struct constraint want = { RANGE_ALL, MiB, 1, 0, 0, 1 };
        struct space *space;
        struct range place;

        (void)state;
        assert_int_equal(space_new(GRANULE, &space), 0);
        for (uint64_t i = 0; i <= TWO_ENDS_RUNS; i++)
                assert_int_equal(space_add(space, range_of(5 * GiB + i * 64 * MiB, (2 + i) * MiB)),
                                 0);
        assert_int_equal(two_ends_find((const struct space *const *)&space, 1, &want, &place), 0);
        assert_int_equal(place.first, 5 * GiB + 64 * MiB);
        space_free(space);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_two_ends),
                cmocka_unit_test(test_two_ends_looks_at_so_many_runs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
