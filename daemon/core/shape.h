/* SPDX-License-Identifier: MIT */
/*
 * What a contiguous place for a request has to look like, worked out once for a request, and the
 * highest such place in a run. Private to the core.
 */
#pragma once

#include "constraint.h"

/**
 * struct shape - see shape_init()
 * @size_bytes:     of the place
 * @align_bytes:    of its first address
 * @boundary_bytes: block in which segments lie; 0: none, or nothing depends on it any more
 * @segment_bytes:  longest segment
 * @max_segments:   how many
 * @best_head:      bytes from the highest usable start in a boundary block to the block's end
 */
struct shape {
        uint64_t size_bytes, align_bytes, boundary_bytes, segment_bytes, max_segments;
        uint64_t best_head;
};

/**
 * shape_init() - work out what is the same for all runs
 * @shape:       filled in
 * @want:        valid constraint; borrowed
 * @size_bytes:  size of the place, a multiple of the granule of the spaces
 * @align_bytes: alignment of the place, a multiple of want->align_bytes
 *
 * Return: whether there is any address where such a place satisfies the constraint.
 */
bool shape_init(struct shape *shape, const struct constraint *want, uint64_t size_bytes,
                uint64_t align_bytes);

/* The highest start of such a place inside a run not shorter than it; false where it has none. */
bool shape_fit(const struct shape *shape, struct range run, uint64_t *ret_first);

/* How many segments a constraint really allows: 1 where a second could not start aligned. */
uint64_t segments_allowed(const struct constraint *want);
