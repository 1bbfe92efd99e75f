/* SPDX-License-Identifier: MIT */
/*
 * Placement against brute force: small worlds, several spaces at once, anywhere in the 64-bit
 * range, with requests that nobody sane would make.
 */
#pragma once

#include "choices.h"

/**
 * struct placement_trial - a trial, and what it consisted of so far
 * @choices:   where its decisions come from
 * @worlds:    how many there were
 * @questions: contiguous places that were asked for
 * @found:     how many of them there were
 * @lower:     places of two_ends_find() that were not the highest
 * @scattered: scattered places that were asked for
 * @fewest:    those whose number of segments was compared with the fewest possible
 */
struct placement_trial {
        struct choices choices;
        uint64_t worlds, questions, found, lower, scattered, fewest;
};

/**
 * placement_trial_run() - ask for so many contiguous places
 *
 * Ends earlier where there are no more decisions. Whatever is wrong is written to stderr, and the
 * program aborted.
 */
void placement_trial_run(struct placement_trial *trial, uint64_t questions);
