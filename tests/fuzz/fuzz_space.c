/* SPDX-License-Identifier: MIT */
/*
 * Spaces against plain cells, or placement in several spaces against brute force: the input decides
 * where they lie, how they are changed and held, when the heap fails, and what they are asked. What
 * is wrong aborts.
 */
#include "placement_trial.h"
#include "space_trial.h"

/* Small enough for thousands of inputs a second. */
#define CELLS_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        struct choices choices = choices_from_input(bytes, size);

        if (choose_one_in(&choices, 4)) {
                struct placement_trial trial = { .choices = choices };

                placement_trial_run(&trial, UINT64_MAX);
        } else {
                struct space_trial trial = { .choices = choices, .n_max = CELLS_MAX };

                space_trial_run(&trial, UINT64_MAX);
        }
        return 0;
}
