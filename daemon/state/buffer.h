/* SPDX-License-Identifier: MIT */
#pragma once

#include "frame.h"
#include "ledger.h"
#include "lists.h"
#include "state.h"

struct holding;
struct io_mapping;
struct share;
struct watch;

/**
 * struct buffer - granted memory
 * @holding:     whose it is; a client's, what an ended client left, or a shared one's own
 * @limits:      how it is cut into segments
 * @dma_offset:  from memory to what its device sees, modulo 2^64
 * @watches:     of the @n_watches PCI devices that it is for: references. @unwatched: it is for
 *               something else, too
 * @ended:       its client is gone or was cut off, and its frames know it
 * @wanted_ns:   when its client was told that others want it; 0: never
 * @needs_below: highest address that its request allowed; 0: any
 * @seq:         of the request that it answers
 * @record:      in the ledger; LEDGER_NONE
 * @n_exports:   descriptors that were made of its memory alone. Who has one can still write there
 *               when it is freed: so its frames are closed then, and none is kept for its owner
 * @runs:        contiguous pieces of memory, in the order of the buffer; owned
 * @pieces:      the same, cut at frames
 * @share:       what makes it one that several sessions may have; NULL: it is one session's alone.
 *               Such a buffer has its frames to itself: they are closed from the beginning
 * @io:          where its client said that it is mapped; NULL: nothing was said
 *
 * Its place never changes between grant and release.
 */
struct buffer {
        uint64_t id;
        struct holding *holding;
        bool ended;
        char label[LABEL_BYTES_MAX + 1];
        uint64_t size_bytes;
        struct constraint limits;
        uint64_t dma_offset;
        uint64_t needs_below;
        uint64_t since_ns, wanted_ns;
        uint64_t segment_count;
        uint32_t seq, record;
        uint32_t n_exports;
        struct watch *watches[REQUEST_DEVICES_MAX];
        unsigned n_watches;
        bool unwatched;
        struct range *runs;
        size_t n_runs;
        struct share *share;
        struct io_mapping *io;
        RB_ENTRY(buffer) by_id;     /* state::buffers */
        LIST_ENTRY(buffer) held;    /* holding::buffers */
        LIST_ENTRY(buffer) by_size; /* pool::by_size */
        RB_ENTRY(buffer) by_seq;    /* client::restored, where @restored */
        bool restored;
        size_t n_pieces;
        struct buffer_piece pieces[];
};

RB_HEAD(buffer_tree, buffer);
LIST_HEAD(buffer_list, buffer);

/* Buffers of class n have 2^n bytes, up to twice as many. */
#define BUFFER_CLASSES 64

static inline unsigned buffer_class(const struct buffer *buffer)
{
        return 63 - (unsigned)__builtin_clzll(buffer->size_bytes);
}

/**
 * buffer_new() - a buffer over places that a search found
 * @places:   @n_places contiguous places in the buffer's order; borrowed
 * @page_bytes: where the places are cut into pieces
 * @limits:   copied
 *
 * The pieces know their addresses; their frames are filled in by the caller.
 *
 * Return: 0; -ENOMEM.
 */
int buffer_new(const struct range *places, size_t n_places, uint64_t page_bytes,
               const struct constraint *limits, struct buffer **ret);
void buffer_free(struct buffer *buffer); /* in no list or tree; NULL is fine */

/* Note in its frames that a descriptor of its memory alone is made. */
void buffer_mark_exported(struct state *state, struct buffer *buffer);

/* Where an address of the buffer lies in it, in bytes from its beginning. */
uint64_t buffer_offset(const struct buffer *buffer, uint64_t phys);

/* Lowest and highest address of it. */
struct range buffer_extent(const struct buffer *buffer);
