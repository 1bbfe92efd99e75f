/* SPDX-License-Identifier: MIT */
#pragma once

#include "range.h"

#include <stdint.h>

#define SEGMENTS_ANY UINT32_MAX

/**
 * enum limit - which field of a constraint a refusal is about
 *
 * In the order in which they are checked. LIMIT_NONE: nothing of the request's own, the memory is
 * just not there.
 */
enum limit {
        LIMIT_NONE,
        LIMIT_SIZE,
        LIMIT_ADDR_MIN,
        LIMIT_ADDR_MAX,
        LIMIT_ALIGN,
        LIMIT_BOUNDARY,
        LIMIT_MAX_SEGMENT_BYTES,
        LIMIT_MAX_SEGMENTS,
        LIMIT_NODES,
        LIMIT_COUNT,
};

/* "addr_max", "boundary" ...; NULL for LIMIT_NONE. */
const char *limit_name(enum limit limit);

/**
 * struct constraint - what one request demands of memory
 * @window:            lowest and highest usable address, inclusive
 * @size_bytes:        bytes in all, > 0
 * @align_bytes:       power of two; the first address of every segment is a multiple of it
 * @boundary_bytes:    power of two that no segment straddles; 0: no such limit
 * @max_segment_bytes: longest segment; 0: no such limit. Segments are cut at the largest multiple
 *                     of @align_bytes that is not above it, so that all of them start aligned
 * @max_segments:      1: in one piece; SEGMENTS_ANY: as many as it takes
 *
 * Plain value; owns nothing.
 */
struct constraint {
        struct range window;
        uint64_t size_bytes;
        uint64_t align_bytes;
        uint64_t boundary_bytes;
        uint64_t max_segment_bytes;
        uint32_t max_segments;
};

/**
 * constraint_check() - whether a constraint makes sense on its own, whatever memory there is
 * @want:      borrowed; any values, nothing is assumed valid
 * @ret_limit: which field is wrong; written only with a refusal
 *
 * Return: 0; PAR_REFUSED_INVALID for values that mean nothing (size 0, no power of two, first above
 * last, no segment); PAR_REFUSED_NEVER_FITS for limits that contradict one another (size above the
 * window, no aligned address in the window, a boundary or max_segment_bytes that the allowed number
 * of segments cannot add up to the size with, boundary or max_segment_bytes below align where the
 * size takes more than one segment).
 */
int constraint_check(const struct constraint *want, enum limit *ret_limit);
