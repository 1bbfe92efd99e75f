/* SPDX-License-Identifier: MIT */
/* Results as text, and the sentence of each thread. */
#include "error.h"

#include "macros.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
        const char *name;
        int r, permanent;
        const char *starts_with;
} result_cases[] = {
        { "success", 0, 0, "Success" },
        { "never fits", -PAR_NEVER_FITS, 1, "Never fits" },
        { "exhausted", -PAR_EXHAUSTED, 0, "Exhausted" },
        { "fragmented", -PAR_FRAGMENTED, 0, "Fragmented" },
        { "quota", -PAR_QUOTA, 0, "A limit" },
        { "denied", -PAR_DENIED, 1, "Denied" },
        { "busy", -PAR_BUSY, 0, "Busy" },
        { "timed out", -PAR_TIMED_OUT, 0, "Timed out" },
        { "invalid", -PAR_INVALID, 1, "Invalid" },
        { "gone", -PAR_GONE, 0, "Gone" },
        { "positive refusal", PAR_DENIED, 1, "Denied" },
        { "errno", -ENOMEM, 0, "Cannot allocate" },
        { "positive errno", EINVAL, 1, "Invalid argument" },
        { "not supported", -ENOTSUP, 1, "Operation not supported" },
        { "just below the refusals", -PAR_NEVER_FITS + 1, 0, "Unknown" },
        { "just above the refusals", -PAR_GONE - 1, 0, "Unknown" },
        { "no errno", -4095, 0, "Unknown" },
        { "lowest", INT_MIN, 0, "Unknown" },
        { "highest", INT_MAX, 0, "Unknown" },
};

static void test_error_texts(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(result_cases); i++) {
                const char *text = par_strerror(result_cases[i].r);

                if (strncmp(text, result_cases[i].starts_with,
                            strlen(result_cases[i].starts_with)) != 0)
                        fail_msg("%s: \"%s\"", result_cases[i].name, text);
                if (par_is_permanent(result_cases[i].r) != result_cases[i].permanent)
                        fail_msg("%s: permanent?", result_cases[i].name);
        }
}

/* Without an IOMMU a place is of memory, behind one it is of I/O addresses. */
static void test_error_texts_name_no_memory(void **state)
{
        static const int results[] = { -PAR_NEVER_FITS, -PAR_EXHAUSTED, -PAR_FRAGMENTED, -PAR_QUOTA,
                                       -PAR_BUSY };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
                if (strstr(par_strerror(results[i]), "memory"))
                        fail_msg("\"%s\"", par_strerror(results[i]));
        }
}

static void test_error_is_cut_and_terminated(void **state)
{
        char longer[2 * ERROR_BYTES];

        (void)state;
        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        assert_int_equal(error_set(-5, "%s", longer), -5);
        assert_int_equal(strlen(par_error(NULL)), ERROR_BYTES - 1);
}

static void test_error_without_sentence_is_the_result(void **state)
{
        (void)state;
        assert_int_equal(error_set_sentence(-PAR_QUOTA, ""), -PAR_QUOTA);
        assert_string_equal(par_error(NULL), par_strerror(-PAR_QUOTA));
        assert_int_equal(error_set_sentence(-PAR_QUOTA, "100%s full"), -PAR_QUOTA);
        assert_string_equal(par_error(NULL), "100%s full");
}

static void test_error_has_figures_where_it_is_a_refusal(void **state)
{
        const struct par_refusal_info given = { .permanent = 1, .result = -PAR_QUOTA, .size = 7 };
        struct par_refusal_info figures;

        (void)state;
        (void)error_set(-ENOMEM, "no memory");
        assert_int_equal(par_last_refusal(NULL, &figures), -ENOENT);
        assert_int_equal(figures.result, 0);
        assert_int_equal(par_last_refusal(NULL, NULL), -EINVAL);

        (void)error_set(-PAR_DENIED, "not yours");
        assert_int_equal(par_last_refusal(NULL, &figures), 0);
        assert_int_equal(figures.result, -PAR_DENIED);
        assert_int_equal(figures.permanent, 1);
        assert_string_equal(figures.limit, "");

        (void)error_set(-PAR_QUOTA, "full");
        assert_int_equal(error_set_figures(-PAR_QUOTA, &given), -PAR_QUOTA);
        assert_int_equal(par_last_refusal(NULL, &figures), 0);
        assert_memory_equal(&figures, &given, sizeof(given));

        (void)error_set(-EIO, "worse");
        assert_int_equal(error_set_figures(-EIO, &given), -EIO);
        assert_int_equal(par_last_refusal(NULL, &figures), -ENOENT);
}

static void *other_thread(void *data)
{
        *(bool *)data = !*par_error(NULL);
        (void)error_set(-1, "theirs");
        return NULL;
}

static void test_error_is_the_threads_own(void **state)
{
        pthread_t thread;
        bool empty = false;

        (void)state;
        (void)error_set(-1, "mine");
        assert_int_equal(pthread_create(&thread, NULL, other_thread, &empty), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(empty);
        assert_string_equal(par_error(NULL), "mine");
}

static void test_mask_is_a_constraint(void **state)
{
        (void)state;
        assert_int_equal(par_constraint_for_mask(0).addr_max, 0);
        assert_int_equal(par_constraint_for_mask(1).addr_max, 1);
        assert_int_equal(par_constraint_for_mask(32).addr_max, UINT32_MAX);
        assert_int_equal(par_constraint_for_mask(63).addr_max, INT64_MAX);
        assert_int_equal(par_constraint_for_mask(64).addr_max, 0);
        assert_int_equal(par_constraint_for_mask(999).addr_max, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_error_texts),
                cmocka_unit_test(test_error_texts_name_no_memory),
                cmocka_unit_test(test_error_is_cut_and_terminated),
                cmocka_unit_test(test_error_without_sentence_is_the_result),
                cmocka_unit_test(test_error_has_figures_where_it_is_a_refusal),
                cmocka_unit_test(test_error_is_the_threads_own),
                cmocka_unit_test(test_mask_is_a_constraint),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
