/* SPDX-License-Identifier: MIT */
/*
 * What is in a space after changes, and the walks over it. Searches are in test_space_find.c,
 * memory in test_space_memory.c, random states in test_space_oracle.c.
 */
#include "macros.h"
#include "space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pieces.h"

#define K          KiB
#define TOP(bytes) (UINT64_MAX - (bytes) + 1)
#define PICTURE    9
#define STEPS_MAX  8

static const uint64_t granules[] = { 16, 4096, 2 * MiB, GiB, UINT64_C(1) << 57 };

/*
 * Pictures: a character is a cell, ascending. A step adds "+", removes "-", or clears "0"; in the
 * content "x" is there.
 */
static const struct {
        const char *name, *steps[STEPS_MAX], *content;
} change_cases[] = {
        { "nothing", { 0 }, "........." },
        { "one", { "+........" }, "x........" },
        { "the last", { "........+" }, "........x" },
        { "all", { "+++++++++" }, "xxxxxxxxx" },
        { "all, one by one from below",
          { "+++......", "...+.....", "....+....", ".....+...", "......+++" },
          "xxxxxxxxx" },
        { "all, from above", { ".....++++", "....+....", "...+.....", "+++......" }, "xxxxxxxxx" },
        { "joins the one below", { ".++......", "...++...." }, ".xxxx...." },
        { "joins the one above", { "...++....", ".++......" }, ".xxxx...." },
        { "joins both", { ".++......", ".....++..", "...++...." }, ".xxxxxx.." },
        { "joins none over a gap", { ".+.......", "...+.....", ".....+..." }, ".x.x.x..." },
        { "removes the middle", { ".+++++...", "...-....." }, ".xx.xx..." },
        { "removes the beginning", { ".+++++...", ".--......" }, "...xxx..." },
        { "removes the end", { ".+++++...", "....--..." }, ".xxx....." },
        { "removes the whole", { ".+++++...", ".-----..." }, "........." },
        { "removes one range of several", { "++.++.++.", "...--...." }, "xx....xx." },
        { "removes all, one by one",
          { "++++.....", "-........", ".-.......", "..-......", "...-....." },
          "........." },
        { "a comb", { "+.+.+.+.+" }, "x.x.x.x.x" },
        { "a comb out of all", { "+++++++++", "-.-.-.-.-" }, ".x.x.x.x." },
        { "a comb filled again", { "+++++++++", "-.-.-.-.-", "+.+.+.+.+" }, "xxxxxxxxx" },
        { "one that moves",
          { "+........", "-........", "....+....", "....-....", "........+" },
          "........x" },
        { "at both ends", { "+.......+" }, "x.......x" },
        { "at both ends, and one of them removed", { "+.......+", "-........" }, "........x" },
        { "clears nothing", { "000000000" }, "........." },
        { "clears a part", { "+++++++++", "..000...." }, "xx...xxxx" },
        { "clears what is there", { "+.+.++..+", ".0000...." }, "x....x..x" },
        { "clears all", { "+.+.++..+", "000000000" }, "........." },
        { "clears beside", { "..+++....", "00......." }, "..xxx...." },
        { "clears beside, where nothing ever was", { "++.......", "......00." }, "xx......." },
        { "clears both ends", { "+++++++++", "00.....00" }, "..xxxxx.." },
        { "given back in another order",
          { "+++++++++", "---......", "......-..", "...--....", "..+++....", "++......." },
          "xxxxxx.xx" },
};

/* Where a picture is: a cell is some granules wide. */
struct place {
        uint64_t granule_bytes, cell_bytes, base;
};

static struct range part(const struct place *place, size_t first, size_t last)
{
        return (struct range){ place->base + first * place->cell_bytes,
                               place->base + last * place->cell_bytes + (place->cell_bytes - 1) };
}

/* The end of the stretch of equal characters that begins at @i. */
static size_t stretch(const char *picture, size_t i)
{
        while (i + 1 < PICTURE && picture[i + 1] == picture[i])
                i++;
        return i;
}

static void expect_content(const struct space *space, const struct place *place,
                           const char *content)
{
        uint64_t bytes = 0;

        for (size_t i = 0, last; i < PICTURE; i = last + 1) {
                const struct range at = part(place, i, last = stretch(content, i));
                const struct range end = { at.last, at.last };
                struct range found;

                assert_int_equal(space_contains(space, at), content[i] == 'x');
                assert_int_equal(space_contains(space, end), content[i] == 'x');
                if (content[i] != 'x') {
                        assert_int_equal(space_bytes_in(space, at), 0);
                        continue;
                }
                assert_true(space_next(space, at.first, &found));
                assert_memory_equal(&found, &at, sizeof(at));
                assert_true(space_prev(space, at.last, &found));
                assert_memory_equal(&found, &at, sizeof(at));
                bytes += range_size(at);
        }
        assert_int_equal(space_bytes(space), bytes);
        assert_int_equal(space_bytes_in(space, RANGE_ALL), bytes);
}

static int make_change(struct space *space, char what, struct range at)
{
        switch (what) {
        case '+': return space_add(space, at);
        case '-': return space_remove(space, at);
        default: return space_clear(space, at);
        }
}

static void make_step(struct space *space, const struct place *place, const char *step,
                      char *content)
{
        for (size_t i = 0, last; i < PICTURE; i = last + 1) {
                const struct range at = part(place, i, last = stretch(step, i));

                if (step[i] == '.')
                        continue;
                assert_int_equal(make_change(space, step[i], at), 0);
                memset(content + i, step[i] == '+' ? 'x' : '.', last - i + 1);
                space_check(space);
                expect_content(space, place, content);
        }
}

static void try_changes(const struct place *place)
{
        for (size_t i = 0; i < ARRAY_SIZE(change_cases); i++) {
                char content[PICTURE + 1] = ".........";
                struct space *space;

                assert_int_equal(space_new(place->granule_bytes, &space), 0);
                for (size_t s = 0; s < STEPS_MAX && change_cases[i].steps[s]; s++)
                        make_step(space, place, change_cases[i].steps[s], content);
                if (strcmp(content, change_cases[i].content) != 0)
                        fail_msg("%s: the table contradicts itself: %s", change_cases[i].name,
                                 content);
                space_free(space);
        }
}

/*
 * Cells of one granule, and as wide as a word, a piece, a block of the tree and the next two
 * levels; at both ends of the 64-bit range, and around 4 GiB, on multiples of the cell and beside
 * them.
 */
static void test_space_is_what_was_added(void **state)
{
        static const uint64_t widths[] = { 1, 64, 512, 4096, 5000, 1 << 15, 1 << 18 };
        static const uint64_t beside[] = { 0, 1, 63, 511 };

        (void)state;
        for (size_t g = 0; g < ARRAY_SIZE(granules); g++) {
                for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
                        struct place place = { .granule_bytes = granules[g] };
                        uint64_t all;

                        if (__builtin_mul_overflow(granules[g], widths[w], &place.cell_bytes) ||
                            __builtin_mul_overflow(place.cell_bytes, PICTURE, &all))
                                continue;
                        for (size_t b = 0; b < ARRAY_SIZE(beside); b++) {
                                const uint64_t off = beside[b] * granules[g];

                                if (off / granules[g] != beside[b] || off > UINT64_MAX - all)
                                        continue;
                                place.base = off;
                                try_changes(&place);
                                place.base = UINT64_MAX - all + 1 - off;
                                try_changes(&place);
                                if (all > 4 * GiB)
                                        continue;
                                place.base = align_down(4 * GiB - all / 2, granules[g]) + off;
                                try_changes(&place);
                        }
                }
        }
}

/* 4 KiB granules. */
static const struct piece walked[PIECES_MAX] = { { 0, 8 * K },
                                                 { 16 * K, 4 * K },
                                                 { 4 * GiB - 4 * K, 12 * K },
                                                 { UINT64_C(1) << 50, UINT64_C(1) << 45 },
                                                 { TOP(8 * K), 8 * K } };

enum walk { NEXT, PREV, GAP };

static const struct {
        const char *name;
        enum walk walk;
        uint64_t from;
        bool found;
        struct range range;
} walk_cases[] = {
        { "from the bottom", NEXT, 0, true, { 0, 8 * K - 1 } },
        { "from inside", NEXT, 5 * K, true, { 5 * K, 8 * K - 1 } },
        { "from its last byte", NEXT, 8 * K - 1, true, { 8 * K - 1, 8 * K - 1 } },
        { "from behind it", NEXT, 8 * K, true, { 16 * K, 20 * K - 1 } },
        { "from in front of it", NEXT, 16 * K - 1, true, { 16 * K, 20 * K - 1 } },
        { "over 4 GiB", NEXT, MiB, true, { 4 * GiB - 4 * K, 4 * GiB + 8 * K - 1 } },
        { "from 4 GiB", NEXT, 4 * GiB, true, { 4 * GiB, 4 * GiB + 8 * K - 1 } },
        { "a long one",
          NEXT,
          (UINT64_C(1) << 50) + 1,
          true,
          { (UINT64_C(1) << 50) + 1, (UINT64_C(1) << 50) + (UINT64_C(1) << 45) - 1 } },
        { "the last one", NEXT, UINT64_C(1) << 63, true, { TOP(8 * K), UINT64_MAX } },
        { "the last byte", NEXT, UINT64_MAX, true, { UINT64_MAX, UINT64_MAX } },

        { "down from the top", PREV, UINT64_MAX, true, { TOP(8 * K), UINT64_MAX } },
        { "down from inside", PREV, TOP(K), true, { TOP(8 * K), TOP(K) } },
        { "down from its first byte", PREV, TOP(8 * K), true, { TOP(8 * K), TOP(8 * K) } },
        { "down from below it",
          PREV,
          TOP(8 * K) - 1,
          true,
          { UINT64_C(1) << 50, (UINT64_C(1) << 50) + (UINT64_C(1) << 45) - 1 } },
        { "down from 4 GiB", PREV, 4 * GiB, true, { 4 * GiB - 4 * K, 4 * GiB } },
        { "down from the first gap", PREV, 12 * K, true, { 0, 8 * K - 1 } },
        { "down from the bottom", PREV, 0, true, { 0, 0 } },

        { "the first gap", GAP, 0, true, { 8 * K, 16 * K - 1 } },
        { "the gap from its first byte", GAP, 8 * K, true, { 8 * K, 16 * K - 1 } },
        { "the gap from inside", GAP, 9 * K, true, { 9 * K, 16 * K - 1 } },
        { "the gap from its last byte", GAP, 16 * K - 1, true, { 16 * K - 1, 16 * K - 1 } },
        { "the gap behind", GAP, 16 * K, true, { 20 * K, 4 * GiB - 4 * K - 1 } },
        { "the gap from 4 GiB", GAP, 4 * GiB, true, { 4 * GiB + 8 * K, (UINT64_C(1) << 50) - 1 } },
        { "the last gap", GAP, UINT64_C(1) << 63, true, { UINT64_C(1) << 63, TOP(8 * K) - 1 } },
        { "no gap in the last range", GAP, TOP(8 * K), false, { 0, 0 } },
        { "no gap at the last byte", GAP, UINT64_MAX, false, { 0, 0 } },
};

static void test_space_walks(void **state)
{
        struct space *space = space_of_pieces(4096, walked);

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(walk_cases); i++) {
                const uint64_t from = walk_cases[i].from;
                struct range range = { 0, 0 };
                bool found = false;

                switch (walk_cases[i].walk) {
                case NEXT: found = space_next(space, from, &range); break;
                case PREV: found = space_prev(space, from, &range); break;
                case GAP: found = space_next_gap(space, from, &range); break;
                }
                if (found != walk_cases[i].found || range.first != walk_cases[i].range.first ||
                    range.last != walk_cases[i].range.last)
                        fail_msg("%s: %d [%#llx, %#llx]", walk_cases[i].name, found,
                                 (unsigned long long)range.first, (unsigned long long)range.last);
        }
        space_free(space);
}

/* All there is, over and over: neither walk leaves a range out or finds one twice. */
static void test_space_walks_meet_everything(void **state)
{
        struct space *space = space_of_pieces(4096, walked);
        struct range range, gap;
        uint64_t at = 0;
        size_t n = 0;

        (void)state;
        while (space_next(space, at, &range)) {
                assert_int_equal(range.first, walked[n].first);
                assert_int_equal(range_size(range), walked[n].bytes);
                n++;
                if (!space_next_gap(space, range.first, &gap))
                        break;
                assert_int_equal(gap.first, range.last + 1);
                at = gap.last + 1;
        }
        assert_int_equal(n, 5);
        at = UINT64_MAX;
        while (space_prev(space, at, &range)) {
                n--;
                assert_int_equal(range.first, walked[n].first);
                at = range.first - 1;
                if (!range.first)
                        break;
        }
        assert_int_equal(n, 0);
        space_free(space);
}

/* In the space of the walks. */
static const struct {
        const char *name;
        struct range window;
        uint64_t bytes, longest;
        bool contained;
} window_cases[] = {
        { "a byte", { 0, 0 }, 1, 0, true },
        { "the last byte of all", { UINT64_MAX, UINT64_MAX }, 1, 0, true },
        { "a byte that is not there", { 8 * K, 8 * K }, 0, 0, false },
        { "a range", { 0, 8 * K - 1 }, 8 * K, 8 * K, true },
        { "a range and a byte", { 0, 8 * K }, 8 * K, 8 * K, false },
        { "a granule", { 4 * K, 8 * K - 1 }, 4 * K, 4 * K, true },
        { "cut at both ends", { 1, 8 * K - 2 }, 8 * K - 2, 0, true },
        { "cut at the lower end", { 1, 8 * K - 1 }, 8 * K - 1, 4 * K, true },
        { "cut at the upper end", { 0, 8 * K - 2 }, 8 * K - 1, 4 * K, true },
        { "a gap", { 8 * K, 16 * K - 1 }, 0, 0, false },
        { "over a gap", { 4 * K, 20 * K - 1 }, 8 * K, 4 * K, false },
        { "bytes on both sides of a gap", { 8 * K - 1, 16 * K }, 2, 0, false },
        { "around 4 GiB", { GiB, 5 * GiB }, 12 * K, 12 * K, false },
        { "above 4 GiB", { 4 * GiB, 5 * GiB }, 8 * K, 8 * K, false },
        { "below 4 GiB", { 0, 4 * GiB - 1 }, 16 * K, 8 * K, false },
        { "the upper half", { UINT64_C(1) << 63, UINT64_MAX }, 8 * K, 8 * K, false },
        { "part of a long one",
          { UINT64_C(1) << 50, (UINT64_C(1) << 50) + (UINT64_C(1) << 44) - 1 },
          UINT64_C(1) << 44,
          UINT64_C(1) << 44,
          true },
        { "everything", RANGE_ALL, 8 * K + 4 * K + 12 * K + (UINT64_C(1) << 45) + 8 * K,
          UINT64_C(1) << 45, false },
};

static void test_space_windows(void **state)
{
        struct space *space = space_of_pieces(4096, walked);

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(window_cases); i++) {
                const struct range window = window_cases[i].window;

                if (space_bytes_in(space, window) != window_cases[i].bytes ||
                    space_longest(space, window) != window_cases[i].longest ||
                    space_contains(space, window) != window_cases[i].contained)
                        fail_msg("%s: %#llx bytes, %#llx in one piece, contained: %d",
                                 window_cases[i].name,
                                 (unsigned long long)space_bytes_in(space, window),
                                 (unsigned long long)space_longest(space, window),
                                 space_contains(space, window));
        }
        space_free(space);
}

static void test_space_empty(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(granules); i++) {
                struct space *space;
                struct range range;

                assert_int_equal(space_new(granules[i], &space), 0);
                space_check(space);
                assert_int_equal(space_granule(space), granules[i]);
                assert_int_equal(space_bytes(space), 0);
                assert_int_equal(space_bytes_in(space, RANGE_ALL), 0);
                assert_int_equal(space_longest(space, RANGE_ALL), 0);
                assert_false(space_contains(space, (struct range){ 0, 0 }));
                assert_false(space_next(space, 0, &range));
                assert_false(space_prev(space, UINT64_MAX, &range));
                assert_false(space_find(space, RANGE_ALL, 1, 1, SPACE_LOWEST, &range));
                assert_int_equal(space_clear(space, RANGE_ALL), 0);
                assert_true(space_next_gap(space, 0, &range));
                assert_true(range.first == 0 && range.last == UINT64_MAX);
                assert_true(space_next_gap(space, UINT64_MAX, &range));
                assert_true(range.first == UINT64_MAX && range.last == UINT64_MAX);
                space_free(space);
        }
        space_free(NULL);
}

/* All but one granule is the most that a space can have: the first, the last, and one between. */
static void test_space_almost_everything(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(granules); i++) {
                const uint64_t granule = granules[i];
                const uint64_t missing[] = { 0, TOP(granule), UINT64_C(1) << 63 };

                for (size_t m = 0; m < ARRAY_SIZE(missing); m++) {
                        const struct range hole = range_of(missing[m], granule);
                        struct space *space;
                        struct range gap;

                        assert_int_equal(space_new(granule, &space), 0);
                        if (hole.first)
                                assert_int_equal(
                                        space_add(space, (struct range){ 0, hole.first - 1 }), 0);
                        if (hole.last < UINT64_MAX)
                                assert_int_equal(space_add(space, (struct range){ hole.last + 1,
                                                                                  UINT64_MAX }),
                                                 0);
                        space_check(space);
                        assert_int_equal(space_bytes(space), 0 - granule);
                        assert_true(space_next_gap(space, 0, &gap));
                        assert_memory_equal(&gap, &hole, sizeof(gap));
                        assert_int_equal(space_longest(space, RANGE_ALL),
                                         m == 2 ? UINT64_C(1) << 63 : 0 - granule);
                        space_free(space);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_space_is_what_was_added),
                cmocka_unit_test(test_space_walks),
                cmocka_unit_test(test_space_walks_meet_everything),
                cmocka_unit_test(test_space_windows),
                cmocka_unit_test(test_space_empty),
                cmocka_unit_test(test_space_almost_everything),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
