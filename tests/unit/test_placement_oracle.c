/* SPDX-License-Identifier: MIT */
/*
 * Placement against brute force (see placement_trial.h).
 *
 * test_placement_oracle [QUESTIONS [SEED]]
 */
#include "placement_trial.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t questions = 200000, seed = 1;

static void test_placement_is_what_brute_force_finds(void **unused)
{
        struct placement_trial trial = { .choices = choices_from_seed(seed) };

        (void)unused;
        placement_trial_run(&trial, questions);
        print_message("seed %" PRIu64 ": %" PRIu64 " worlds, %" PRIu64 " places wanted, %" PRIu64
                      " found, %" PRIu64 " at the other end, %" PRIu64 " scattered, %" PRIu64
                      " with the fewest segments\n",
                      seed, trial.worlds, trial.questions, trial.found, trial.lower,
                      trial.scattered, trial.fewest);
        assert_int_equal(trial.questions, questions);
        assert_in_range(trial.found, questions / 5, questions);
        assert_in_range(trial.lower, questions / 50, questions);
        assert_in_range(trial.fewest, questions / 200, questions);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_placement_is_what_brute_force_finds),
        };

        if (getenv("PAR_UNDER_VALGRIND"))
                questions = 10000;
        if (argc > 1)
                questions = strtoull(argv[1], NULL, 0);
        if (argc > 2)
                seed = strtoull(argv[2], NULL, 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
