/* SPDX-License-Identifier: MIT */
/*
 * A space is changed, held and asked at random, and every answer compared with plain cells. After
 * each change the space is checked; what is held never fails, though the heap does; what fails
 * leaves the content; in the end all memory is back.
 */
#pragma once

#include "choices.h"

/**
 * struct space_trial - a trial, and what it consisted of so far
 * @choices:   where its decisions come from
 * @n_max:     most cells of a space, at least 3
 * @spaces:    how many there were
 * @changes:   ranges added and removed
 * @starved:   changes and holds that failed for want of memory
 * @questions: compared answers
 * @finds:     how many of them were searches
 */
struct space_trial {
        struct choices choices;
        unsigned n_max;
        uint64_t spaces, changes, starved, questions, finds;
};

/**
 * space_trial_run() - ask so many questions
 *
 * Ends earlier where there are no more decisions. Whatever is wrong is written to stderr, and the
 * program aborted.
 */
void space_trial_run(struct space_trial *trial, uint64_t questions);
