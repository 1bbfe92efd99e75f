/* SPDX-License-Identifier: MIT */
/*
 * A granted buffer.
 */
#pragma once

#include "event.h"
#include "frame.h"
#include "tree.h"

#define POOL_NAME_BYTES 64

struct io_space;

/**
 * struct io_told - where a buffer is mapped for a device, as the daemon is told it
 * @space:  number of the container; 0: nothing is told
 * @device: under which name it was opened, or ""
 */
struct io_told {
        uint32_t space;
        uint64_t iova;
        char device[64];
};

/**
 * struct piece - a part of a buffer inside one frame
 * @frame:  counts this piece among its buffers; NULL: of a buffer that came as a dma-buf
 * @zeroed: nobody has used it yet
 */
struct piece {
        struct frame *frame;
        uint64_t phys, length, frame_offset;
        bool zeroed;
};

/**
 * struct par_buffer - a buffer, from its request to par_free()
 * @par:        whose; borrowed
 * @id:         the daemon's number; 0: not granted yet
 * @pool:       name of its pool, as the daemon said
 * @data:       where it is mapped; NULL until it is whole
 * @reserved:   address space for @piece_count frames side by side; NULL where it lies in one frame,
 *              and as soon as all of it is filled
 * @window:     where a dma-buf is mapped; NULL: it lies in frames
 * @dmabuf:     its descriptor until it is mapped; -1
 * @pieces:     @n_pieces of the @piece_count there will be
 * @segments:   @n_segments of the @segment_count there will be
 * @runs:       @n_runs
 * @keep_on_fork: PAR_ALLOC_KEEP_ON_FORK
 * @revoked:    the daemon does not know it any more, but it is still mapped
 * @io_space:   where it is mapped for a device behind an IOMMU, at @io_first; NULL: its addresses
 *              are physical. A reference
 * @io_told:    what the daemon is told of that, also of another worker; protected by the lock
 * @events:     slots of what happens to it
 *
 * Once it is whole, everything but @revoked, @io_told and @events stays as it is until par_free();
 * so it is read without a lock.
 */
struct par_buffer {
        RB_ENTRY(par_buffer) by_id;      /* buffers::by_id */
        RB_ENTRY(par_buffer) by_address; /* lookup::by_address */
        struct par *par;
        uint64_t id;
        char pool[POOL_NAME_BYTES];
        char *data, *reserved, *window;
        size_t size, page_bytes;
        int dmabuf;
        struct piece *pieces;
        size_t n_pieces, piece_count, piece_room;
        struct par_segment *segments, *runs;
        size_t n_segments, segment_count, segment_room, n_runs;
        bool keep_on_fork, revoked;
        struct io_space *io_space;
        uint64_t io_first;
        struct io_told io_told;
        struct event events[EVENT_SLOTS];
};

RB_HEAD(buffer_tree, par_buffer);

/* The buffers of a handle by the daemon's number. */
struct buffers {
        struct buffer_tree by_id;
};

/* The buffer of this number; NULL where there is none. */
struct par_buffer *buffers_find(struct buffers *buffers, uint64_t id);

/* Return: false where the number is taken. */
bool buffers_insert(struct buffers *buffers, struct par_buffer *buffer);
void buffers_remove(struct buffers *buffers, struct par_buffer *buffer);
struct par_buffer *buffers_first(struct buffers *buffers);
struct par_buffer *buffers_from(struct buffers *buffers, uint64_t id); /* of this number or above */
struct par_buffer *buffers_next(struct par_buffer *buffer);

/* An empty buffer; NULL without memory. */
struct par_buffer *buffer_new(struct par *par, bool keep_on_fork);

/* Give up what it has of a dma-buf. */
void buffer_unmap(struct par_buffer *buffer);

/* Free the object alone: its frames have been given up, and nobody refers to it. NULL is fine. */
void buffer_free(struct par_buffer *buffer);

/**
 * buffer_finish_runs() - find the contiguous runs of memory of a buffer that has all its pieces
 *
 * Return: 0; -ENOMEM.
 */
int buffer_finish_runs(struct par_buffer *buffer);

/* The segment in which the byte at @offset, below the buffer's size, lies. */
const struct par_segment *buffer_segment_at(const struct par_buffer *buffer, uint64_t offset);

/* The dma address of a byte in its segment; PAR_PHYS_NONE where the segment has none. */
uint64_t buffer_dma_in(const struct par_segment *segment, uint64_t offset);

/* Whether a buffer lies anywhere for a device. Return: 0; -PAR_DENIED, with par_error() set, where
 * its pool hides its addresses and it is mapped for none. */
int buffer_check_dma(const struct par_buffer *buffer);
