/* SPDX-License-Identifier: MIT */
/*
 * The runs that disjoint spaces have only together, from the top down: where runs of different
 * spaces touch, the union has one run of them. What lies in one space alone is left out. Private to
 * the core.
 */
#pragma once

#include "space_union.h"

/**
 * struct union_runs - a walk in progress
 * @spaces: may not change while the walk goes on
 * @window: runs are clipped to it
 * @head:   the next run of each space, clipped
 * @live:   whether there is one
 *
 * Plain value of a fixed size: a search asks the heap for nothing, so it cannot fail.
 */
struct union_runs {
        struct space_union spaces;
        struct range window;
        struct range head[PLACEMENT_SPACES_MAX];
        bool live[PLACEMENT_SPACES_MAX];
};

/* Begin at the upper end of the window. */
void union_runs_init(struct union_runs *runs, struct space_union spaces, struct range window);

/**
 * union_runs_next() - the next run below that is made of several
 * @runs:      the walk
 * @min_bytes: shorter runs are left out, > 0; it may grow during the walk
 * @ret:       the run
 *
 * The whole walk asks a space for a run at most 5 * r + 2 * n times, where n is the number of
 * spaces and r that of the runs in the window, the space that has most of them left out: between
 * two runs of the others, it is passed over at once. To choose a space takes n steps each time.
 *
 * Return: whether there is one.
 */
bool union_runs_next(struct union_runs *runs, uint64_t min_bytes, struct range *ret);
