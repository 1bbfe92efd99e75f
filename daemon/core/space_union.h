/* SPDX-License-Identifier: MIT */
/*
 * Several disjoint spaces of one granule as if they were one: a run may reach from one space into
 * its neighbour in another. Private to the core.
 *
 * What lies in one space is asked of each in turn, and costs what a space_find() costs. What only
 * the union has is asked for afterwards, and only where it could matter: see union_runs.h.
 */
#pragma once

#include "placement.h"
#include "shape.h"

/**
 * struct space_union
 * @of:    borrowed; PLACEMENT_SPACES_MAX at most
 * @count: how many, may be 0
 *
 * Plain value.
 */
struct space_union {
        const struct space *const *of;
        size_t count;
};

/* Bytes of a run; UINT64_MAX also where it is the whole 64-bit space. */
static inline uint64_t run_bytes(struct range run)
{
        return run.last - run.first == UINT64_MAX ? UINT64_MAX : range_size(run);
}

/**
 * space_union_granules() - the granules that lie in a window as a whole
 *
 * Return: whether there are any; there are none where there is no space.
 */
bool space_union_granules(struct space_union spaces, struct range window, struct range *ret);

/* Bytes inside a window. */
uint64_t space_union_bytes_in(struct space_union spaces, struct range window);

/**
 * space_union_find() - the highest place of a shape
 * @spaces: where
 * @window: of whole granules
 * @shape:  its size and its alignment are multiples of the granule
 * @ret:    where the place begins
 *
 * Return: whether there is one.
 */
bool space_union_find(struct space_union spaces, struct range window, const struct shape *shape,
                      uint64_t *ret);

/* The same, but only places that do not reach from one space into another. */
bool space_union_find_inside(struct space_union spaces, struct range window,
                             const struct shape *shape, uint64_t *ret);

/* Bytes of the longest run inside a window of whole granules. */
uint64_t space_union_longest(struct space_union spaces, struct range window);

/* The same, but only what lies in one space. */
uint64_t space_union_longest_inside(struct space_union spaces, struct range window);

/**
 * space_union_run() - the run around an address
 * @spaces: where
 * @window: the run is clipped to it
 * @at:     address in the window and in one of the spaces
 *
 * Asks every space once, and twice more for each part of the run that lies in another space.
 */
struct range space_union_run(struct space_union spaces, struct range window, uint64_t at);

/* The same, but only what lies in the space that the address is in. */
struct range space_union_run_inside(struct space_union spaces, struct range window, uint64_t at);
