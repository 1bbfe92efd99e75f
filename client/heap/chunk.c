/* SPDX-License-Identifier: MIT */
/*
 * Owns a buffer of pard's and the map of its pages.
 *
 * Invariant: a page's bit is set as long as it is handed out. Refuses to touch the memory itself:
 * it may be a device's.
 */
#include "chunk.h"

#include <assert.h>
#include <stdlib.h>

#define BITS 64u

struct chunk *chunk_new(struct par_buffer *buffer)
{
        size_t pages = par_buffer_size(buffer) / PAGE_BYTES;
        size_t words = (pages + BITS - 1) / BITS;
        struct chunk *chunk;

        chunk = calloc(1, sizeof(*chunk) + words * sizeof(chunk->used[0]) + pages);
        if (!chunk)
                return NULL;
        chunk->kinds = (_Atomic uint8_t *)(chunk->used + words);
        chunk->buffer = buffer;
        chunk->data = par_buffer_data(buffer);
        chunk->pages = chunk->free = chunk->longest = pages;
        return chunk;
}

void chunk_free(struct chunk *chunk)
{
        if (!chunk)
                return;
        par_free(chunk->buffer);
        free(chunk);
}

/* ---- the map -------------------------------------------------------------------------------- */

/* The next page from @at on whose bit is @set; chunk->pages where there is none. */
static size_t next_page(const struct chunk *chunk, size_t at, bool set)
{
        uint64_t word;

        while (at < chunk->pages) {
                word = chunk->used[at / BITS];
                word = (set ? word : ~word) >> (at % BITS);
                if (word) {
                        at += (size_t)__builtin_ctzll(word);
                        break;
                }
                at += BITS - at % BITS;
        }
        return at < chunk->pages ? at : chunk->pages;
}

static void mark(struct chunk *chunk, size_t first, size_t pages, bool set)
{
        for (size_t i = first; i < first + pages; i++) {
                uint64_t bit = UINT64_C(1) << (i % BITS);

                assert(!(chunk->used[i / BITS] & bit) == set);
                if (set)
                        chunk->used[i / BITS] |= bit;
                else
                        chunk->used[i / BITS] &= ~bit;
        }
}

/* The first page of a run of @pages free ones on a multiple of @align; chunk->pages: none. */
static size_t find_run(struct chunk *chunk, size_t pages, size_t align)
{
        size_t first, last, longest = 0, at;

        for (first = next_page(chunk, 0, false); first < chunk->pages;
             first = next_page(chunk, last, false)) {
                last = next_page(chunk, first, true);
                at = (first + align - 1) & ~(align - 1);
                if (at + pages <= last)
                        return at;
                if (last - first > longest)
                        longest = last - first;
        }
        chunk->longest = longest;
        return chunk->pages;
}

void *chunk_take(struct chunk *chunk, size_t pages, size_t align, size_t *ret_fresh_pages)
{
        size_t first, last;

        assert(pages > 0);
        if (chunk->longest < pages)
                return NULL;
        first = find_run(chunk, pages, align);
        if (first == chunk->pages)
                return NULL;
        mark(chunk, first, pages, true);
        chunk->free -= pages;
        last = first + pages;
        *ret_fresh_pages =
                last <= chunk->fresh ? 0 : last - (first > chunk->fresh ? first : chunk->fresh);
        if (last > chunk->fresh)
                chunk->fresh = last;
        return chunk->data + first * PAGE_BYTES;
}

void chunk_give(struct chunk *chunk, const void *at, size_t pages)
{
        mark(chunk, (size_t)((const char *)at - chunk->data) / PAGE_BYTES, pages, false);
        chunk->free += pages;
        chunk->longest = chunk->free; /* it may have joined others: find_run() will see */
}
