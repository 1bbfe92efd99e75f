/* SPDX-License-Identifier: MIT */
/*
 * A contiguous part of a buffer, as look-ups read it without a lock.
 *
 * Its memory stays a span's until the handle is gone: whoever comes too late, with a pointer into a
 * buffer that another thread has just freed, reads another span or one that changes, and finds that
 * it is not about his pointer.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct extent - what a span says
 * @first: where it is mapped
 * @bytes: how long it is
 * @dma:   where the device sees it; PAR_PHYS_NONE: nowhere
 * @view:  in whose addresses: see lookup.h
 * @next:  what follows it in the buffer; NULL: nothing
 */
struct extent {
        uint64_t first, bytes, dma;
        uint32_t view;
        struct span *next;
};

/**
 * struct span - an extent that readers share with one writer
 * @version: odd while it changes
 * @free:    the next one that is not in use; the writer's alone
 *
 * A cache line, so that one is read with one miss.
 */
struct span {
        _Alignas(64) atomic_uint version;
        _Atomic(uint32_t) view;
        _Atomic(uint64_t) first, bytes, dma;
        _Atomic(struct span *) next;
        struct span *free;
};

/**
 * struct spans - all of a handle
 * @blocks: their memory, @n_blocks with room for @room
 */
struct spans {
        struct span *free;
        struct span **blocks;
        size_t n_blocks, room;
};

/**
 * spans_get() - a chain of spans, linked by @next
 * @count: > 0
 * @ret:   the first; what they say is undefined. spans_put()
 *
 * Return: 0; -ENOMEM.
 */
int spans_get(struct spans *spans, size_t count, struct span **ret);

/* Give a chain back; NULL is fine. Readers may still look at it. */
void spans_put(struct spans *spans, struct span *first);

void spans_deinit(struct spans *spans);

/* Change what a span says, all but its next. */
void span_write(struct span *span, const struct extent *extent);

/* All of a span that most readers want: not its view, nor what is next. As span_read(). */
static inline bool span_read_place(const struct span *span, struct extent *ret)
{
        const unsigned version = atomic_load_explicit(&span->version, memory_order_acquire);

        /* Each load keeps the ones after it behind it, down to the version again. */
        ret->first = atomic_load_explicit(&span->first, memory_order_acquire);
        ret->bytes = atomic_load_explicit(&span->bytes, memory_order_acquire);
        ret->dma = atomic_load_explicit(&span->dma, memory_order_acquire);
        return !(version & 1) &&
               atomic_load_explicit(&span->version, memory_order_relaxed) == version;
}

/**
 * span_read() - what a span says
 *
 * Return: false where it changes meanwhile: whatever it was about is gone.
 */
static inline bool span_read(const struct span *span, struct extent *ret)
{
        const unsigned version = atomic_load_explicit(&span->version, memory_order_acquire);

        /* Each load keeps the ones after it behind it, down to the version again. */
        ret->first = atomic_load_explicit(&span->first, memory_order_acquire);
        ret->bytes = atomic_load_explicit(&span->bytes, memory_order_acquire);
        ret->dma = atomic_load_explicit(&span->dma, memory_order_acquire);
        ret->view = atomic_load_explicit(&span->view, memory_order_acquire);
        ret->next = atomic_load_explicit(&span->next, memory_order_acquire);
        return !(version & 1) &&
               atomic_load_explicit(&span->version, memory_order_relaxed) == version;
}
