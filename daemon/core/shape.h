/* SPDX-License-Identifier: MIT */
/*
 * What a contiguous place for a request has to look like, worked out once for a request. Whether a
 * start will do depends on where in a boundary block it lies and on nothing else, so the best start
 * for any address is found by arithmetic, without a look at memory. Private to the core.
 */
#pragma once

#include "constraint.h"

/**
 * struct shape - see shape_init()
 * @size_bytes:     of the place
 * @align_bytes:    every start that will do is a multiple of it: as large as that can be said of
 * @boundary_bytes: block in which segments lie; 0: none, or nothing depends on it any more, so that
 *                  every multiple of the alignment will do
 * @segment_bytes:  longest segment
 * @max_segments:   how many
 * @best_head:      bytes from the highest usable start in a boundary block to the block's end
 */
struct shape {
        uint64_t size_bytes, align_bytes, boundary_bytes, segment_bytes, max_segments;
        uint64_t best_head;
};

/**
 * shape_init() - work out what is the same for all addresses
 * @shape:       filled in
 * @want:        valid constraint; borrowed
 * @size_bytes:  size of the place, a multiple of the granule of the spaces
 * @align_bytes: alignment of the place, a multiple of want->align_bytes
 *
 * Return: whether there is any address where such a place satisfies the constraint.
 */
bool shape_init(struct shape *shape, const struct constraint *want, uint64_t size_bytes,
                uint64_t align_bytes);

/**
 * shape_below() - the highest start of such a place, @at or below it
 * @shape: from shape_init()
 * @at:    address that leaves room for the place above it
 * @ret:   the start
 *
 * Takes constant time.
 *
 * Return: whether there is one.
 */
bool shape_below(const struct shape *shape, uint64_t at, uint64_t *ret);

/* How many segments a constraint really allows: 1 where a second could not start aligned. */
uint64_t segments_allowed(const struct constraint *want);
