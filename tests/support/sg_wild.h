/* SPDX-License-Identifier: MIT */
/*
 * Scatter lists of any addresses, lengths and limits that 64 bits can say, looked at piece by
 * piece.
 */
#pragma once

#include "choices.h"

/**
 * struct sg_wild - a trial, and what it consisted of so far
 * @choices:  where its decisions come from
 * @lists:    how many there were
 * @taken:    additions that were taken, with @segments in the lists afterwards
 * @refused:  additions that were not
 * @top:      how often a list ended with the last address of all
 */
struct sg_wild {
        struct choices choices;
        uint64_t lists, taken, segments, refused, top;
};

/* Make so many lists, or until there are no more decisions. As sg_trial_run(). */
void sg_wild_run(struct sg_wild *trial, uint64_t lists);
