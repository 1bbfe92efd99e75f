/* SPDX-License-Identifier: MIT */
/*
 * The one rule by which contiguous memory is cut into segments: after segment_bytes_max() bytes,
 * and at every multiple of the boundary, where counting starts anew. Owns nothing.
 */
#include "segment.h"

uint64_t segment_bytes_max(const struct constraint *want)
{
        uint64_t bytes = UINT64_MAX;

        if (want->max_segment_bytes)
                bytes = want->max_segment_bytes;
        /* Below the alignment there can only be one segment, and no cut that has to be aligned. */
        if (want->max_segment_bytes >= want->align_bytes)
                bytes = align_down(bytes, want->align_bytes);
        if (want->boundary_bytes && bytes > want->boundary_bytes)
                bytes = want->boundary_bytes;
        return bytes;
}

uint64_t segment_length(const struct constraint *want, uint64_t first, uint64_t left_bytes)
{
        const uint64_t boundary = want->boundary_bytes;
        uint64_t bytes = segment_bytes_max(want);

        assert(left_bytes > 0);
        if (boundary && bytes > boundary - (first & (boundary - 1)))
                bytes = boundary - (first & (boundary - 1));
        return bytes < left_bytes ? bytes : left_bytes;
}

/* Of memory inside one boundary block. */
static uint64_t pieces(uint64_t bytes, uint64_t longest)
{
        assert(longest > 0);
        return bytes / longest + (bytes % longest != 0);
}

uint64_t segment_count(const struct constraint *want, struct range piece)
{
        const uint64_t boundary = want->boundary_bytes, longest = segment_bytes_max(want);
        uint64_t size = range_size(piece), head, rest;

        if (!boundary)
                return pieces(size, longest);
        head = boundary - (piece.first & (boundary - 1));
        if (size <= head)
                return pieces(size, longest);
        rest = size - head;
        return pieces(head, longest) + rest / boundary * pieces(boundary, longest) +
               pieces(rest % boundary, longest);
}
