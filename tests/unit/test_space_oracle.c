/* SPDX-License-Identifier: MIT */
/*
 * A space against brute force (see space_trial.h and cells.h).
 *
 * test_space_oracle [QUESTIONS [SEED]]
 */
#include "macros.h"
#include "space_trial.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* Enough for two blocks of the tree and what adjoins them. */
#define CELLS_MAX 9000

static uint64_t questions = 200000, seed = 1;

static void test_space_is_what_the_cells_say(void **unused)
{
        struct space_trial trial = { .choices = choices_from_seed(seed), .n_max = CELLS_MAX };

        (void)unused;
        space_trial_run(&trial, questions);
        print_message("seed %" PRIu64 ": %" PRIu64 " spaces, %" PRIu64 " changes, %" PRIu64
                      " without memory, %" PRIu64 " questions, %" PRIu64 " of them searches\n",
                      seed, trial.spaces, trial.changes, trial.starved, trial.questions,
                      trial.finds);
        assert_int_equal(trial.questions, questions);
        assert_in_range(trial.finds, questions / 3, questions);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_space_is_what_the_cells_say) };

        if (getenv("PAR_UNDER_VALGRIND"))
                questions = 4000;
        if (argc > 1)
                questions = strtoull(argv[1], NULL, 0);
        if (argc > 2)
                seed = strtoull(argv[2], NULL, 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
