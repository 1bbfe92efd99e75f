/* SPDX-License-Identifier: MIT */
#include "macros.h"
#include "placement.h"
#include "result.h"
#include "segment.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#include "pieces.h"

#define K KiB
#define ALL                   \
        {                     \
                0, UINT64_MAX \
        }
#define NO_ROOM    PAR_REFUSED_EXHAUSTED
#define FRAGMENTED PAR_REFUSED_FRAGMENTED
#define GRANULE    (4 * KiB)
#define TOP(bytes) (UINT64_MAX - (bytes) + 1)

/* Linked in place of realloc() and malloc(): fail once, after so many calls. */
void *__real_realloc(void *p, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
static unsigned calls_left = UINT32_MAX;

void *__wrap_realloc(void *p, size_t bytes)
{
        return calls_left-- ? __real_realloc(p, bytes) : NULL;
}

void *__wrap_malloc(size_t bytes)
{
        return calls_left-- ? __real_malloc(bytes) : NULL;
}

/* The pieces of @a and @b in a space each. */
static const struct {
        const char *name;
        struct piece a[PIECES_MAX], b[PIECES_MAX];
        struct constraint want; /* window, size, align, boundary, max_segment_bytes, max_segments */
        int result;
        uint64_t first;
} find_cases[] = {
        { "takes the highest place",
          { { 0, 64 * K } },
          { { MiB, 64 * K } },
          { ALL, 8 * K, 1, 0, 0, 1 },
          0,
          MiB + 56 * K },
        { "passes over runs that are too short",
          { { 0, 64 * K }, { MiB, 8 * K } },
          { { 2 * MiB, 4 * K } },
          { ALL, 12 * K, 1, 0, 0, 1 },
          0,
          52 * K },
        { "rounds the size up to the granule",
          { { 0, 64 * K } },
          { { 0 } },
          { ALL, 1, 1, 0, 0, 1 },
          0,
          60 * K },
        { "reaches from one space into the other",
          { { 0, 8 * K }, { 16 * K, 8 * K } },
          { { 8 * K, 8 * K } },
          { ALL, 24 * K, 1, 0, 0, 1 },
          0,
          0 },
        { "does not take a gap for a neighbour",
          { { 0, 8 * K } },
          { { 12 * K, 8 * K } },
          { ALL, 12 * K, 1, 0, 0, 1 },
          FRAGMENTED,
          0 },
        { "finds neighbours below short runs of another space",
          { { 0, 8 * K }, { 64 * K, 4 * K }, { 80 * K, 4 * K } },
          { { 8 * K, 8 * K } },
          { ALL, 16 * K, 1, 0, 0, 1 },
          0,
          0 },
        { "aligns the address",
          { { 4 * K, 124 * K } },
          { { 0 } },
          { ALL, 8 * K, 64 * K, 0, 0, 1 },
          0,
          64 * K },
        { "refuses what cannot be aligned",
          { { 4 * K, 60 * K } },
          { { 0 } },
          { ALL, 4 * K, 64 * K, 0, 0, 1 },
          FRAGMENTED,
          0 },
        { "stays inside the window",
          { { 0, MiB } },
          { { 0 } },
          { { 16 * K, 64 * K - 1 }, 8 * K, 1, 0, 0, 1 },
          0,
          56 * K },
        { "does not use granules that the window cuts",
          { { 0, MiB } },
          { { 0 } },
          { { 16 * K + 1, 32 * K - 2 }, 8 * K, 1, 0, 0, 1 },
          0,
          20 * K },
        { "says so where the window has too few bytes",
          { { 0, MiB } },
          { { 0 } },
          { { 16 * K, 32 * K - 1 }, 16 * K + 1, 1, 0, 0, 1 },
          NO_ROOM,
          0 },
        { "does not straddle a boundary",
          { { 0, 68 * K } },
          { { 0 } },
          { ALL, 16 * K, 1, 64 * K, 0, 1 },
          0,
          48 * K },
        { "straddles it where two segments are allowed",
          { { 0, 68 * K } },
          { { 0 } },
          { ALL, 16 * K, 1, 64 * K, 0, 2 },
          0,
          52 * K },
        { "goes down to where the segments are few enough",
          { { 0, 192 * K } },
          { { 0 } },
          { ALL, 128 * K, 1, 64 * K, 0, 2 },
          0,
          64 * K },
        { "goes down past a block's start to a better one in the block below",
          { { 0, 224 * K } },
          { { 0 } },
          { ALL, 96 * K, 1, 64 * K, 48 * K, 2 },
          0,
          80 * K },
        { "knows that there is no block below address 0",
          { { 0, 100 * K } },
          { { 0 } },
          { ALL, 96 * K, 1, 64 * K, 48 * K, 2 },
          FRAGMENTED,
          0 },
        { "refuses a size that no start cuts into so few",
          { { 0, MiB } },
          { { 0 } },
          { ALL, 128 * K, 1, 0, 60 * K, 2 },
          FRAGMENTED,
          0 },
        { "finds a head that fits odd segments",
          { { 0, MiB } },
          { { 0 } },
          { ALL, 128 * K, 1, 512 * K, 65535, 3 },
          0,
          896 * K },
        { "the last bytes of all",
          { { TOP(64 * K), 64 * K } },
          { { 0 } },
          { ALL, 8 * K, 1, 0, 0, 1 },
          0,
          TOP(8 * K) },
        { "the first bytes of all",
          { { 0, 8 * K } },
          { { 0 } },
          { { 0, 8 * K - 1 }, 8 * K, 1, 0, 0, 1 },
          0,
          0 },
        { "aligned to half of everything",
          { { 0, 8 * K } },
          { { UINT64_C(1) << 63, 8 * K } },
          { ALL, 8 * K, UINT64_C(1) << 63, 0, 0, 1 },
          0,
          UINT64_C(1) << 63 },
        { "a size that cannot be rounded up",
          { { 0, 8 * K } },
          { { 0 } },
          { ALL, UINT64_MAX, 1, 0, 0, 1 },
          NO_ROOM,
          0 },
        { "nothing there", { { 0 } }, { { 0 } }, { ALL, 1, 1, 0, 0, 1 }, NO_ROOM, 0 },
};

static void test_placement_find(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(find_cases); i++) {
                struct space *spaces[2];
                struct range place = { 0, 0 };
                int r;

                spaces[0] = space_of_pieces(GRANULE, find_cases[i].a);
                spaces[1] = space_of_pieces(GRANULE, find_cases[i].b);
                r = placement_find((const struct space *const *)spaces, 2, &find_cases[i].want,
                                   &place);
                if (r != find_cases[i].result || place.first != find_cases[i].first)
                        fail_msg("%s: result %d, first %#llx", find_cases[i].name, r,
                                 (unsigned long long)place.first);
                if (!r)
                        assert_true(range_size(place) % GRANULE == 0 &&
                                    range_size(place) >= find_cases[i].want.size_bytes);
                space_free(spaces[0]);
                space_free(spaces[1]);
        }
}

/* Pages of 16 KiB. */
static const struct {
        const char *name;
        struct piece a[PIECES_MAX], b[PIECES_MAX];
        struct constraint want;
        int result;
        struct piece places[PIECES_MAX];
} scattered_cases[] = {
        { "one place where one suffices",
          { { 0, 64 * K } },
          { { MiB, 64 * K } },
          { ALL, 64 * K, 1, 0, 0, 4 },
          0,
          { { MiB, 64 * K } } },
        { "the longest first, in ascending order",
          { { 0, 64 * K } },
          { { MiB, 32 * K } },
          { ALL, 80 * K, 1, 0, 0, 2 },
          0,
          { { 0, 64 * K }, { MiB + 16 * K, 16 * K } } },
        { "the place that ends inside a page comes last",
          { { 0, 32 * K } },
          { { MiB, 64 * K } },
          { ALL, 84 * K, 1, 0, 0, 2 },
          0,
          { { MiB, 64 * K }, { 0, 20 * K } } },
        { "begins on pages only",
          { { 4 * K, 28 * K } },
          { { MiB + 12 * K, 36 * K } },
          { ALL, 48 * K, 1, 0, 0, 9 },
          0,
          { { 16 * K, 16 * K }, { MiB + 16 * K, 32 * K } } },
        { "refuses bytes beside whole pages",
          { { 4 * K, 28 * K } },
          { { MiB + 12 * K, 20 * K } },
          { ALL, 36 * K, 1, 0, 0, SEGMENTS_ANY },
          FRAGMENTED,
          { { 0 } } },
        { "ends in a page that is not all there",
          { { 0, 20 * K } },
          { { MiB, 16 * K } },
          { ALL, 36 * K, 1, 0, 0, 2 },
          0,
          { { MiB, 16 * K }, { 0, 20 * K } } },
        { "neighbours in different spaces are one place",
          { { 0, 32 * K } },
          { { 32 * K, 32 * K } },
          { ALL, 64 * K, 1, 0, 0, 2 },
          0,
          { { 0, 64 * K } } },
        { "too many segments",
          { { 0, 32 * K }, { 64 * K, 32 * K } },
          { { 128 * K, 32 * K } },
          { ALL, 96 * K, 1, 0, 0, 2 },
          FRAGMENTED,
          { { 0 } } },
        { "cuts at the boundary",
          { { 32 * K, 64 * K } },
          { { MiB, 16 * K } },
          { ALL, 64 * K, 1, 64 * K, 0, 2 },
          0,
          { { 32 * K, 64 * K } } },
        { "long segments before short ones",
          { { 0, 48 * K }, { 64 * K, 48 * K } },
          { { MiB, 16 * K } },
          { ALL, 64 * K, 1, 0, 32 * K, 2 },
          0,
          { { 0, 32 * K }, { 64 * K, 32 * K } } },
        { "of equal segments the highest",
          { { 0, 64 * K } },
          { { 0 } },
          { ALL, 32 * K, 1, 0, 16 * K, 2 },
          0,
          { { 32 * K, 32 * K } } },
        { "one segment must be one place",
          { { 0, 32 * K } },
          { { 64 * K, 16 * K } },
          { ALL, 48 * K, 1, 0, 0, 1 },
          FRAGMENTED,
          { { 0 } } },
        { "too few bytes",
          { { 0, 32 * K } },
          { { 64 * K, 16 * K } },
          { ALL, 64 * K, 1, 0, 0, SEGMENTS_ANY },
          NO_ROOM,
          { { 0 } } },
        { "at both ends",
          { { 0, 16 * K } },
          { { TOP(16 * K), 16 * K } },
          { ALL, 32 * K, 1, 0, 0, 2 },
          0,
          { { 0, 16 * K }, { TOP(16 * K), 16 * K } } },
};

static void test_placement_scattered(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(scattered_cases); i++) {
                struct space *spaces[2];
                struct range *places = NULL;
                size_t count = 0, expected = 0;
                int r;

                spaces[0] = space_of_pieces(GRANULE, scattered_cases[i].a);
                spaces[1] = space_of_pieces(GRANULE, scattered_cases[i].b);
                r = placement_find_scattered((const struct space *const *)spaces, 2, 16 * KiB,
                                             &scattered_cases[i].want, &places, &count);
                while (expected < PIECES_MAX && scattered_cases[i].places[expected].bytes)
                        expected++;
                if (r != scattered_cases[i].result || count != expected)
                        fail_msg("%s: result %d, %zu places", scattered_cases[i].name, r, count);
                for (size_t p = 0; p < count; p++) {
                        const struct piece *piece = &scattered_cases[i].places[p];

                        if (places[p].first != piece->first ||
                            range_size(places[p]) != piece->bytes)
                                fail_msg("%s: place %zu at %#llx", scattered_cases[i].name, p,
                                         (unsigned long long)places[p].first);
                }
                free(places);
                space_free(spaces[0]);
                space_free(spaces[1]);
        }
}

static void test_placement_without_memory(void **state)
{
        static const struct piece a[PIECES_MAX] = { { 0, 32 * K } };
        static const struct piece b[PIECES_MAX] = { { 64 * K, 16 * K } };
        struct constraint want = { ALL, 48 * K, 1, 0, 0, 2 };
        struct space *spaces[2];
        struct range *places;
        size_t count;
        unsigned calls = 0;
        int r;

        (void)state;
        spaces[0] = space_of_pieces(GRANULE, a);
        spaces[1] = space_of_pieces(GRANULE, b);
        do {
                calls_left = calls++;
                r = placement_find_scattered((const struct space *const *)spaces, 2, 16 * KiB,
                                             &want, &places, &count);
                calls_left = UINT32_MAX;
                assert_true(r == 0 || r == -ENOMEM);
        } while (r);
        assert_int_equal(calls, 3); /* the first rest and the first place */
        free(places);

        want.max_segments = 1;
        want.size_bytes = 32 * KiB;
        calls_left = 0;
        assert_int_equal(placement_find_scattered((const struct space *const *)spaces, 2, 16 * KiB,
                                                  &want, &places, &count),
                         -ENOMEM);
        space_free(spaces[0]);
        space_free(spaces[1]);
}

/*
 * A hundred thousand runs that are too short, alone and between those of another space, and far
 * below a place: none of them is visited for its own sake.
 */
static void test_placement_passes_over_dust(void **state)
{
        const unsigned runs = getenv("PAR_UNDER_VALGRIND") ? 10000 : 100000;
        const struct constraint want = { ALL, 8 * K, 1, 0, 0, 1 };
        struct space *spaces[2];
        struct range place;
        size_t visits = 0;

        (void)state;
        assert_int_equal(space_new(GRANULE, &spaces[0]), 0);
        assert_int_equal(space_new(GRANULE, &spaces[1]), 0);
        assert_int_equal(space_add(spaces[0], range_of(0, 8 * KiB)), 0);
        for (unsigned i = 1; i <= runs; i++)
                assert_int_equal(space_add(spaces[0], range_of(i * 16 * KiB, GRANULE)), 0);
        assert_int_equal(space_add(spaces[1], range_of(8 * KiB + runs / 2 * 16 * KiB, GRANULE)), 0);
        assert_int_equal(
                space_add(spaces[1], range_of(8 * KiB + (uint64_t)runs * 16 * KiB, GRANULE)), 0);
        space_count_visits(spaces[0], &visits);
        space_count_visits(spaces[1], &visits);
        for (unsigned n = 1; n <= 2; n++) {
                visits = 0;
                assert_int_equal(
                        placement_find((const struct space *const *)spaces, n, &want, &place), 0);
                assert_true(place.first == 0);
                print_message("%u: %zu visits\n", n, visits);
                assert_in_range(visits, 1, n * 8 * space_visits_max(spaces[0]));
        }
        space_free(spaces[0]);
        space_free(spaces[1]);
}

/* As many spaces as there may be, whose granules take turns: together they are one run. */
static void test_placement_in_many_spaces(void **state)
{
        static struct space *spaces[PLACEMENT_SPACES_MAX];
        const struct space *const *all = (const struct space *const *)spaces;
        const uint64_t bytes = (uint64_t)PLACEMENT_SPACES_MAX * 4 * GRANULE;
        struct constraint want = { ALL, 0, 1, 0, 0, 1 };
        struct range place;

        (void)state;
        for (uint64_t i = 0; i < PLACEMENT_SPACES_MAX; i++)
                assert_int_equal(space_new(GRANULE, &spaces[i]), 0);
        for (uint64_t i = 0; i < bytes / GRANULE; i++)
                assert_int_equal(space_add(spaces[i * 7 % PLACEMENT_SPACES_MAX],
                                           range_of(GiB + i * GRANULE, GRANULE)),
                                 0);
        assert_int_equal(placement_largest_run(all, PLACEMENT_SPACES_MAX, RANGE_ALL), bytes);
        want.size_bytes = bytes;
        assert_int_equal(placement_find(all, PLACEMENT_SPACES_MAX, &want, &place), 0);
        assert_int_equal(place.first, GiB);
        want.size_bytes = bytes / 2 - GRANULE;
        want.boundary_bytes = bytes / 2;
        want.align_bytes = 4 * GRANULE;
        assert_int_equal(placement_find(all, PLACEMENT_SPACES_MAX, &want, &place), 0);
        assert_int_equal(place.first, GiB + bytes / 2);
        want.window.last = GiB + bytes - 2 * GRANULE - 1;
        assert_int_equal(placement_find(all, PLACEMENT_SPACES_MAX, &want, &place), 0);
        assert_int_equal(place.first, GiB);
        want.size_bytes = bytes + 1;
        assert_int_equal(placement_find(all, PLACEMENT_SPACES_MAX, &want, &place), NO_ROOM);
        for (uint64_t i = 0; i < PLACEMENT_SPACES_MAX; i++)
                space_free(spaces[i]);
}

static void test_placement_sums(void **state)
{
        static const struct piece a[PIECES_MAX] = { { 0, 32 * K }, { 64 * K, 16 * K } };
        static const struct piece b[PIECES_MAX] = { { 80 * K, 32 * K }, { MiB, 40 * K } };
        struct space *spaces[2];
        const struct space *const *both = (const struct space *const *)spaces;

        (void)state;
        spaces[0] = space_of_pieces(GRANULE, a);
        spaces[1] = space_of_pieces(GRANULE, b);
        assert_int_equal(placement_largest_run(both, 2, RANGE_ALL), 48 * KiB);
        assert_int_equal(placement_largest_run(both, 2, (struct range){ 0, 96 * KiB - 1 }),
                         32 * KiB);
        assert_int_equal(placement_largest_run(both, 2, (struct range){ 5, 16 * KiB + 5 }),
                         12 * KiB);
        assert_int_equal(placement_largest_run(both, 2, (struct range){ 2 * MiB, 3 * MiB }), 0);
        assert_int_equal(placement_largest_run(both, 0, RANGE_ALL), 0);
        assert_int_equal(placement_free_bytes(both, 2, RANGE_ALL), 120 * KiB);
        assert_int_equal(placement_free_bytes(both, 2, (struct range){ 31 * KiB, 65 * KiB - 1 }),
                         2 * KiB);
        assert_int_equal(placement_free_bytes(both, 0, RANGE_ALL), 0);
        space_free(spaces[0]);
        space_free(spaces[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_placement_find),
                cmocka_unit_test(test_placement_scattered),
                cmocka_unit_test(test_placement_without_memory),
                cmocka_unit_test(test_placement_passes_over_dust),
                cmocka_unit_test(test_placement_in_many_spaces),
                cmocka_unit_test(test_placement_sums),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
