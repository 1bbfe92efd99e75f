/* SPDX-License-Identifier: MIT */
/*
 * Searches: by table, and all that can be asked of a few cells in all their states.
 */
#include "macros.h"
#include "space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pieces.h"

#define K KiB
#define ALL                   \
        {                     \
                0, UINT64_MAX \
        }
#define TOP(bytes) (UINT64_MAX - (bytes) + 1)
#define NONE       UINT64_C(1) /* on no granule */
#define HALF       (UINT64_C(1) << 63)

static const struct {
        const char *name;
        uint64_t granule;
        struct piece pieces[PIECES_MAX];
        struct range window;
        uint64_t size, align;
        uint64_t highest, lowest; /* where these places begin; NONE */
} find_cases[] = {
        { "one granule", 4 * K, { { 8 * K, 4 * K } }, ALL, 4 * K, 1, 8 * K, 8 * K },
        { "a byte takes a granule", 4 * K, { { 8 * K, 4 * K } }, ALL, 1, 1, 8 * K, 8 * K },
        { "a byte more than a granule",
          4 * K,
          { { 8 * K, 4 * K } },
          ALL,
          4 * K + 1,
          1,
          NONE,
          NONE },
        { "both ends of a range", 4 * K, { { 8 * K, 64 * K } }, ALL, 12 * K, 1, 60 * K, 8 * K },
        { "all of a range", 4 * K, { { 8 * K, 64 * K } }, ALL, 64 * K, 1, 8 * K, 8 * K },
        { "the outermost of three",
          4 * K,
          { { 0, 8 * K }, { 16 * K, 8 * K }, { 32 * K, 8 * K } },
          ALL,
          8 * K,
          1,
          32 * K,
          0 },
        { "over short ones",
          4 * K,
          { { 0, 4 * K }, { 16 * K, 8 * K }, { 32 * K, 8 * K }, { MiB, 4 * K } },
          ALL,
          8 * K,
          1,
          32 * K,
          16 * K },
        { "not over a gap",
          4 * K,
          { { 0, 8 * K }, { 12 * K, 8 * K } },
          ALL,
          12 * K,
          1,
          NONE,
          NONE },

        { "aligned inside", 4 * K, { { 4 * K, 124 * K } }, ALL, 8 * K, 64 * K, 64 * K, 64 * K },
        { "aligned at both ends", 4 * K, { { 0, 136 * K } }, ALL, 8 * K, 64 * K, 128 * K, 0 },
        { "the upper aligned one is a granule too short",
          4 * K,
          { { 0, 132 * K } },
          ALL,
          8 * K,
          64 * K,
          64 * K,
          0 },
        { "the lower aligned one is a granule too short",
          4 * K,
          { { 4 * K, 196 * K } },
          ALL,
          8 * K,
          64 * K,
          192 * K,
          64 * K },
        { "long enough, but not from a multiple on",
          4 * K,
          { { 4 * K, 120 * K } },
          ALL,
          64 * K,
          64 * K,
          NONE,
          NONE },
        { "a short range lies better than a long one",
          4 * K,
          { { 4 * K, 120 * K }, { 256 * K, 64 * K }, { 324 * K, 120 * K } },
          ALL,
          64 * K,
          64 * K,
          256 * K,
          256 * K },
        { "below the granule alignment means nothing",
          4 * K,
          { { 4 * K, 8 * K } },
          ALL,
          4 * K,
          16,
          8 * K,
          4 * K },
        { "aligned to the upper half",
          4 * K,
          { { HALF, 4 * K }, { MiB, MiB } },
          ALL,
          K,
          HALF,
          HALF,
          HALF },
        { "only address 0 is so aligned", 4 * K, { { 0, MiB } }, ALL, MiB, HALF, 0, 0 },
        { "what is so aligned is not there",
          4 * K,
          { { 4 * K, MiB }, { HALF + 4 * K, MiB }, { HALF - MiB, MiB } },
          ALL,
          K,
          HALF,
          NONE,
          NONE },
        { "alignment larger than all there is",
          4 * K,
          { { 3 * GiB, 64 * K } },
          ALL,
          4 * K,
          4 * GiB,
          NONE,
          NONE },

        { "in a window",
          4 * K,
          { { 0, MiB } },
          { 64 * K, 128 * K - 1 },
          8 * K,
          1,
          120 * K,
          64 * K },
        { "a window of just that size",
          4 * K,
          { { 0, MiB } },
          { 64 * K, 72 * K - 1 },
          8 * K,
          1,
          64 * K,
          64 * K },
        { "a window that is a byte too small at its beginning",
          4 * K,
          { { 0, MiB } },
          { 64 * K + 1, 72 * K - 1 },
          8 * K,
          1,
          NONE,
          NONE },
        { "a window that is a byte too small at its end",
          4 * K,
          { { 0, MiB } },
          { 64 * K, 72 * K - 2 },
          8 * K,
          1,
          NONE,
          NONE },
        { "a window that cuts granules",
          4 * K,
          { { 0, MiB } },
          { 64 * K + 1, 128 * K - 2 },
          8 * K,
          1,
          116 * K,
          68 * K },
        { "a window and alignment",
          4 * K,
          { { 0, MiB } },
          { 60 * K, 260 * K - 1 },
          4 * K,
          64 * K,
          256 * K,
          64 * K },
        { "a window beside what is there",
          4 * K,
          { { 0, 64 * K }, { 128 * K, 64 * K } },
          { 64 * K, 128 * K - 1 },
          4 * K,
          1,
          NONE,
          NONE },
        { "a window of one byte", 4 * K, { { 0, MiB } }, { 0, 0 }, 1, 1, NONE, NONE },
        { "a window inside one granule", 4 * K, { { 0, MiB } }, { 4097, 8190 }, 1, 1, NONE, NONE },
        { "a window of the first granule", 4 * K, { { 0, MiB } }, { 0, 4095 }, 1, 1, 0, 0 },
        { "a window of the last byte",
          4 * K,
          { { TOP(MiB), MiB } },
          { UINT64_MAX, UINT64_MAX },
          1,
          1,
          NONE,
          NONE },
        { "a window of the last granule",
          4 * K,
          { { TOP(MiB), MiB } },
          { TOP(4 * K), UINT64_MAX },
          1,
          1,
          TOP(4 * K),
          TOP(4 * K) },

        { "around 4 GiB",
          4 * K,
          { { 4 * GiB - 16 * K, 32 * K } },
          { 0, 4 * GiB - 1 },
          8 * K,
          1,
          4 * GiB - 8 * K,
          4 * GiB - 16 * K },
        { "over 4 GiB",
          4 * K,
          { { 4 * GiB - 8 * K, 16 * K } },
          ALL,
          16 * K,
          1,
          4 * GiB - 8 * K,
          4 * GiB - 8 * K },
        { "the first and the last bytes of all",
          4 * K,
          { { 0, 8 * K }, { TOP(8 * K), 8 * K } },
          ALL,
          4 * K,
          1,
          TOP(4 * K),
          0 },
        { "the end of the 64-bit range is no place to go on from",
          4 * K,
          { { 0, 8 * K }, { TOP(8 * K), 8 * K } },
          ALL,
          12 * K,
          1,
          NONE,
          NONE },
        { "as large as can be", 16, { { 16, TOP(16) } }, ALL, TOP(16), 1, 16, 16 },
        { "larger than can be", 16, { { 16, TOP(16) } }, ALL, TOP(15), 1, NONE, NONE },
        { "the largest number", 16, { { 0, TOP(16) } }, ALL, UINT64_MAX, 1, NONE, NONE },
        { "the upper half", 16, { { 16, TOP(16) } }, ALL, HALF, HALF, HALF, HALF },
        { "half, anywhere", 16, { { 16, TOP(16) } }, ALL, HALF, 16, HALF, 16 },
        { "a quarter, aligned to one",
          2 * MiB,
          { { 2 * MiB, TOP(2 * MiB) } },
          { 0, HALF + (HALF >> 1) },
          HALF >> 1,
          HALF >> 1,
          HALF,
          HALF >> 1 },
        { "granules of half the range", HALF, { { 0, HALF } }, ALL, 1, 1, 0, 0 },
        { "granules of half the range, the upper one",
          HALF,
          { { HALF, HALF } },
          ALL,
          HALF,
          HALF,
          HALF,
          HALF },
        { "granules of 1 GiB",
          GiB,
          { { 3 * GiB, 7 * GiB } },
          { 0, 8 * GiB },
          2 * GiB,
          2 * GiB,
          6 * GiB,
          4 * GiB },
};

static void expect_place(const struct space *space, size_t i, enum space_end end, uint64_t first)
{
        const uint64_t granule = find_cases[i].granule;
        struct range place = { NONE, 0 };
        bool found;

        found = space_find(space, find_cases[i].window, find_cases[i].size, find_cases[i].align,
                           end, &place);
        if (found != (first != NONE) || place.first != first)
                fail_msg("%s, the %s: %d, %#llx", find_cases[i].name,
                         end == SPACE_HIGHEST ? "highest" : "lowest", found,
                         (unsigned long long)place.first);
        if (found)
                assert_int_equal(range_size(place), ((find_cases[i].size - 1) | (granule - 1)) + 1);
}

static void test_space_find(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(find_cases); i++) {
                struct space *space = space_of_pieces(find_cases[i].granule, find_cases[i].pieces);

                expect_place(space, i, SPACE_HIGHEST, find_cases[i].highest);
                expect_place(space, i, SPACE_LOWEST, find_cases[i].lowest);
                space_free(space);
        }
}

/* ---- all states of a few cells -------------------------------------------------------------- */

#define CELLS 7u

/* @cell_bytes: width of a cell. @index: of the first one, from address 0. */
struct few {
        uint64_t cell_bytes, index;
        unsigned there; /* a bit for each cell */
        struct space *space;
};

static struct range part(const struct few *few, unsigned first, unsigned last)
{
        const uint64_t base = few->index * few->cell_bytes;

        return (struct range){ base + first * few->cell_bytes,
                               base + last * few->cell_bytes + (few->cell_bytes - 1) };
}

static struct space *few_space(const struct few *few, uint64_t granule)
{
        struct space *space;

        assert_int_equal(space_new(granule, &space), 0);
        for (unsigned i = 0; i < CELLS; i++)
                if (few->there >> i & 1)
                        assert_int_equal(space_add(space, part(few, i, i)), 0);
        space_check(space);
        return space;
}

/* Whether a place of @n cells in a window of cells may begin at @i. */
static bool may_begin(const struct few *few, unsigned i, unsigned n, unsigned align, unsigned last)
{
        const unsigned mask = (1u << n) - 1;

        return i + n <= last + 1 && (few->there >> i & mask) == mask &&
               (few->index + i) % align == 0;
}

/* Both ends of a window, a size and an alignment, in cells. */
static void ask(const struct few *few, unsigned first, unsigned last, unsigned n, unsigned align)
{
        unsigned high = CELLS, low = CELLS;
        struct range place;

        for (unsigned i = first; i <= last; i++) {
                if (!may_begin(few, i, n, align, last))
                        continue;
                high = i;
                low = low < i ? low : i;
        }
        for (enum space_end end = SPACE_HIGHEST; end <= SPACE_LOWEST; end++) {
                const unsigned at = end == SPACE_HIGHEST ? high : low;
                const bool found =
                        space_find(few->space, part(few, first, last), n * few->cell_bytes,
                                   align * few->cell_bytes, end, &place);

                if (found != (at < CELLS) || (found && place.first != part(few, at, at).first))
                        fail_msg("cells of %#llx bytes from cell %llu on, state %#x, window %u to "
                                 "%u, %u cells, align %u: %d",
                                 (unsigned long long)few->cell_bytes,
                                 (unsigned long long)few->index, few->there, first, last, n, align,
                                 found);
        }
}

static void ask_all(const struct few *few)
{
        for (unsigned first = 0; first < CELLS; first++) {
                unsigned longest = 0, run = 0;

                for (unsigned last = first; last < CELLS; last++) {
                        run = few->there >> last & 1 ? run + 1 : 0;
                        longest = longest > run ? longest : run;
                        assert_int_equal(space_longest(few->space, part(few, first, last)),
                                         longest * few->cell_bytes);
                        for (unsigned n = 1; n <= CELLS; n++)
                                for (unsigned align = 1; align <= 4; align *= 2)
                                        ask(few, first, last, n, align);
                }
        }
}

/*
 * Cells of a granule, and as wide as a piece, a block and a node of the tree, which straddle the
 * borders of words, pieces, blocks and nodes, and lie at both ends of the 64-bit range.
 */
static void test_space_find_in_all_states(void **state)
{
        const uint64_t granule = 4096;
        static const uint64_t widths[] = { 1, 512, 4096, 1 << 15 };
        const bool slow = getenv("PAR_UNDER_VALGRIND");

        (void)state;
        for (size_t w = 0; w < ARRAY_SIZE(widths); w += slow ? 2 : 1) {
                const uint64_t cell = widths[w] * granule;
                const uint64_t where[] = { 0,
                                           61,
                                           509,
                                           4092,
                                           (1 << 15) - 2,
                                           (1 << 18) - 6,
                                           UINT64_MAX / cell - (CELLS - 1) };

                for (size_t i = 0; i < ARRAY_SIZE(where); i += slow ? 3 : 1) {
                        for (unsigned there = 0; there < 1u << CELLS; there++) {
                                struct few few = { cell, where[i], there, NULL };

                                few.space = few_space(&few, granule);
                                ask_all(&few);
                                space_free(few.space);
                        }
                }
        }
}

/* ---- what it costs -------------------------------------------------------------------------- */

/* So many bytes from address 0 on, of which one granule in eight is missing at each end. */
static struct space *ragged_space(uint64_t bytes)
{
        struct space *space;

        assert_int_equal(space_new(4096, &space), 0);
        assert_int_equal(space_add(space, (struct range){ 0, bytes - 1 }), 0);
        for (uint64_t at = 0; at < MiB; at += 32 * K) {
                assert_int_equal(space_remove(space, range_of(at, 4 * K)), 0);
                assert_int_equal(space_remove(space, range_of(bytes - 4 * K - at, 4 * K)), 0);
        }
        return space;
}

/*
 * However much there is, and whether it is found or not: the visits have a bound, which grows with
 * the logarithm of the size.
 */
static void test_space_visits(void **state)
{
        static const uint64_t sizes[] = { GiB, 64 * GiB, TiB, 16 * TiB, UINT64_C(1) << 57 };
        size_t bounds[ARRAY_SIZE(sizes)];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                struct space *space = ragged_space(sizes[i]);
                size_t visits = 0;

                space_count_visits(space, &visits);
                bounds[i] = space_visits_max(space);
                for (unsigned n = 0; n < 64; n++) {
                        const struct range window = { 4 * K * n + 1, sizes[i] - 12 * K * n };
                        const uint64_t align = UINT64_C(1) << n;
                        struct range place;

                        visits = 0;
                        space_find(space, window, sizes[i] - MiB, align, SPACE_HIGHEST, &place);
                        assert_in_range(visits, 1, bounds[i]);
                        visits = 0;
                        space_find(space, window, 32 * K, align, SPACE_LOWEST, &place);
                        assert_in_range(visits, 1, bounds[i]);
                        visits = 0;
                        space_longest(space, window);
                        assert_in_range(visits, 1, bounds[i]);
                }
                space_count_visits(space, NULL);
                visits = 0;
                space_longest(space, RANGE_ALL);
                assert_int_equal(visits, 0);
                space_free(space);
        }
        assert_in_range(bounds[3], bounds[1], 2 * bounds[1]);
        assert_in_range(bounds[4], bounds[3], 4 * bounds[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_space_find),
                cmocka_unit_test(test_space_find_in_all_states),
                cmocka_unit_test(test_space_visits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
