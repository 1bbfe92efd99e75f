/* SPDX-License-Identifier: MIT */
/*
 * Scatter lists against somebody who knows nothing of how they are made: he has every byte's (or
 * every cell's) address in a row, and looks for the fewest segments by trying all ways to cut it.
 */
#pragma once

#include "choices.h"

/**
 * struct sg_trial - a trial, and what it consisted of so far
 * @choices:   where its decisions come from
 * @lists:     how many there were
 * @additions: to them
 * @taken:     additions that were taken, of @pieces
 * @segments:  of the lists in the end
 * @fragmented: additions that were refused, since they would have taken too many segments,
 * @never:     or for another reason that stays
 * @paged:     lists that could be told by their pages
 */
struct sg_trial {
        struct choices choices;
        uint64_t lists, additions, taken, pieces, segments, fragmented, never, paged;
};

/**
 * sg_trial_run() - make so many lists
 *
 * Ends earlier where there are no more decisions. Whatever is wrong is written to stderr, and the
 * program aborted.
 */
void sg_trial_run(struct sg_trial *trial, uint64_t lists);
