/* SPDX-License-Identifier: MIT */
#include "constraint.h"
#include "macros.h"
#include "result.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define NEVER   PAR_REFUSED_NEVER_FITS
#define INVALID PAR_REFUSED_INVALID
#define ALL                   \
        {                     \
                0, UINT64_MAX \
        }
#define ANY SEGMENTS_ANY

/* window, size, align, boundary, max_segment_bytes, max_segments */
static const struct {
        const char *name;
        struct constraint want;
        int result;
        enum limit limit;
} cases[] = {
        { "accepts a request without limits", { ALL, 1, 1, 0, 0, 1 }, 0, 0 },
        { "accepts the largest size there is", { ALL, UINT64_MAX, 1, 0, 0, 1 }, 0, 0 },
        { "accepts a size that fills the window", { { 4096, 8191 }, 4096, 4096, 0, 0, 1 }, 0, 0 },
        { "accepts a size equal to the boundary", { ALL, MiB, 1, MiB, 0, 1 }, 0, 0 },
        { "accepts segments that just add up", { ALL, MiB, 1, 64 * KiB, 0, 16 }, 0, 0 },
        { "accepts any number of segments", { ALL, GiB, 4 * KiB, 64 * KiB, 8 * KiB, ANY }, 0, 0 },
        { "accepts a boundary below the alignment if one segment does",
          { ALL, 512, 4 * KiB, KiB, 0, 4 },
          0,
          0 },
        { "accepts a longest segment below the alignment if one segment does",
          { ALL, KiB, MiB, 0, KiB, 1 },
          0,
          0 },

        { "refuses size 0", { ALL, 0, 1, 0, 0, 1 }, INVALID, LIMIT_SIZE },
        { "refuses a window upside down", { { 2, 1 }, 1, 1, 0, 0, 1 }, INVALID, LIMIT_ADDR_MIN },
        { "refuses alignment 0", { ALL, 1, 0, 0, 0, 1 }, INVALID, LIMIT_ALIGN },
        { "refuses alignment 3", { ALL, 1, 3, 0, 0, 1 }, INVALID, LIMIT_ALIGN },
        { "refuses boundary 12288", { ALL, 1, 1, 12288, 0, 1 }, INVALID, LIMIT_BOUNDARY },
        { "refuses no segment", { ALL, 1, 1, 0, 0, 0 }, INVALID, LIMIT_MAX_SEGMENTS },
        { "looks at all values before any contradiction",
          { { 0, 1 }, 4, 1, 0, 0, 0 },
          INVALID,
          LIMIT_MAX_SEGMENTS },

        { "refuses more than the window",
          { { 0, 4095 }, 4097, 1, 0, 0, 1 },
          NEVER,
          LIMIT_ADDR_MAX },
        { "blames the end that limits the window",
          { { UINT64_MAX - 4095, UINT64_MAX }, 4097, 1, 0, 0, 1 },
          NEVER,
          LIMIT_ADDR_MIN },
        { "refuses a window without an aligned address",
          { { MiB + 1, 2 * MiB - 1 }, 1, MiB, 0, 0, 4 },
          NEVER,
          LIMIT_ALIGN },
        { "refuses when aligning up would wrap",
          { { UINT64_MAX - 4094, UINT64_MAX }, 1, 4096, 0, 0, 1 },
          NEVER,
          LIMIT_ALIGN },
        { "refuses one piece that does not fit behind the aligned address",
          { { 1, 8191 }, 4097, 4096, 0, 0, 1 },
          NEVER,
          LIMIT_ALIGN },
        { "refuses a boundary below a contiguous size",
          { ALL, 64 * KiB + 1, 1, 64 * KiB, 0, 1 },
          NEVER,
          LIMIT_BOUNDARY },
        { "refuses a boundary that so many segments do not make up for",
          { ALL, MiB + 1, 1, 64 * KiB, 0, 16 },
          NEVER,
          LIMIT_BOUNDARY },
        { "refuses cuts at a boundary that are not aligned",
          { ALL, 8 * KiB, 4 * KiB, KiB, 0, ANY },
          NEVER,
          LIMIT_BOUNDARY },
        { "refuses segments that are too short",
          { ALL, 2 * MiB, 1, 0, 64 * KiB, 31 },
          NEVER,
          LIMIT_MAX_SEGMENT_BYTES },
        { "counts segments as they are cut, in multiples of the alignment",
          { ALL, 12 * KiB, 4 * KiB, 0, 6 * KiB, 2 },
          NEVER,
          LIMIT_MAX_SEGMENT_BYTES },
        { "refuses cuts after the longest segment that are not aligned",
          { ALL, 8 * KiB, 4 * KiB, 0, KiB, ANY },
          NEVER,
          LIMIT_MAX_SEGMENT_BYTES },
};

static void test_constraint_check(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                enum limit limit = LIMIT_NONE;
                const int r = constraint_check(&cases[i].want, &limit);

                if (r != cases[i].result || limit != cases[i].limit)
                        fail_msg("%s: result %d, limit %d", cases[i].name, r, (int)limit);
        }
}

static void test_constraint_limit_names(void **state)
{
        (void)state;
        assert_null(limit_name(LIMIT_NONE));
        assert_null(limit_name(LIMIT_COUNT));
        for (int a = LIMIT_NONE + 1; a < LIMIT_COUNT; a++) {
                assert_non_null(limit_name((enum limit)a));
                for (int b = LIMIT_NONE + 1; b < a; b++)
                        assert_string_not_equal(limit_name((enum limit)a),
                                                limit_name((enum limit)b));
        }
        assert_string_equal(limit_name(LIMIT_ADDR_MAX), "addr_max");
        assert_string_equal(limit_name(LIMIT_MAX_SEGMENT_BYTES), "max_segment_bytes");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_constraint_check),
                cmocka_unit_test(test_constraint_limit_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
