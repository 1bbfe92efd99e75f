/* SPDX-License-Identifier: MIT */
/* Sizes and durations as people write them. */
#include "units.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
        const char *text;
        int result;
        uint64_t bytes;
} sizes[] = {
        { "0", 0, 0 },
        { "4096", 0, 4096 },
        { "64K", 0, 65536 },
        { "2M", 0, 2 * MiB },
        { "3G", 0, 3 * GiB },
        { "16777215T", 0, 16777215 * TiB },
        { "0x1000", 0, 4096 },
        { "0XffffFFFF", 0, UINT32_MAX },
        { "0x2M", 0, 2 * MiB },
        { "18446744073709551615", 0, UINT64_MAX },
        { "0xffffffffffffffff", 0, UINT64_MAX },
        { "18446744073709551616", -ERANGE, 0 },
        { "16777216T", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "M", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { " 1", -EINVAL, 0 },
        { "1 ", -EINVAL, 0 },
        { "1 M", -EINVAL, 0 },
        { "1m", -EINVAL, 0 },
        { "1MB", -EINVAL, 0 },
        { "1.5G", -EINVAL, 0 },
        { "0x", -EINVAL, 0 },
        { "0x0x1", -EINVAL, 0 },
        { "5s", -EINVAL, 0 },
};

static void test_units_size(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                uint64_t bytes = 0;
                int r = size_parse(sizes[i].text, &bytes);

                if (r != sizes[i].result || (!r && bytes != sizes[i].bytes))
                        fail_msg("\"%s\": %d, %" PRIu64, sizes[i].text, r, bytes);
        }
}

static const struct {
        const char *text;
        int result;
        uint64_t ns;
} durations[] = {
        { "0", 0, 0 },
        { "250us", 0, 250000 },
        { "10ms", 0, 10 * NS_PER_MS },
        { "5s", 0, 5 * NS_PER_S },
        { "2m", 0, 120 * NS_PER_S },
        { "1h", 0, 3600 * NS_PER_S },
        { "5", -EINVAL, 0 },
        { "5 s", -EINVAL, 0 },
        { "s", -EINVAL, 0 },
        { "5M", -EINVAL, 0 },
        { "5d", -EINVAL, 0 },
        { "18446744074s", -ERANGE, 0 },
};

static void test_units_duration(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
                uint64_t ns = 0;
                int r = duration_parse(durations[i].text, &ns);

                if (r != durations[i].result || (!r && ns != durations[i].ns))
                        fail_msg("\"%s\": %d, %" PRIu64, durations[i].text, r, ns);
        }
}

static void test_units_text(void **state)
{
        static const struct {
                uint64_t bytes;
                const char *exact, *human;
        } cases[] = {
                { 0, "0", "0B" },
                { 1, "1", "1B" },
                { 4096, "4K", "4K" },
                { 4097, "4097", "4K" },
                { 1536, "1536", "1.5K" },
                { 64 * MiB, "64M", "64M" },
                { GiB + 512 * MiB, "1536M", "1.5G" },
                { 3 * TiB, "3T", "3T" },
                { 2048 * TiB, "2048T", "2P" },
                { UINT64_MAX, "18446744073709551615", "15.9E" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char text[UNIT_TEXT_BYTES];
                uint64_t back;

                assert_string_equal(size_exact(cases[i].bytes, text), cases[i].exact);
                assert_int_equal(size_parse(text, &back), 0);
                assert_int_equal(back, cases[i].bytes);
                assert_string_equal(size_human(cases[i].bytes, text), cases[i].human);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_units_size),
                cmocka_unit_test(test_units_duration),
                cmocka_unit_test(test_units_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
