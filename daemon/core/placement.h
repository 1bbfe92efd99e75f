/* SPDX-License-Identifier: MIT */
/*
 * Where a request goes. Searches the union of several disjoint spaces of one granule, as if they
 * were one: a place may reach from one space into its neighbour in another. Finds a place whenever
 * one exists, never one that violates the constraint, and of several the one with the highest
 * address. Nothing is taken: the caller removes what he uses.
 *
 * What a search in one space costs is counted in calls of space_find(), which has a bound of its
 * own: one where there is no boundary, or where all starts that satisfy it are multiples of some
 * alignment; else two, and one more for each run that is passed over. That happens to runs that are
 * long enough and have an aligned start, but lie on boundaries in such a way that every start in
 * them makes for too many segments; none is looked at twice.
 *
 * Several spaces cost as much each. Runs of different spaces that touch are looked for only where a
 * place in them would be higher than what was found, and only if there are bytes enough. That costs
 * up to 5 * r + 2 * n questions for a run, where n is the number of spaces and r that of the runs
 * there, without those of the space that has most: nothing to speak of where the spaces lie apart,
 * as those of NUMA nodes do.
 */
#pragma once

#include "constraint.h"
#include "space.h"

#include <stddef.h>

/* So many spaces can be searched together. Searching asks the heap for nothing. */
#define PLACEMENT_SPACES_MAX 256

/**
 * placement_find() - the highest contiguous place for a request
 * @spaces:   @n_spaces disjoint spaces, borrowed; NULL entries are not allowed
 * @n_spaces: how many, may be 0; PLACEMENT_SPACES_MAX at most
 * @want:     a constraint that constraint_check() accepts. The place is contiguous; it counts as
 *            satisfying when segment_count() of it is at most max_segments
 * @ret:      the place: size_bytes rounded up to the granule of the spaces
 *
 * Alignment is on the address. The window, the boundary and the segments are those of the rounded
 * place: who wants constraint_check() to see a boundary below the granule rounds the size before.
 *
 * Return: 0; PAR_REFUSED_EXHAUSTED where fewer bytes than that are in the whole granules of the
 * window; PAR_REFUSED_FRAGMENTED where there are enough bytes, but no such place.
 */
int placement_find(const struct space *const *spaces, size_t n_spaces,
                   const struct constraint *want, struct range *ret);

/* The same for a place that also begins on a multiple of @page_bytes, a power of two. */
int placement_find_aligned(const struct space *const *spaces, size_t n_spaces, uint64_t page_bytes,
                           const struct constraint *want, struct range *ret);

/**
 * placement_find_scattered() - several places that make up a request with few segments
 * @spaces:    as above
 * @n_spaces:  as above
 * @page_bytes: power of two, multiple of the granule: a place begins on a multiple of it, and all
 *             but the last also end on one, so that they can be mapped side by side
 * @want:      as above; the segments of all places together are at most max_segments
 * @ret:       array of places in the order in which they make up the buffer, owned by the caller
 *             (free()): ascending by address, but the one that ends inside a page, if any, is the
 *             last. Its end is rounded up to the granule. No place begins where another ends
 * @ret_count: how many
 *
 * Takes the longest segments first, of equal ones the highest. Finds enough wherever whole pages
 * (and for the end of the buffer the beginning of one) suffice and max_segments does not limit it.
 * The segments are the fewest possible where all pages are there whole and the longest segment is
 * a multiple of the page.
 *
 * The cost is that of what is taken, not of what is there: a few searches for each segment. Where
 * the longest segment is a multiple of the page, or shorter than one, a search that fails for too
 * many segments ends before it has taken that many; otherwise, before as many runs.
 *
 * Return: 0; PAR_REFUSED_EXHAUSTED; PAR_REFUSED_FRAGMENTED; -ENOMEM.
 */
int placement_find_scattered(const struct space *const *spaces, size_t n_spaces,
                             uint64_t page_bytes, const struct constraint *want, struct range **ret,
                             size_t *ret_count);

/**
 * placement_largest_run() - the longest contiguous run of the union inside a window
 * @spaces:   as above
 * @n_spaces: as above
 * @window:   a granule that it cuts does not count
 *
 * Return: bytes; 0 where nothing is there.
 */
uint64_t placement_largest_run(const struct space *const *spaces, size_t n_spaces,
                               struct range window);

/**
 * placement_find_largest_run() - the same run itself
 * @ret: the run, clipped to the window; of equal ones the highest
 *
 * Return: whether there is one.
 */
bool placement_find_largest_run(const struct space *const *spaces, size_t n_spaces,
                                struct range window, struct range *ret);

/* Bytes of all spaces inside a window. */
uint64_t placement_free_bytes(const struct space *const *spaces, size_t n_spaces,
                              struct range window);
