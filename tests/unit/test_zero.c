/* SPDX-License-Identifier: MIT */
/*
 * Every byte of what is asked for is zero afterwards, and none beside it, whatever the alignment.
 */
#include "zero.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define LINE   64u
#define FILLED 0xa5

/* Whether all of these bytes are @value. */
static bool all_are(const unsigned char *at, size_t bytes, int value)
{
        return !bytes || (at[0] == value && !memcmp(at, at + 1, bytes - 1));
}

static void check(void (*zero)(void *at, size_t bytes), unsigned char *memory, size_t room,
                  size_t offset, size_t bytes)
{
        memset(memory, FILLED, room);
        zero(memory + offset, bytes);
        if (!all_are(memory, offset, FILLED))
                fail_msg("%zu bytes at %zu: what comes before was changed", bytes, offset);
        if (!all_are(memory + offset, bytes, 0))
                fail_msg("%zu bytes at %zu: not all are zero", bytes, offset);
        if (!all_are(memory + offset + bytes, room - offset - bytes, FILLED))
                fail_msg("%zu bytes at %zu: what comes after was changed", bytes, offset);
}

/* All ends of a line with all beginnings, from nothing to three lines. */
static void test_zero_past_caches_hits_what_it_should(void **state)
{
        const size_t room = 5 * (size_t)LINE;
        unsigned char *memory = aligned_alloc(LINE, room);

        (void)state;
        assert_non_null(memory);
        for (size_t offset = 0; offset < LINE; offset++)
                for (size_t bytes = 0; bytes <= 3 * (size_t)LINE; bytes++)
                        check(zero_past_caches, memory, room, offset, bytes);
        free(memory);
}

/* Both ways, on both sides of where the one begins. */
static void test_zero_bytes_goes_both_ways(void **state)
{
        static const size_t offsets[] = { 0, 1, 15, 16, 17, 63 };
        static const size_t sizes[] = { 0,
                                        1,
                                        4096,
                                        ZERO_PAST_CACHES_BYTES - 1,
                                        ZERO_PAST_CACHES_BYTES,
                                        ZERO_PAST_CACHES_BYTES + 1,
                                        ZERO_PAST_CACHES_BYTES + 4095 };
        const size_t room = ZERO_PAST_CACHES_BYTES + 8192;
        unsigned char *memory = aligned_alloc(LINE, room);

        (void)state;
        assert_non_null(memory);
        for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
                for (size_t j = 0; j < ARRAY_SIZE(sizes); j++)
                        check(zero_bytes, memory, room, offsets[i], sizes[j]);
        free(memory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_zero_past_caches_hits_what_it_should),
                cmocka_unit_test(test_zero_bytes_goes_both_ways),
        };

        return cmocka_run_group_tests_name("zero", tests, NULL, NULL);
}
