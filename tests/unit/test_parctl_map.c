/* SPDX-License-Identifier: MIT */
/*
 * parctl's map: which extents belong together, how rows are cut, what a block shows, and how the
 * picture looks where there are letters alone.
 */
#include "macros.h"
#include "map_svg.h"
#include "map_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct piece {
        uint64_t first_mib, mib;
        const char *state;
        bool draining;
        const char *pool;
};

#define PIECES_MAX 8

#define P(first_mib, mib, state)                  \
        {                                         \
                first_mib, mib, state, false, "p" \
        }
#define D(first_mib, mib, state)                 \
        {                                        \
                first_mib, mib, state, true, "p" \
        }

static void make(struct map *map, const struct piece *pieces)
{
        *map = (struct map){ 0 };
        for (size_t i = 0; i < PIECES_MAX && pieces[i].mib; i++) {
                const struct map_extent extent = {
                        .first = pieces[i].first_mib * MiB,
                        .last = (pieces[i].first_mib + pieces[i].mib) * MiB - 1,
                        .page_bytes = 2 * MiB,
                        .free_bytes =
                                strcmp(pieces[i].state, "free") == 0 ? pieces[i].mib * MiB : 0,
                        .state = map_state_of(pieces[i].state),
                        .draining = pieces[i].draining,
                };

                assert_int_equal(map_add(map, &extent, pieces[i].pool, 0, UINT64_MAX), 0);
        }
        map_sort(map);
}

static void test_map_sort(void **state)
{
        const struct piece pieces[PIECES_MAX] = {
                P(8, 2, "granted"),           P(2, 2, "free"),     P(4, 2, "free"), D(6, 2, "free"),
                { 0, 2, "free", false, "q" }, P(12, 2, "granted"),
        };
        static const uint64_t firsts_mib[] = { 0, 2, 6, 8, 12 };
        struct map map;

        (void)state;
        make(&map, pieces);
        assert_int_equal(map.n_extents, ARRAY_SIZE(firsts_mib));
        for (size_t i = 0; i < map.n_extents; i++)
                assert_int_equal(map.extents[i].first, firsts_mib[i] * MiB);
        assert_int_equal(map.extents[1].last, 6 * MiB - 1);
        assert_int_equal(map.extents[1].free_bytes, 4 * MiB);
        map_deinit(&map);
}

static void test_map_window(void **state)
{
        const struct map_extent extent = {
                .first = 4 * MiB,
                .last = 12 * MiB - 1,
                .free_bytes = 4 * MiB,
        };
        struct map map = { 0 };

        (void)state;
        assert_int_equal(map_add(&map, &extent, "p", 0, 4 * MiB - 1), 0);
        assert_int_equal(map_add(&map, &extent, "p", 12 * MiB, UINT64_MAX), 0);
        assert_int_equal(map.n_extents, 0);
        assert_int_equal(map_add(&map, &extent, "p", 6 * MiB, 10 * MiB - 1), 0);
        assert_int_equal(map.n_extents, 1);
        assert_int_equal(map.extents[0].first, 6 * MiB);
        assert_int_equal(map.extents[0].last, 10 * MiB - 1);
        assert_int_equal(map.extents[0].free_bytes, 2 * MiB);
        map_deinit(&map);
}

/* One row of four blocks of 8 MiB. */
static void test_map_blocks(void **state)
{
        static const struct {
                const char *name;
                struct piece pieces[PIECES_MAX];
                const char *blocks;
        } cases[] = {
                { "one state each",
                  { P(0, 8, "free"), P(8, 8, "granted"), P(16, 8, "reusable") },
                  ".#+ " },
                { "a part of a block is enough", { P(6, 4, "granted") }, "##  " },
                { "what there is most of",
                  { P(0, 4, "free"), P(4, 2, "granted"), P(6, 2, "reusable") },
                  ".   " },
                { "of as much, what is granted", { P(0, 4, "free"), P(4, 4, "granted") }, "#   " },
                { "trouble is never outnumbered",
                  { P(0, 6, "granted"), P(6, 2, "retired"), P(8, 6, "free"), P(14, 2, "leaving") },
                  "XV  " },
                { "the worst of several",
                  { P(0, 2, "leaving"), P(2, 4, "lingering"), P(6, 2, "quarantined"),
                    P(8, 6, "quarantined"), P(14, 2, "retired") },
                  "QX  " },
                { "drained memory, and what is worse than that",
                  { D(0, 8, "granted"), D(8, 8, "free"), D(16, 8, "lingering") },
                  "DDL " },
                { "a state from the future", { P(8, 8, "sublimated") }, " ?  " },
                { "more than the row", { P(0, 64, "free") }, "...." },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct map_shape shape = { .block_bytes = 8 * MiB, .blocks = 4 };
                enum map_state blocks[MAP_BLOCKS_MAX];
                struct map_walk walk = { .shape = shape };
                struct map_row row;
                struct map map;

                print_message("%s\n", cases[i].name);
                make(&map, cases[i].pieces);
                walk.map = &map;
                assert_true(map_walk_next(&walk, &row));
                map_row_blocks(&map, shape, &row, blocks);
                for (unsigned k = 0; k < shape.blocks; k++)
                        assert_int_equal(map_letter(blocks[k]), cases[i].blocks[k]);
                map_deinit(&map);
        }
}

static void test_map_last_address(void **state)
{
        const struct map_extent extent = {
                .first = UINT64_MAX - 2 * MiB + 1,
                .last = UINT64_MAX,
                .state = MAP_GRANTED,
        };
        const struct map_shape shape = { .block_bytes = 3 * MiB, .blocks = 16 };
        struct map_walk walk = { .shape = shape };
        enum map_state blocks[MAP_BLOCKS_MAX];
        struct map map = { 0 };
        struct map_row row;
        unsigned granted = 0;

        (void)state;
        assert_int_equal(map_add(&map, &extent, "p", 0, UINT64_MAX), 0);
        walk.map = &map;
        assert_true(map_walk_next(&walk, &row));
        map_row_blocks(&map, shape, &row, blocks);
        for (unsigned i = 0; i < shape.blocks; i++)
                granted += blocks[i] == MAP_GRANTED;
        assert_int_equal(granted, 1);
        assert_false(map_walk_next(&walk, &row));
        map_deinit(&map);
}

/* Lines of the picture, without head and legend. */
static void test_map_fit(void **state)
{
        static const struct {
                const char *name;
                struct piece pieces[PIECES_MAX];
                size_t width, lines;
                uint64_t block_mib;
                unsigned blocks;
        } cases[] = {
                { "no smaller than a page", { P(0, 2, "free") }, 64, 10, 2, 64 },
                { "as many sixteens as have room", { P(0, 2, "free") }, 111, 10, 2, 96 },
                { "sixteen at least", { P(0, 2, "free") }, 3, 10, 2, 16 },
                { "no more than fit into a row", { P(0, 2, "free") }, 100000, 10, 2, 256 },
                { "as fine as possible", { P(0, 1280, "free") }, 64, 10, 2, 64 },
                { "half as fine", { P(0, 1282, "free") }, 64, 10, 4, 64 },
                { "far apart", { P(0, 2, "free"), P(1u << 20, 2, "free") }, 64, 3, 2, 64 },
                { "until it is one row",
                  { P(0, 2, "free"), P(1u << 20, 2, "free") },
                  64,
                  1,
                  32768,
                  64 },
                { "titles take lines",
                  { P(0, 128, "free"), { 128, 128, "free", false, "q" } },
                  64,
                  4,
                  2,
                  64 },
                { "no room for titles",
                  { P(0, 128, "free"), { 128, 128, "free", false, "q" } },
                  64,
                  3,
                  4,
                  64 },
                { "nothing at all", { P(0, 0, "") }, 64, 10, 2, 64 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct map_shape shape;
                struct map map;

                print_message("%s\n", cases[i].name);
                make(&map, cases[i].pieces);
                shape = map_fit(&map, cases[i].width, cases[i].lines);
                assert_int_equal(shape.block_bytes, cases[i].block_mib * MiB);
                assert_int_equal(shape.blocks, cases[i].blocks);
                map_deinit(&map);
        }
}

static const struct piece example[PIECES_MAX] = {
        { 256, 16, "free", false, "low" },       { 272, 8, "granted", false, "low" },
        { 384, 2, "quarantined", false, "low" }, { 4096, 64, "free", false, "any" },
        { 4160, 32, "granted", false, "any" },   { 4608, 4, "retired", false, "any" },
};

static char *draw(const struct map_style *style, const struct output *looks)
{
        struct output output = *looks;
        struct map map;
        char *text;
        size_t size;

        make(&map, example);
        output.stream = open_memstream(&text, &size);
        assert_non_null(output.stream);
        map_text(&map, style, &output);
        fclose(output.stream);
        map_deinit(&map);
        return text;
}

static void test_map_text(void **state)
{
        const struct map_style style = { .rows = 20 };
        const struct output output = { .width = 80 };
        char *text = draw(&style, &output);

        (void)state;
        assert_string_equal(
                text,
                "Physical memory that pard holds: 126M. A block is 2M, a row 128M.\n"
                "            +0              +32M            +64M            +96M\n"
                "low\n"
                "0x10000000  ........####\n"
                "0x18000000  Q\n"
                "            ... 3.6G not held ...\n"
                "any\n"
                "0x100000000 ................................################\n"
                "            ... 416M not held ...\n"
                "0x120000000 XX\n"
                ". free 80M   # granted 40M   Q quarantined 2M   X retired 4M     not held\n");
        free(text);
}

static void test_map_text_scale(void **state)
{
        const struct map_style style = { .block_bytes = 32 * MiB, .bare = true };
        const struct output output = { .width = 31 };
        char *text = draw(&style, &output);

        (void)state;
        assert_string_equal(text, "low\n"
                                  "0x0                 .   Q\n"
                                  "            ... 3.6G not held ...\n"
                                  "any\n"
                                  "0x100000000 ..#\n"
                                  "0x120000000 X\n");
        free(text);
}

/* A terminal that is narrower than an address. */
static void test_map_text_narrow(void **state)
{
        const struct map_style style = { .rows = 20, .bare = true };
        const struct output output = { .width = 5 };
        char *text = draw(&style, &output);

        (void)state;
        assert_non_null(strstr(text, "0x100000000 ................\n"));
        free(text);
}

static void test_map_text_color(void **state)
{
        const struct map_style style = { .rows = 20 };
        const struct output output = { .width = 80, .color = true, .utf8 = true };
        char *text = draw(&style, &output);

        (void)state;
        assert_non_null(strstr(text, "0x18000000  \033[33m█\033[0m\033[2m··"));
        assert_non_null(strstr(text, "\033[2m… 3.6G not held …\033[0m\n"));
        assert_null(strchr(text, '#'));
        free(text);
}

static void test_map_svg(void **state)
{
        const struct map_style style = { .rows = 20 };
        const struct piece pieces[PIECES_MAX] = {
                { 256, 16, "free", false, "a<b>&\"c\"" },
                { 512, 16, "granted", false, "other" },
        };
        struct map map;
        FILE *stream;
        char *text;
        size_t size;

        (void)state;
        make(&map, pieces);
        stream = open_memstream(&text, &size);
        assert_non_null(stream);
        assert_int_equal(map_svg(&map, &style, stream), 0);
        fclose(stream);
        map_deinit(&map);
        assert_non_null(strstr(text, "a&lt;b&gt;&amp;&quot;c&quot;"));
        assert_non_null(strstr(text, "prefers-color-scheme:dark"));
        assert_non_null(strstr(text, ">0x10000000</text>"));
        assert_non_null(strstr(text, "granted 16M"));
        /* 8 blocks of 2 MiB in one piece. */
        assert_non_null(strstr(text, "h88v"));
        assert_true(size < 8192);
        free(text);

        /* A full device is noticed. */
        stream = fopen("/dev/full", "w");
        assert_non_null(stream);
        make(&map, pieces);
        assert_int_not_equal(map_svg(&map, &style, stream), 0);
        fclose(stream);
        map_deinit(&map);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_map_sort),        cmocka_unit_test(test_map_window),
                cmocka_unit_test(test_map_blocks),      cmocka_unit_test(test_map_last_address),
                cmocka_unit_test(test_map_fit),         cmocka_unit_test(test_map_text),
                cmocka_unit_test(test_map_text_scale),  cmocka_unit_test(test_map_text_color),
                cmocka_unit_test(test_map_text_narrow), cmocka_unit_test(test_map_svg),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
