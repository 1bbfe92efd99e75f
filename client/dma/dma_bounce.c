/* SPDX-License-Identifier: MIT */
/*
 * Owns the slots of a device while they are there: taking and giving them. dma_grow.c gets more,
 * and gives what is idle back.
 *
 * Invariant: a slot belongs to the mapping that took it; a buffer goes only when all of its slots
 * were taken for that. Refuses to hold a lock on the short way, and to ask pard for who may not
 * wait.
 */
#include "dma_bounce.h"

#include "dma_grow.h"
#include "handle.h"
#include "thread_here.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HINTS     8 /* areas of a chunk at which threads begin to look */
#define TRIES_MAX 4 /* growths for one mapping, where others take what came */

void bounce_init(struct bounce *bounce, struct par_device *device, const struct device_reach *reach)
{
        *bounce = (struct bounce){
                .device = device,
                .reach = reach,
                .bytes_max = BOUNCE_BYTES_DEFAULT,
                .idle_after_ms = BOUNCE_IDLE_MS,
                .next_bytes = BOUNCE_BUFFER_FIRST,
        };
        pthread_mutex_init(&bounce->growing, NULL);
        bounce_prepare(bounce);
}

static void chunk_free(struct bounce_chunk *chunk)
{
        if (!chunk)
                return;
        free(chunk->slots.areas);
        free(chunk);
}

void bounce_deinit(struct bounce *bounce)
{
        struct bounce_chunk *chunk;

        for (size_t i = 0; i < BOUNCE_CHUNKS_MAX; i++)
                chunk_free(atomic_load_explicit(&bounce->chunks[i], memory_order_relaxed));
        while ((chunk = bounce->spare)) {
                bounce->spare = chunk->next_spare;
                chunk_free(chunk);
        }
        pthread_mutex_destroy(&bounce->growing);
}

void bounce_prepare(struct bounce *bounce)
{
        const struct device_reach *reach = bounce->reach;
        const uint64_t slack = (reach->min_align_mask + SLOT_BYTES - 1) & ~(SLOT_BYTES - 1);
        uint64_t bytes = grow_segment_bytes(reach) & ~(SLOT_BYTES - 1);

        if (bytes > BOUNCE_BUFFER_MAX)
                bytes = BOUNCE_BUFFER_MAX;
        if (bytes > bounce->bytes_max)
                bytes = bounce->bytes_max;
        bounce->longest = bytes > slack ? (size_t)(bytes - slack) : 0;
        bounce->stride = grow_stride(reach);
}

/* ---- taking --------------------------------------------------------------------------------- */

static size_t hint(void)
{
        return (size_t)((uint64_t)thread_here() * UINT64_C(0x9e3779b97f4a7c15) >> 32) % HINTS;
}

bool bounce_try(struct bounce *bounce, const struct slot_want *want, struct bounce_slot *ret)
{
        const size_t n = atomic_load_explicit(&bounce->n_chunks, memory_order_acquire);

        for (size_t i = 0; i < n; i++) {
                struct bounce_chunk *chunk =
                        atomic_load_explicit(&bounce->chunks[i], memory_order_acquire);

                if (!chunk || atomic_load_explicit(&chunk->news, memory_order_relaxed) ||
                    !slots_take(&chunk->slots, want, &ret->run))
                        continue;
                if (!atomic_load_explicit(&chunk->touched, memory_order_relaxed))
                        atomic_store_explicit(&chunk->touched, true, memory_order_relaxed);
                ret->chunk = chunk;
                ret->data = slots_data(&chunk->slots, ret->run) + (want->low & (SLOT_BYTES - 1));
                ret->dma = slots_dma(&chunk->slots, ret->run) + (want->low & (SLOT_BYTES - 1));
                return true;
        }
        return false;
}

/* With bounce::growing. */
static int take_more(struct bounce *bounce, const struct slot_want *want, struct bounce_slot *ret)
{
        int r = 0;

        /* Others, who have not got it, may be quicker than we are. */
        for (unsigned tries = 0; tries < TRIES_MAX && !r; tries++) {
                if (bounce_try(bounce, want, ret))
                        return 0;
                r = grow(bounce, want, true);
        }
        return r ? r : grow_refuse(bounce, want, "other threads took all there were");
}

void bounce_miss(struct bounce *bounce, size_t bytes)
{
        size_t missing = atomic_load_explicit(&bounce->missing, memory_order_relaxed);

        while (missing < bytes && !atomic_compare_exchange_weak(&bounce->missing, &missing, bytes))
                ;
}

static __attribute__((__noinline__)) int take_far(struct bounce *bounce,
                                                  const struct slot_want *want, bool may_wait,
                                                  struct bounce_slot *ret)
{
        const size_t needed = slots_span(want) * SLOT_BYTES;
        int r;

        if (may_wait) {
                pthread_mutex_lock(&bounce->growing);
                r = take_more(bounce, want, ret);
                pthread_mutex_unlock(&bounce->growing);
                return r;
        }
        bounce_miss(bounce, needed);
        return grow_refuse(bounce, want,
                           "PAR_MAP_ATOMIC asks pard for no more, par_bounce_reserve() does");
}

/* All of the short way in one, as in dma_map.c. */
__attribute__((__flatten__)) int bounce_take(struct bounce *bounce, uint64_t pointer, size_t bytes,
                                             bool may_wait, struct bounce_slot *ret)
{
        const struct device_reach *reach = bounce->reach;
        const struct slot_want want = {
                .bytes = bytes,
                .low = pointer & reach->min_align_mask,
                .stride = bounce->stride,
                .hint = hint(),
        };

        if (want.low & reach->low_mask)
                return error_set(-PAR_NEVER_FITS,
                                 "memory at %#llx for device %s: addresses have to begin on "
                                 "multiples of %#llx, and to keep the bits %#llx of the pointer",
                                 (unsigned long long)pointer, bounce->device->name,
                                 (unsigned long long)reach->low_mask + 1,
                                 (unsigned long long)reach->min_align_mask);
        return bounce_try(bounce, &want, ret) ? 0 : take_far(bounce, &want, may_wait, ret);
}

/* ---- giving --------------------------------------------------------------------------------- */

int bounce_give(struct bounce_chunk *chunk, struct slot_run run, bool may_wait)
{
        if (!atomic_load_explicit(&chunk->touched, memory_order_relaxed))
                atomic_store_explicit(&chunk->touched, true, memory_order_relaxed);
        if (!slots_give(&chunk->slots, run))
                return error_set(-EALREADY, "the mapping was unmapped before");
        if (may_wait && atomic_load_explicit(&chunk->news, memory_order_relaxed) & CHUNK_LEAVING)
                bounce_sweep(chunk->bounce, false);
        return 0;
}

int bounce_check(const struct bounce_slot *slot, bool in)
{
        const unsigned news = atomic_load_explicit(&slot->chunk->news, memory_order_relaxed);

        if (news & CHUNK_POISONED)
                return error_set(-EHWPOISON,
                                 "memory through which device %s was bounced has failed (a "
                                 "hardware error): %s",
                                 slot->chunk->bounce->device->name,
                                 in ? "nothing can be written there for the device"
                                    : "what the device wrote is lost");
        if (news & CHUNK_MOVED)
                return error_set(-ESTALE,
                                 "memory through which device %s was bounced has moved: what %s",
                                 slot->chunk->bounce->device->name,
                                 in ? "is written there the device may not see"
                                    : "the device wrote may be lost");
        return 0;
}

void bounce_retire(struct bounce *bounce)
{
        const size_t n = atomic_load_explicit(&bounce->n_chunks, memory_order_acquire);

        for (size_t i = 0; i < n; i++) {
                struct bounce_chunk *chunk =
                        atomic_load_explicit(&bounce->chunks[i], memory_order_acquire);

                if (chunk)
                        atomic_fetch_or_explicit(&chunk->news, CHUNK_LEAVING, memory_order_relaxed);
        }
}

/* ---- events --------------------------------------------------------------------------------- */

static unsigned news_of(struct bounce_chunk *chunk, uint32_t type)
{
        switch (type) {
        case PAR_EVENT_MOVED: return CHUNK_LEAVING | CHUNK_MOVED;
        case PAR_EVENT_POISONED: return CHUNK_LEAVING | CHUNK_POISONED;
        case PAR_EVENT_REVOKED:
        case PAR_EVENT_DRAINING: return CHUNK_LEAVING;
        /* Whoever uses it would have to get as much again. */
        case PAR_EVENT_WANTED: return slots_used(&chunk->slots) ? 0 : CHUNK_LEAVING;
        default: return 0;
        }
}

bool bounce_heard(struct par_buffer *buffer, uint32_t type)
{
        struct bounce_chunk *chunk = atomic_load_explicit(&buffer->bounce, memory_order_acquire);

        if (!chunk)
                return true;
        atomic_fetch_or_explicit(&chunk->news, news_of(chunk, type), memory_order_relaxed);
        return type != PAR_EVENT_DRAINING && type != PAR_EVENT_WANTED;
}

struct par_device *par_buffer_bounces(const struct par_buffer *buffer)
{
        const struct bounce_chunk *chunk =
                buffer && !IS_STALE(buffer, DEBUG_USE_FACT)
                        ? atomic_load_explicit(&buffer->bounce, memory_order_acquire)
                        : NULL;

        return chunk ? chunk->bounce->device : NULL;
}

void bounce_stats(struct bounce *bounce, struct par_map_stats *ret)
{
        pthread_mutex_lock(&bounce->growing);
        ret->slot_bytes = bounce->bytes;
        ret->growths = bounce->growths;
        ret->shrinks = bounce->shrinks;
        ret->used_bytes = grow_used_bytes(bounce);
        pthread_mutex_unlock(&bounce->growing);
}
