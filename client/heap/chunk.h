/* SPDX-License-Identifier: MIT */
/*
 * A chunk: a buffer of pard's, and which of its pages are handed out.
 */
#pragma once

#include "public_heap.h"

#include <stdbool.h>
#include <sys/queue.h>

#define PAGE_BYTES ((size_t)4096)

/**
 * struct chunk - one of a heap's
 * @buffer:  owned
 * @data:    where it is mapped, on a multiple of UNIT_BYTES
 * @pages:   of PAGE_BYTES
 * @free:    how many of them are
 * @longest: no run of free pages is longer
 * @fresh:   pages from this one on were never handed out: they are zero
 * @kinds:   for each page what begins in it; kept by whoever hands out pieces, 0 at first
 * @used:    a bit for each page
 */
struct chunk {
        TAILQ_ENTRY(chunk) link; /* chunks::all */
        struct par_buffer *buffer;
        char *data;
        size_t pages, free, longest, fresh;
        _Atomic uint8_t *kinds;
        uint64_t used[];
};

/**
 * chunk_new() - a chunk of a buffer
 * @buffer: consumed on success; a multiple of UNIT_BYTES long
 *
 * Return: the chunk, all of it free; NULL without memory.
 */
struct chunk *chunk_new(struct par_buffer *buffer);

/* Give the buffer back to pard; NULL is fine. */
void chunk_free(struct chunk *chunk);

/**
 * chunk_take() - hand out pages
 * @pages: how many, > 0
 * @align: in pages; power of two
 * @ret_fresh_pages: so many at its end are zero
 *
 * The first that fit are taken, so that the rest can become empty.
 *
 * Return: where they are; NULL where it has no such run.
 */
void *chunk_take(struct chunk *chunk, size_t pages, size_t align, size_t *ret_fresh_pages);

/* Pages that were handed out are free again. */
void chunk_give(struct chunk *chunk, const void *at, size_t pages);

/* Whether nothing of it is handed out. */
static inline bool chunk_is_empty(const struct chunk *chunk)
{
        return chunk->free == chunk->pages;
}
