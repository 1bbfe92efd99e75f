/* SPDX-License-Identifier: MIT */
/*
 * A granted buffer, as its client is to see it.
 */
#pragma once

#include "frame_name.h"
#include "range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;

/**
 * struct piece - a part of a buffer inside one frame
 * @keep: its client should leave the frame mapped when the last buffer in it is freed
 */
struct piece {
        struct frame_name frame;
        uint64_t phys, length_bytes, frame_offset;
        bool zeroed, keep;
};

/**
 * struct buffer_view - the whole
 * @dma_offset: to be added to a physical address for the one that its device sees, modulo 2^64
 * @hidden:     its client may not know its physical addresses: it has one segment, which lies
 *              nowhere
 * @as_dmabuf:  its client is given a dma-buf of it, and no frame
 */
struct buffer_view {
        uint64_t id, size_bytes, page_bytes, segment_count;
        uint64_t dma_offset;
        const char *pool;
        size_t piece_count;
        bool as_dmabuf;
        bool hidden;
};

void buffer_view(const struct buffer *buffer, struct buffer_view *ret);
void buffer_piece(const struct buffer *buffer, size_t index, struct piece *ret);

/**
 * buffer_next_segment() - the segments of a buffer, in order
 * @cursor: start with { 0 }
 * @ret:    the segment's physical addresses
 *
 * Return: whether there is one.
 */
struct segment_cursor {
        uint64_t run;
        uint64_t offset_bytes;
};
bool buffer_next_segment(const struct buffer *buffer, struct segment_cursor *cursor,
                         struct range *ret);
