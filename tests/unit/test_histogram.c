/* SPDX-License-Identifier: MIT */
/*
 * The figures of the benchmarks: a histogram's percentiles against the sorted values.
 */
#include "histogram.h"
#include "macros.h"
#include "random.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

static int compare(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static void test_histogram_percentiles(void **state)
{
        static const unsigned permilles[] = { 1, 500, 990, 999, 1000 };
        struct random random = { 1 };

        (void)state;
        for (unsigned round = 0; round < 300; round++) {
                const unsigned n = 1 + (unsigned)random_below(&random, 3000);
                const unsigned bits = 1 + (unsigned)random_below(&random, 40);
                struct histogram *histogram = calloc(1, sizeof(*histogram));
                uint64_t *values = calloc(n, sizeof(*values));

                assert_true(histogram && values);
                for (unsigned i = 0; i < n; i++) {
                        values[i] = random_next(&random) >> (64 - 1 - random_below(&random, bits));
                        histogram_add(histogram, values[i]);
                }
                qsort(values, n, sizeof(values[0]), compare);
                assert_int_equal(histogram->count, n);
                assert_int_equal(histogram->max, values[n - 1]);
                for (unsigned i = 0; i < ARRAY_SIZE(permilles); i++) {
                        const unsigned rank = (n * permilles[i] + 999) / 1000;
                        const uint64_t exact = values[rank - 1];
                        const uint64_t seen = histogram_at(histogram, permilles[i]);

                        /* Never less than it was; exact where it is small. */
                        assert_in_range(seen, exact, exact + (exact >= 128 ? exact / 64 : 0));
                }
                free(values);
                free(histogram);
        }
}

static void test_histogram_values_beyond_its_range(void **state)
{
        static struct histogram histogram;

        (void)state;
        histogram_add(&histogram, 0);
        histogram_add(&histogram, UINT64_MAX);
        assert_int_equal(histogram_at(&histogram, 500), 0);
        assert_int_equal(histogram.max, UINT64_MAX);
        assert_true(histogram_at(&histogram, 1000) > UINT64_C(1) << 40);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_histogram_percentiles),
                cmocka_unit_test(test_histogram_values_beyond_its_range),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
