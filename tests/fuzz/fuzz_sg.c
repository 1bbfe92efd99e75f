/* SPDX-License-Identifier: MIT */
/*
 * Scatter lists against somebody who tries all ways to cut, or of anything that 64 bits can say:
 * the input decides on the limits, the pieces, and in which portions they are added. What is wrong
 * aborts.
 */
#include "sg_trial.h"
#include "sg_wild.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        struct choices choices = choices_from_input(bytes, size);

        if (choose_one_in(&choices, 2)) {
                struct sg_trial trial = { .choices = choices };

                sg_trial_run(&trial, UINT64_MAX);
        } else {
                struct sg_wild wild = { .choices = choices };

                sg_wild_run(&wild, UINT64_MAX);
        }
        return 0;
}
