/* SPDX-License-Identifier: MIT */
/*
 * A granted buffer.
 */
#pragma once

#include "event.h"
#include "frame.h"
#include "rb_tree.h"

#include <stdatomic.h>

#define POOL_NAME_BYTES 64

struct bounce_chunk;
struct debug_record;
struct io_space;
struct par_slab;
struct span;

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
 * @only_piece, @only_segment, @only_run: where these lie of a buffer that has one of each
 * @keep_on_fork: PAR_ALLOC_KEEP_ON_FORK
 * @revoked:    the daemon does not know it any more, but it is still mapped
 * @io_space:   where it is mapped for a device behind an IOMMU, at @io_first; NULL: its addresses
 *              are physical. A reference
 * @io_told:    what the daemon is told of that, also of another worker; protected by the lock
 * @view:       in whose addresses look-ups find it by its dma; see lookup.h
 * @spans:      what look-ups find of it, a chain; NULL: it is not among them
 * @room:       address space that is its alone, @room_bytes, with what lies around it; NULL: none
 * @home:       where its frames have it, while it has @room; NULL: nowhere else
 * @record:     what is known of it where mistakes are looked for; NULL: nothing. See debug.h
 * @slab:       to which it belongs; NULL: to none
 * @bounce:     whose slots it holds; NULL: nobody's
 * @events:     slots of what happens to it
 *
 * Once it is whole, everything but @revoked, @io_told, @slab, @bounce and @events stays as it is
 * until par_free(); so it is read without a lock.
 */
struct par_buffer {
        RB_ENTRY(par_buffer) by_id; /* buffers::by_id */
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
        struct piece only_piece;
        struct par_segment only_segment, only_run;
        bool keep_on_fork, revoked;
        struct io_space *io_space;
        uint64_t io_first;
        struct io_told io_told;
        uint32_t view;
        struct span *spans;
        char *room, *home;
        size_t room_bytes;
        struct debug_record *record;
        _Atomic(struct par_slab *) slab;
        _Atomic(struct bounce_chunk *) bounce;
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

/* Give up what it has of a dma-buf, and address space of its own. */
void buffer_unmap(struct par_buffer *buffer);

/* Free all but the object itself. */
void buffer_free_parts(struct par_buffer *buffer);

/* Free the object alone: its frames have been given up, and nobody refers to it. NULL is fine. */
void buffer_free(struct par_buffer *buffer);

/* Its pieces and segments have been counted; where there is one of them it has its place. */
void buffer_expect(struct par_buffer *buffer, size_t piece_count, size_t segment_count);

/* Its segments are others; @segments: @count of them, owned by it from now on. */
void buffer_replace_segments(struct par_buffer *buffer, struct par_segment *segments, size_t count);

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
