/* SPDX-License-Identifier: MIT */
/*
 * Scatter lists of segments.
 */
#include "heap.h"
#include "macros.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sg_lists.h"

/* ---- joining and cutting -------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct par_constraint limits;
        struct par_segment pieces[PIECES_MAX], expected[PIECES_MAX];
} cuts[] = {
        { "nothing", { .flags = 0 }, { { 0 } }, { { 0 } } },
        { "neighbours are one, a gap stays",
          { .flags = 0 },
          { P(0x1000, NONE, 0x1000), P(0x2000, NONE, 5), P(0x2006, NONE, 1) },
          { P(0x1000, NONE, 0x1005), P(0x2006, NONE, 1) } },
        { "what comes before is no neighbour",
          { .flags = 0 },
          { P(0x2000, NONE, 0x1000), P(0x1000, NONE, 0x1000) },
          { P(0x2000, NONE, 0x1000), P(0x1000, NONE, 0x1000) } },
        { "the same memory twice",
          { .flags = 0 },
          { P(0x2000, NONE, 0x1000), P(0x2000, NONE, 0x1000) },
          { P(0x2000, NONE, 0x1000), P(0x2000, NONE, 0x1000) } },
        { "not across the boundary",
          { .boundary = 64 * KiB },
          { P(0xf000, NONE, 0x1000), P(0x10000, NONE, 0x1000) },
          { P(0xf000, NONE, 0x1000), P(0x10000, NONE, 0x1000) } },
        { "cut at the boundary, and joined behind it",
          { .boundary = 64 * KiB },
          { P(0xf000, NONE, 0x1800), P(0x10800, NONE, 0x800) },
          { P(0xf000, NONE, 0x1000), P(0x10000, NONE, 0x1000) } },
        { "filled up to the longest segment",
          { .max_segment_bytes = 0x1800 },
          { P(0x1000, NONE, 0x1000), P(0x2000, NONE, 0x1000), P(0x3000, NONE, 0x1000) },
          { P(0x1000, NONE, 0x1800), P(0x2800, NONE, 0x1800) } },
        { "cut at the multiple of the alignment below",
          { .align = 0x1000, .max_segment_bytes = 0x2fff },
          { P(0x1000, NONE, 0x4000) },
          { P(0x1000, NONE, 0x2000), P(0x3000, NONE, 0x2000) } },
        { "an unaligned piece that adjoins is part of a segment",
          { .align = 0x1000 },
          { P(0x1000, NONE, 0x200), P(0x1200, NONE, 0x200) },
          { P(0x1000, NONE, 0x400) } },
        { "shorter than the alignment",
          { .align = 0x1000, .max_segment_bytes = 0x200 },
          { P(0x1000, NONE, 0x200), P(0x2000, NONE, 0x200) },
          { P(0x1000, NONE, 0x200), P(0x2000, NONE, 0x200) } },
        { "one place of memory",
          { .flags = 0 },
          { P(0x1000, 0x81000, 0x1000), P(0x2000, 0x82000, 0x1000) },
          { P(0x1000, 0x81000, 0x2000) } },
        { "one for the device, two places of memory",
          { .flags = 0 },
          { P(0x1000, 0x81000, 0x1000), P(0x2000, 0x92000, 0x1000) },
          { P(0x1000, NONE, 0x2000) } },
        { "the same, cut where the memory breaks",
          { .boundary = 0x2000 },
          { P(0x1000, 0x81000, 0x1000), P(0x2000, 0x92000, 0x1000) },
          { P(0x1000, 0x81000, 0x1000), P(0x2000, 0x92000, 0x1000) } },
        { "a piece that is cut lies in memory as it does",
          { .boundary = 0x2000 },
          { P(0x1000, 0x81000, 0x3000) },
          { P(0x1000, 0x81000, 0x1000), P(0x2000, 0x82000, 0x2000) } },
        { "memory that is known joins none that is not",
          { .flags = 0 },
          { P(0x1000, 0x81000, 0x1000), P(0x2000, NONE, 0x1000) },
          { P(0x1000, NONE, 0x2000) } },
        { "nothing comes after the last address",
          { .flags = 0 },
          { P(TOP, TOP, 4096), P(0, 0, 4096) },
          { P(TOP, TOP, 4096), P(0, 0, 4096) } },
        { "up to the last address, in two pieces",
          { .boundary = 0x2000 },
          { P(TOP - 0x1000, NONE, 0x1000), P(TOP, NONE, 4096) },
          { P(TOP - 0x1000, NONE, 0x2000) } },
        { "all addresses but one",
          { .boundary = UINT64_C(1) << 63 },
          { P(0, 0, 1), P(1, 1, UINT64_MAX - 1) },
          { P(0, 0, UINT64_C(1) << 63), P(UINT64_C(1) << 63, UINT64_C(1) << 63, INT64_MAX) } },
        { "as many as there may be",
          { .max_segments = 2, .max_segment_bytes = 16 },
          { P(0x1000, NONE, 32) },
          { P(0x1000, NONE, 16), P(0x1010, NONE, 16) } },
};

static void test_sg_joins_and_cuts(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
                struct par_sg *list = list_of(NULL, &cuts[i].limits, NULL);
                const size_t n = count_of(cuts[i].pieces);

                assert_int_equal(par_sg_add_segments(list, cuts[i].pieces, n), 0);
                check_segments(cuts[i].name, list, cuts[i].expected);

                /* One after the other is the same, also in a list that had something. */
                par_sg_clear(list);
                assert_int_equal(par_sg_segments(list, NULL), 0);
                for (size_t k = 0; k < n; k++)
                        assert_int_equal(par_sg_add_segments(list, &cuts[i].pieces[k], 1), 0);
                check_segments(cuts[i].name, list, cuts[i].expected);
                par_sg_destroy(list);
        }
}

/* ---- refusals ------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct par_constraint limits;
        struct par_segment pieces[PIECES_MAX];
        int result;
        uint64_t wanted;
        const char *limit, *words;
} refusals[] = {
        { "too many places",
          { .max_segments = 2 },
          { P(0x1000, NONE, 16), P(0x2000, NONE, 16), P(0x3000, NONE, 16), P(0x3010, NONE, 1) },
          -PAR_FRAGMENTED,
          3,
          "max_segments",
          "49 bytes take 3 segments where they lie: max_segments of the request is 2" },
        { "too many anywhere",
          { .max_segments = 2, .max_segment_bytes = 16 },
          { P(0x1000, NONE, 16), P(0x2000, NONE, 32), P(0x3000, NONE, 8) },
          -PAR_NEVER_FITS,
          4,
          "max_segments",
          "56 bytes take 4 segments where they lie, and at least 4 anywhere else" },
        { "far too many, which are not made",
          { .max_segments = 1000, .max_segment_bytes = 1 },
          { P(0, NONE, UINT64_MAX / 2), P(UINT64_MAX / 2, NONE, UINT64_MAX / 2) },
          -PAR_NEVER_FITS,
          UINT64_MAX - 1,
          "max_segments",
          "18446744073709551614 segments" },
        { "joined behind too many",
          { .max_segments = 1, .boundary = 64, .max_segment_bytes = 48 },
          { P(32, NONE, 113), P(145, NONE, 15), P(160, NONE, 8) },
          -PAR_NEVER_FITS,
          4,
          "max_segments",
          "136 bytes take 4 segments" },
        { "above the window",
          { .addr_max = 0x1fff },
          { P(0x1000, NONE, 0x1000), P(0x2000, NONE, 1) },
          -PAR_NEVER_FITS,
          0,
          "addr_max",
          "memory at 0x2000 to 0x2000 is above addr_max 0x1fff of the request" },
        { "below the window",
          { .addr_min = 0x1000 },
          { P(0xfff, NONE, 2) },
          -PAR_NEVER_FITS,
          0,
          "addr_min",
          "memory at 0xfff to 0x1000 is below addr_min 0x1000 of the request" },
        { "begins where it may not",
          { .align = 0x1000 },
          { P(0x1000, NONE, 0x200), P(0x1400, NONE, 0x200) },
          -PAR_NEVER_FITS,
          0,
          "align",
          "begin at 0x1400: no multiple of align 4096 of the request" },
        { "would be cut where none may begin",
          { .align = 0x1000, .max_segment_bytes = 0x200 },
          { P(0x1000, NONE, 0x201) },
          -PAR_NEVER_FITS,
          0,
          "max_segment_bytes",
          "begin at 0x1200, where max_segment_bytes 512 of the request cuts: no multiple of align "
          "4096" },
        { "the same where it would be joined",
          { .align = 0x1000, .boundary = 0x200 },
          { P(0x1000, NONE, 0x200), P(0x1200, NONE, 1) },
          -PAR_NEVER_FITS,
          0,
          "boundary",
          "where boundary 512 of the request cuts" },
        { "no bytes", { 0 }, { P(0x1000, NONE, 0) }, -EINVAL, 0, NULL, "no bytes" },
        { "no address", { 0 }, { P(NONE, 0x1000, 1) }, -PAR_DENIED, 0, "", "no address" },
        { "beyond the last address", { 0 }, { P(TOP, 0, 4097) }, -EINVAL, 0, NULL, "beyond" },
        { "all addresses there are",
          { 0 },
          { P(0, NONE, UINT64_MAX), P(0, NONE, 1) },
          -EINVAL,
          0,
          NULL,
          "more than 2^64 - 1 bytes" },
};

static void test_sg_refuses_and_stays_as_it_was(void **state)
{
        const struct par_segment before[PIECES_MAX] = { P(0x1000, NONE, 1) };
        struct par_refusal_info info;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                struct par_sg *list = list_of(NULL, &refusals[i].limits, NULL);
                const size_t n = count_of(refusals[i].pieces);
                const int r = par_sg_add_segments(list, refusals[i].pieces, n ? n : 1);

                if (r != refusals[i].result || !strstr(par_error(NULL), refusals[i].words) ||
                    par_sg_wanted(list) != refusals[i].wanted)
                        fail_msg("%s: %d, %llu segments, %s", refusals[i].name, r,
                                 (unsigned long long)par_sg_wanted(list), par_error(NULL));
                assert_int_equal(par_last_refusal(NULL, &info), refusals[i].limit ? 0 : -ENOENT);
                if (refusals[i].limit) {
                        assert_string_equal(info.limit, refusals[i].limit);
                        assert_int_equal(info.permanent, par_is_permanent(r));
                }
                assert_int_equal(par_sg_segments(list, NULL), 0);
                assert_int_equal(par_sg_bytes(list), 0);
                par_sg_clear(list);
                assert_int_equal(par_sg_wanted(list), 0);
                if (refusals[i].limits.addr_min <= 0x1000 &&
                    !par_sg_add_segments(list, before, 1)) {
                        assert_true(par_sg_add_segments(list, refusals[i].pieces, n ? n : 1) < 0);
                        check_segments(refusals[i].name, list, before);
                }
                par_sg_destroy(list);
        }
}

static const struct {
        const char *name;
        struct par_constraint limits;
        struct par_sg_options options;
        int result;
        const char *words;
} bad_limits[] = {
        { "align", { .align = 3 }, { .flags = 0 }, -PAR_INVALID, "align of the request" },
        { "boundary", { .boundary = 3 }, { .flags = 0 }, -PAR_INVALID, "boundary of the request" },
        { "window", { .addr_min = 2, .addr_max = 1 }, { .flags = 0 }, -PAR_INVALID, "addr_min" },
        { "no aligned address",
          { .addr_min = 1, .addr_max = 0xfff, .align = 0x1000 },
          { .flags = 0 },
          -PAR_NEVER_FITS,
          "align" },
        { "flags", { .flags = 1 }, { .flags = 0 }, -EINVAL, "constraint" },
        { "reserved", { .reserved = { [4] = 1 } }, { .flags = 0 }, -EINVAL, "constraint" },
        { "options' flags", { .flags = 0 }, { .flags = 1 }, -EINVAL, "options" },
        { "options' reserved", { .flags = 0 }, { .reserved = { [5] = 1 } }, -EINVAL, "options" },
};

static void test_sg_takes_limits_that_mean_something(void **state)
{
        struct setup setup;
        struct par_sg_options options = { .device = &setup.device };
        struct par other = { .pid = getpid() };
        struct par_sg *list;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad_limits); i++) {
                list = (void *)1;
                assert_int_equal(
                        par_sg_create(NULL, &bad_limits[i].limits, &bad_limits[i].options, &list),
                        bad_limits[i].result);
                if (list || !strstr(par_error(NULL), bad_limits[i].words))
                        fail_msg("%s: %s", bad_limits[i].name, par_error(NULL));
        }
        begin(&setup);
        fork_mark_init(&other.mark);
        assert_int_equal(par_sg_create(NULL, NULL, &options, &list), -EINVAL);
        assert_int_equal(par_sg_create(&other, NULL, &options, &list), -EINVAL);
        assert_int_equal(par_sg_create(NULL, NULL, NULL, NULL), -EINVAL);
        setup.device.limits.addr_min = setup.device.limits.addr_max + 1;
        assert_int_equal(par_sg_create(&setup.par, NULL, &options, &list), -PAR_INVALID);
        assert_non_null(strstr(par_error(NULL), "addr_min of device capture0"));
        fork_mark_deinit(&other.mark);
        end(&setup);
}

static void test_sg_does_with_nothing(void **state)
{
        struct par_segment piece = { .length = 1 };
        struct par_sg_part part = { .length = 1 };
        const struct par_segment *segments = &piece;
        struct par_sg *list = list_of(NULL, NULL, NULL);
        uint64_t dma = 1;
        size_t count = 1;

        (void)state;
        assert_int_equal(par_sg_add(list, NULL, 0), 0);
        assert_int_equal(par_sg_add(list, NULL, 1), -EINVAL);
        assert_int_equal(par_sg_add_segments(list, NULL, 1), -EINVAL);
        assert_int_equal(par_sg_add(NULL, &part, 1), -EINVAL);
        assert_int_equal(par_sg_add_segments(NULL, &piece, 1), -EINVAL);
        assert_int_equal(par_sg_segments(list, &segments), 0);
        assert_null(segments);
        assert_int_equal(par_sg_segments(NULL, &segments), 0);
        assert_int_equal(par_sg_bytes(NULL), 0);
        assert_int_equal(par_sg_wanted(NULL), 0);
        assert_int_equal(par_sg_address(list, 0, &dma, NULL), -ERANGE);
        assert_int_equal(dma, 0);
        assert_int_equal(par_sg_address(NULL, 0, &dma, NULL), -EINVAL);
        assert_int_equal(par_sg_address(list, 0, NULL, NULL), -EINVAL);
        assert_int_equal(par_sg_pages(list, 4096, NULL, 0, &count), 0);
        assert_int_equal(count, 0);
        assert_int_equal(par_sg_pages(list, 4096, NULL, 1, &count), -EINVAL);
        assert_int_equal(par_sg_pages(list, 4096, &dma, 1, NULL), -EINVAL);
        assert_int_equal(par_sg_pages(list, 0, &dma, 1, &count), -EINVAL);
        assert_int_equal(par_sg_pages(list, 4097, &dma, 1, &count), -EINVAL);
        assert_int_equal(par_sg_pages(NULL, 4096, &dma, 1, &count), -EINVAL);
        par_sg_clear(NULL);
        par_sg_destroy(NULL);
        par_sg_destroy(list);
}

static void test_sg_without_memory_stays_as_it_was(void **state)
{
        const struct par_constraint limits = { .max_segment_bytes = 1 };
        const struct par_segment first[PIECES_MAX] = { P(7, NONE, 1) };
        const struct par_segment many = P(8, NONE, 1000);
        const struct par_segment huge = P(8, NONE, UINT64_MAX - 8);
        struct par_sg *list;

        (void)state;
        heap_fail(1, ULONG_MAX);
        assert_int_equal(par_sg_create(NULL, &limits, NULL, &list), -ENOMEM);
        assert_true(heap_mend());
        list = list_of(NULL, &limits, NULL);
        assert_int_equal(par_sg_add_segments(list, first, 1), 0);
        heap_fail(1, ULONG_MAX);
        assert_int_equal(par_sg_add_segments(list, &many, 1), -ENOMEM);
        assert_true(heap_mend());
        check_segments("no memory", list, first);
        assert_int_equal(par_sg_add_segments(list, &huge, 1), -ENOMEM);
        check_segments("no such memory", list, first);
        assert_int_equal(par_sg_add_segments(list, &many, 1), 0);
        assert_int_equal(par_sg_segments(list, NULL), 1001);

        /* A list that was as long before takes none. */
        par_sg_clear(list);
        heap_fail(1, ULONG_MAX);
        assert_int_equal(par_sg_add_segments(list, &many, 1), 0);
        assert_false(heap_mend());
        par_sg_destroy(list);
}

/* ---- what is read --------------------------------------------------------------------------- */

static void test_sg_tells_addresses(void **state)
{
        static const struct par_segment pieces[] = { P(0x1000, NONE, 0x100), P(0x3000, NONE, 0x200),
                                                     P(TOP, NONE, 4096) };
        struct par_sg *list = list_of(NULL, NULL, NULL);
        uint64_t dma, contiguous, offset = 0;

        (void)state;
        assert_int_equal(par_sg_add_segments(list, pieces, ARRAY_SIZE(pieces)), 0);
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
                for (uint64_t at = 0; at < pieces[i].length; at++, offset++) {
                        assert_int_equal(par_sg_address(list, offset, &dma, &contiguous), 0);
                        assert_true(dma == pieces[i].dma + at);
                        assert_int_equal(contiguous, pieces[i].length - at);
                }
        }
        assert_int_equal(par_sg_address(list, offset, &dma, &contiguous), -ERANGE);
        assert_int_equal(par_sg_address(list, UINT64_MAX, &dma, NULL), -ERANGE);
        par_sg_destroy(list);
}

static const struct {
        const char *name;
        struct par_constraint limits;
        struct par_segment pieces[PIECES_MAX];
        int result;
        size_t count;
        uint64_t dma[PIECES_MAX];
} pages[] = {
        { "begins in a page and ends in one",
          { .flags = 0 },
          { P(0x1200, NONE, 0x1e00), P(0x8000, NONE, 0x1001) },
          0,
          4,
          { 0x1200, 0x2000, 0x8000, 0x9000 } },
        { "a few bytes", { .flags = 0 }, { P(0x1fff, NONE, 1) }, 0, 1, { 0x1fff } },
        { "the last page of all",
          { .flags = 0 },
          { P(TOP - 1, NONE, 4097) },
          0,
          2,
          { TOP - 1, TOP } },
        { "a gap at the end of one",
          { .flags = 0 },
          { P(0x1000, NONE, 0xfff), P(0x8000, NONE, 0x1000) },
          -ERANGE,
          0,
          { 0 } },
        { "a gap at the beginning of one",
          { .flags = 0 },
          { P(0x1000, NONE, 0x1000), P(0x8200, NONE, 0x1000) },
          -ERANGE,
          0,
          { 0 } },
        { "up to the last byte, and on at the first",
          { .flags = 0 },
          { P(TOP, NONE, 4096), P(0, NONE, 1) },
          0,
          2,
          { TOP, 0 } },
        { "cut in the middle of a page, and at its end",
          { .max_segment_bytes = 0x1800 },
          { P(0x1200, NONE, 0x3000), P(0x4200, NONE, 0xe00) },
          0,
          4,
          { 0x1200, 0x2000, 0x3000, 0x4000 } },
        { "cut into bytes, up to the last one",
          { .max_segment_bytes = 1 },
          { P(TOP - 2, NONE, 100) },
          0,
          2,
          { TOP - 2, TOP } },
};

static void test_sg_tells_pages(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
                uint64_t dma[PIECES_MAX], part[PIECES_MAX] = { 0 };
                struct par_sg *list = list_of(NULL, &pages[i].limits, NULL);
                size_t count = 99;
                int r;

                r = par_sg_add_segments(list, pages[i].pieces, count_of(pages[i].pieces));
                assert_int_equal(r, 0);
                r = par_sg_pages(list, 4096, dma, PIECES_MAX, &count);
                if (r != pages[i].result || count != pages[i].count ||
                    memcmp(dma, pages[i].dma, count * sizeof(*dma)) != 0)
                        fail_msg("%s: %d, %zu pages", pages[i].name, r, count);
                /* As far as there is room. */
                assert_int_equal(par_sg_pages(list, 4096, part, 1, &count), r);
                assert_int_equal(count, pages[i].count);
                assert_true(part[0] == pages[i].dma[0] && part[1] == 0);
                par_sg_destroy(list);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sg_joins_and_cuts),
                cmocka_unit_test(test_sg_refuses_and_stays_as_it_was),
                cmocka_unit_test(test_sg_takes_limits_that_mean_something),
                cmocka_unit_test(test_sg_does_with_nothing),
                cmocka_unit_test(test_sg_without_memory_stays_as_it_was),
                cmocka_unit_test(test_sg_tells_addresses),
                cmocka_unit_test(test_sg_tells_pages),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
