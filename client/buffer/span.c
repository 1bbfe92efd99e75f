/* SPDX-License-Identifier: MIT */
/*
 * Owns the memory of spans.
 *
 * Invariant: a span that readers may have seen keeps saying what it said until it is another one's.
 * Refuses to return memory before the handle is gone: nobody knows who still reads.
 */
#include "span.h"

#include <errno.h>
#include <stdlib.h>

#define SPANS_PER_BLOCK 64

/* SPANS_PER_BLOCK more that are free. Return: 0; -ENOMEM. */
static int add_block(struct spans *spans)
{
        const size_t room = spans->room ? spans->room * 2 : 16;
        struct span **blocks, *block;

        if (spans->n_blocks == spans->room) {
                blocks = reallocarray(spans->blocks, room, sizeof(struct span *));
                if (!blocks)
                        return -ENOMEM;
                spans->blocks = blocks;
                spans->room = room;
        }
        block = aligned_alloc(_Alignof(struct span), SPANS_PER_BLOCK * sizeof(*block));
        if (!block)
                return -ENOMEM;
        spans->blocks[spans->n_blocks++] = block;
        for (size_t i = 0; i < SPANS_PER_BLOCK; i++) {
                block[i] = (struct span){ .free = spans->free };
                spans->free = &block[i];
        }
        return 0;
}

int spans_get(struct spans *spans, size_t count, struct span **ret)
{
        struct span *first = NULL;
        int r;

        for (size_t i = 0; i < count; i++) {
                struct span *span;

                r = spans->free ? 0 : add_block(spans);
                if (r) {
                        spans_put(spans, first);
                        return r;
                }
                span = spans->free;
                spans->free = span->free;
                /* Stale readers may see this before the rest, and go on to a span that is not
                 * about their pointer. */
                atomic_store_explicit(&span->next, first, memory_order_release);
                first = span;
        }
        *ret = first;
        return 0;
}

void spans_put(struct spans *spans, struct span *first)
{
        while (first) {
                struct span *next = atomic_load_explicit(&first->next, memory_order_relaxed);

                first->free = spans->free;
                spans->free = first;
                first = next;
        }
}

void spans_deinit(struct spans *spans)
{
        for (size_t i = 0; i < spans->n_blocks; i++)
                free(spans->blocks[i]);
        free(spans->blocks);
        *spans = (struct spans){ 0 };
}

void span_write(struct span *span, const struct extent *extent)
{
        const unsigned version = atomic_load_explicit(&span->version, memory_order_relaxed);

        /* No store comes before the one above it. */
        atomic_store_explicit(&span->version, version + 1, memory_order_relaxed);
        atomic_store_explicit(&span->first, extent->first, memory_order_release);
        atomic_store_explicit(&span->bytes, extent->bytes, memory_order_release);
        atomic_store_explicit(&span->dma, extent->dma, memory_order_release);
        atomic_store_explicit(&span->view, extent->view, memory_order_release);
        atomic_store_explicit(&span->version, version + 2, memory_order_release);
}
