/* SPDX-License-Identifier: MIT */
#include "macros.h"
#include "segment.h"

#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

/* align, boundary, max_segment_bytes; then the piece, its first segment and how many there are */
static const struct {
        const char *name;
        uint64_t align, boundary, longest;
        uint64_t first, bytes;
        uint64_t first_segment, count;
} cases[] = {
        { "nothing cuts", 1, 0, 0, 12345, 10 * GiB, 10 * GiB, 1 },
        { "ends at the boundary", 1, 64 * KiB, 0, 0, 64 * KiB, 64 * KiB, 1 },
        { "one byte over the boundary", 1, 64 * KiB, 0, 0, 64 * KiB + 1, 64 * KiB, 2 },
        { "short until the first boundary", 1, 64 * KiB, 0, 60 * KiB, 64 * KiB, 4 * KiB, 2 },
        { "head, two blocks and a tail", 1, 4 * KiB, 0, 4095, 2 + 8 * KiB, 1, 4 },
        { "cut at the longest segment", 1, 0, 1000, 7, 3000, 1000, 3 },
        { "the rest is a segment", 1, 0, 1000, 7, 3001, 1000, 4 },
        { "cut at the multiple of the alignment below", 4 * KiB, 0, 6 * KiB, 0, 12 * KiB, 4 * KiB,
          3 },
        { "not cut where nothing follows", 4 * KiB, 0, KiB, 0, KiB, KiB, 1 },
        { "counting starts anew at each boundary", 1, 64 * KiB, 48 * KiB, 0, 128 * KiB, 48 * KiB,
          4 },
        { "a start inside the block can be better", 1, 64 * KiB, 48 * KiB, 16 * KiB, 96 * KiB,
          48 * KiB, 2 },
        { "longest above the boundary", 1, 64 * KiB, GiB, 0, 128 * KiB, 64 * KiB, 2 },
        { "to the last address", 1, 4 * KiB, 0, UINT64_MAX - 4095, 4 * KiB, 4 * KiB, 1 },
        { "all but one byte, byte by byte", 1, 0, 1, 1, UINT64_MAX, 1, UINT64_MAX },
        { "the largest boundary", 1, UINT64_C(1) << 63, 0, 1, UINT64_MAX, (UINT64_C(1) << 63) - 1,
          2 },
};

static struct constraint want_of(size_t i)
{
        return (struct constraint){
                .window = RANGE_ALL,
                .size_bytes = cases[i].bytes,
                .align_bytes = cases[i].align,
                .boundary_bytes = cases[i].boundary,
                .max_segment_bytes = cases[i].longest,
                .max_segments = SEGMENTS_ANY,
        };
}

static void test_segment_cases(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct constraint want = want_of(i);
                const uint64_t length = segment_length(&want, cases[i].first, cases[i].bytes);
                const uint64_t count =
                        segment_count(&want, range_of(cases[i].first, cases[i].bytes));

                if (length != cases[i].first_segment || count != cases[i].count)
                        fail_msg("%s: first %llu bytes, %llu segments", cases[i].name,
                                 (unsigned long long)length, (unsigned long long)count);
        }
}

/* segment_count() says how often segment_length() goes on. */
static void test_segment_count_is_the_walk(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct constraint want = want_of(i);
                uint64_t first = cases[i].first, left = cases[i].bytes, n = 0;

                if (cases[i].count > 1000)
                        continue;
                while (left) {
                        const uint64_t length = segment_length(&want, first, left);

                        assert_true(length > 0 && length <= left);
                        assert_true(length <= segment_bytes_max(&want));
                        first += length;
                        left -= length;
                        n++;
                }
                if (n != cases[i].count)
                        fail_msg("%s: walked over %llu", cases[i].name, (unsigned long long)n);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_segment_cases),
                cmocka_unit_test(test_segment_count_is_the_walk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
