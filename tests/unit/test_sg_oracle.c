/* SPDX-License-Identifier: MIT */
/*
 * Scatter lists against somebody who tries all ways to cut (see sg_trial.h), and of anything that
 * 64 bits can say (see sg_wild.h).
 *
 * test_sg_oracle [LISTS [SEED]]
 */
#include "sg_trial.h"
#include "sg_wild.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t lists = 100000, seed = 1;

static void test_sg_is_the_shortest_list_there_is(void **unused)
{
        struct sg_trial trial = { .choices = choices_from_seed(seed) };

        (void)unused;
        sg_trial_run(&trial, lists);
        print_message("seed %" PRIu64 ": %" PRIu64 " lists, %" PRIu64 " additions, %" PRIu64
                      " taken, of %" PRIu64 " pieces, %" PRIu64 " fragmented, %" PRIu64
                      " never; %" PRIu64 " segments in the end, %" PRIu64 " times in pages\n",
                      seed, trial.lists, trial.additions, trial.taken, trial.pieces,
                      trial.fragmented, trial.never, trial.segments, trial.paged);
        assert_int_equal(trial.lists, lists);
        assert_in_range(trial.taken, lists / 2, trial.additions);
        assert_in_range(trial.fragmented, lists / 50, trial.additions);
        assert_in_range(trial.never, lists / 50, trial.additions);
        assert_in_range(trial.paged, lists / 50, trial.additions);
}

static void test_sg_holds_for_any_numbers(void **unused)
{
        struct sg_wild wild = { .choices = choices_from_seed(seed) };

        (void)unused;
        sg_wild_run(&wild, lists);
        print_message("seed %" PRIu64 ": %" PRIu64 " lists, %" PRIu64 " additions taken, %" PRIu64
                      " refused; %" PRIu64 " segments in the end, %" PRIu64
                      " times up to the last address\n",
                      seed, wild.lists, wild.taken, wild.refused, wild.segments, wild.top);
        assert_in_range(wild.taken, lists / 2, UINT64_MAX);
        assert_in_range(wild.refused, lists / 2, UINT64_MAX);
        assert_in_range(wild.top, lists / 50, UINT64_MAX);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sg_is_the_shortest_list_there_is),
                cmocka_unit_test(test_sg_holds_for_any_numbers),
        };

        if (getenv("PAR_UNDER_VALGRIND"))
                lists = 2000;
        if (argc > 1)
                lists = strtoull(argv[1], NULL, 0);
        if (argc > 2)
                seed = strtoull(argv[2], NULL, 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
