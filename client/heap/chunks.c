/* SPDX-License-Identifier: MIT */
/*
 * Owns the chunks of a heap: takes them from pard when there is no room, and gives back those that
 * are empty.
 *
 * Invariant: the sum of all chunks, and of what is being asked for, is @held, and never above the
 * limit; every unit of every chunk is in the table of addresses. Refuses memory of pard's that does
 * not lie as it was asked for.
 */
#include "chunks.h"

#include "macros.h"
#include "thread.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void chunks_init(struct chunks *chunks)
{
        pthread_mutex_init(&chunks->lock, NULL);
        TAILQ_INIT(&chunks->all);
}

void chunks_deinit(struct chunks *chunks)
{
        struct chunk *chunk;

        while ((chunk = TAILQ_FIRST(&chunks->all))) {
                TAILQ_REMOVE(&chunks->all, chunk, link);
                chunk_free(chunk);
        }
        addresses_deinit(&chunks->addresses);
        pthread_mutex_destroy(&chunks->lock);
}

/* ---- one more chunk ------------------------------------------------------------------------- */

/* Whatever is aligned in one view is in the other, and all of it is contiguous for the device. */
static int check_place(const struct par_buffer *buffer, uint64_t align)
{
        uint64_t dma = par_buffer_dma(buffer);

        if (par_buffer_segments(buffer, NULL) != 1)
                return thread_fail(-PAR_FRAGMENTED, "pard's memory is in several places");
        if (((uintptr_t)par_buffer_data(buffer) | (dma == PAR_PHYS_NONE ? 0 : dma)) & (align - 1))
                return thread_fail(-PAR_NEVER_FITS,
                                   "pard's memory does not begin on a multiple of %" PRIu64
                                   " KiB for the device and the program alike",
                                   align / KiB);
        return 0;
}

/* The units of a new chunk, each with the address that the device has for it. */
static void add_units(struct addresses *addresses, struct chunk *chunk)
{
        uint64_t dma = par_buffer_dma(chunk->buffer), delta = DELTA_NONE;
        uintptr_t kinds = (uintptr_t)chunk->kinds - (uintptr_t)chunk->data / PAGE_BYTES;

        if (dma != PAR_PHYS_NONE)
                delta = dma - (uintptr_t)chunk->data;
        for (size_t offset = 0; offset < chunk->pages * PAGE_BYTES; offset += UNIT_BYTES)
                addresses_add(addresses, (uintptr_t)chunk->data + offset, delta, chunk, kinds);
}

static void remove_units(struct addresses *addresses, const struct chunk *chunk)
{
        for (size_t offset = 0; offset < chunk->pages * PAGE_BYTES; offset += UNIT_BYTES)
                addresses_remove(addresses, (uintptr_t)chunk->data + offset);
}

/* Charge the heap before pard is asked, with the lock held. */
static int charge(struct chunks *chunks, uint64_t bytes)
{
        if (chunks->limit_bytes - chunks->held < bytes)
                return thread_fail(-PAR_QUOTA,
                                   "the heap holds %" PRIu64 " KiB of its limit of %" PRIu64
                                   " KiB, and needs %" PRIu64 " KiB more",
                                   chunks->held / KiB, chunks->limit_bytes / KiB, bytes / KiB);
        chunks->held += bytes;
        if (chunks->held > chunks->peak)
                chunks->peak = chunks->held;
        return 0;
}

static int make_chunk(struct chunks *chunks, uint64_t bytes, bool wait, struct chunk **ret)
{
        struct par_alloc_options options = chunks->options;
        struct par_buffer *buffer;
        int r;

        if (!wait)
                options.wait_ms = 0;
        r = par_alloc(chunks->par, bytes, &chunks->constraint, &options, &buffer);
        if (r)
                return thread_fail(r, "%s", par_error(chunks->par));
        r = check_place(buffer, chunks->constraint.align);
        if (!r) {
                *ret = chunk_new(buffer);
                if (*ret)
                        return 0;
                r = thread_fail(-ENOMEM, "no memory for the map of a chunk");
        }
        par_free(buffer);
        return r;
}

/* Take a chunk of @bytes. The lock is held, but not while pard is asked. @wait: as the options say;
 * else not at all. */
static int grow(struct chunks *chunks, uint64_t bytes, bool wait)
{
        struct chunk *chunk;
        int r;

        r = charge(chunks, bytes);
        if (r)
                return r;
        pthread_mutex_unlock(&chunks->lock);
        r = make_chunk(chunks, bytes, wait, &chunk);
        pthread_mutex_lock(&chunks->lock);
        if (!r && addresses_reserve(&chunks->addresses, bytes / UNIT_BYTES)) {
                chunk_free(chunk);
                r = thread_fail(-ENOMEM, "no memory for the addresses of a chunk");
        }
        if (r) {
                chunks->held -= bytes;
                return r;
        }
        add_units(&chunks->addresses, chunk);
        TAILQ_INSERT_TAIL(&chunks->all, chunk, link);
        chunks->count++;
        chunks->grown++;
        return 0;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static void *take_here(struct chunks *chunks, size_t bytes, size_t align, size_t *ret_fresh_pages)
{
        struct chunk *chunk;
        void *at;

        TAILQ_FOREACH (chunk, &chunks->all, link) {
                at = chunk_take(chunk, bytes / PAGE_BYTES, align / PAGE_BYTES, ret_fresh_pages);
                if (at)
                        return at;
        }
        return NULL;
}

/*
 * Grow by a whole chunk, or where that is refused by less and less, down to what is needed. What is
 * refused for ever, as where the device has a boundary, is not asked for again.
 */
static int grow_for(struct chunks *chunks, size_t bytes)
{
        uint64_t least = (bytes + UNIT_BYTES - 1) & ~(uint64_t)(UNIT_BYTES - 1), size;
        int r;

        size = least > chunks->chunk_bytes ? least : chunks->chunk_bytes;
        for (;;) {
                r = grow(chunks, size, size == least);
                if (r > -PAR_NEVER_FITS || size == least)
                        return r; /* done; or a fault; or refused */
                size = size / 2 & ~(uint64_t)(UNIT_BYTES - 1);
                if (size < least)
                        size = least;
                if (r == -PAR_NEVER_FITS && size < chunks->chunk_bytes)
                        chunks->chunk_bytes = size;
        }
}

static int take(struct chunks *chunks, size_t bytes, size_t align, size_t *ret_fresh_pages,
                void **ret)
{
        int r;

        /* Another thread may take what this one has just made room for. */
        while (!(*ret = take_here(chunks, bytes, align, ret_fresh_pages))) {
                r = grow_for(chunks, bytes);
                if (r) {
                        chunks->refusals++;
                        return r;
                }
        }
        return 0;
}

int chunks_take(struct chunks *chunks, size_t bytes, size_t align, bool zero, bool *ret_zero,
                void **ret)
{
        size_t fresh_pages, used;
        int r;

        pthread_mutex_lock(&chunks->lock);
        r = take(chunks, bytes, align, &fresh_pages, ret);
        pthread_mutex_unlock(&chunks->lock);
        if (r)
                return r;
        used = bytes - fresh_pages * PAGE_BYTES;
        if (zero && used)
                memset(*ret, 0, used);
        *ret_zero = zero || !used;
        return 0;
}

void chunks_give(struct chunks *chunks, const void *at, size_t bytes)
{
        struct chunk *chunk;

        pthread_mutex_lock(&chunks->lock);
        chunk = atomic_load_explicit(&addresses_find(&chunks->addresses, at)->chunk,
                                     memory_order_relaxed);
        chunk_give(chunk, at, bytes / PAGE_BYTES);
        if (chunk_is_empty(chunk)) {
                TAILQ_REMOVE(&chunks->all, chunk, link);
                remove_units(&chunks->addresses, chunk);
                chunks->held -= chunk->pages * PAGE_BYTES;
                chunks->count--;
                chunks->shrunk++;
        } else {
                chunk = NULL;
        }
        pthread_mutex_unlock(&chunks->lock);
        chunk_free(chunk);
}

bool chunks_join(const struct chunks *chunks, const void *a, const void *b)
{
        struct unit *of_a = addresses_find(&chunks->addresses, a);
        struct unit *of_b = addresses_find(&chunks->addresses, b);

        return of_a && of_b &&
               atomic_load_explicit(&of_a->chunk, memory_order_relaxed) ==
                       atomic_load_explicit(&of_b->chunk, memory_order_relaxed);
}
