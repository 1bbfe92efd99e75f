/* SPDX-License-Identifier: MIT */
/*
 * The runs of several disjoint spaces as if they were one space, from the top down: runs of
 * different spaces that touch are one run. Private to the core.
 */
#pragma once

#include "placement.h"

/**
 * struct union_runs - a walk in progress
 * @spaces: borrowed, may not change while the walk goes on
 * @count:  how many
 * @window: runs are clipped to it
 * @head:   the next run of each space, clipped
 * @live:   whether there is one
 *
 * Plain value of a fixed size: a search asks the heap for nothing, so it cannot fail.
 */
struct union_runs {
        const struct space *const *spaces;
        size_t count;
        struct range window;
        struct range head[PLACEMENT_SPACES_MAX];
        bool live[PLACEMENT_SPACES_MAX];
};

/* Begin at the upper end of the window. */
void union_runs_init(struct union_runs *runs, const struct space *const *spaces, size_t n_spaces,
                     struct range window);

/**
 * union_runs_next() - the next run below
 * @runs:      the walk
 * @min_bytes: shorter runs are left out, > 0. In a place where only one space has runs they are not
 *             even visited; it may grow during the walk
 * @ret:       the run
 *
 * Return: whether there is one.
 */
bool union_runs_next(struct union_runs *runs, uint64_t min_bytes, struct range *ret);

/* Bytes of a run; UINT64_MAX also where it is the whole 64-bit space. */
static inline uint64_t run_bytes(struct range run)
{
        return run.last - run.first == UINT64_MAX ? UINT64_MAX : range_size(run);
}

/**
 * union_runs_room() - whether the spaces have enough bytes for a request at all
 * @spaces:     disjoint, of one granule
 * @n_spaces:   how many, may be 0
 * @want:       valid constraint; borrowed
 * @ret_window: its window without the granules that it cuts
 * @ret_bytes:  its size, rounded up to the granule
 *
 * Return: whether; nothing is written otherwise.
 */
bool union_runs_room(const struct space *const *spaces, size_t n_spaces,
                     const struct constraint *want, struct range *ret_window, uint64_t *ret_bytes);
