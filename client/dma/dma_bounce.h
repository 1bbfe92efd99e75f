/* SPDX-License-Identifier: MIT */
/*
 * The slots of a device: in buffers that pard grants within its reach. There are more when there
 * are too few, and less when they have not been used for a while.
 */
#pragma once

#include "device_reach.h"
#include "dma_slots.h"
#include "public.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define BOUNCE_CHUNKS_MAX 64
#define BOUNCE_BUFFER_MAX                                                      \
        ((size_t)2 * 1024 * 1024) /* what pard is asked for at a time, at most \
                                   */
#define BOUNCE_BYTES_DEFAULT  ((size_t)64 * 1024 * 1024)
#define BOUNCE_BYTES_MAX      (BOUNCE_CHUNKS_MAX * BOUNCE_BUFFER_MAX)
#define BOUNCE_GRANULE        ((size_t)4096) /* of pard's: what buffers are multiples of */
#define BOUNCE_IDLE_MS        10000
#define BOUNCE_POOL_BYTES_MAX 63

/* struct bounce_chunk.news */
#define CHUNK_LEAVING  1u /* no more slots from there; it goes with its last one */
#define CHUNK_MOVED    2u
#define CHUNK_POISONED 4u

/**
 * struct bounce_chunk - a buffer of slots
 * @buffer:  NULL: it was given back; then it has no free slot. Protected by bounce::growing
 * @bytes:   of @buffer
 * @news:    CHUNK_*: what events said
 * @touched: somebody took or gave a slot since it was looked at last
 * @idle_ms: since when nobody has; protected by bounce::growing
 * @next_spare: bounce::spare
 *
 * It stays as long as the device is open: who comes too late finds nothing free in it.
 */
struct bounce_chunk {
        struct slots slots;
        struct par_buffer *buffer;
        struct bounce *bounce;
        _Atomic(size_t) bytes;
        atomic_uint news;
        atomic_bool touched;
        int64_t idle_ms;
        struct bounce_chunk *next_spare;
};

/**
 * struct bounce - all slots of a device
 * @device:  borrowed, with @reach
 * @stride, @longest: bounce_prepare() works them out of @reach: at what the slots of a mapping
 *           begin, and how long one may be
 * @chunks:  @n_chunks places; NULL: none was there yet
 * @growing: whoever asks pard, or gives back to it, has it; protects what follows
 * @missing: the most bytes that a mapping did not get which could not ask pard; read without it
 * @bytes:   of all buffers
 * @next_bytes: to ask for next
 * @spare:   chunks that are not in use
 */
struct bounce {
        struct par_device *device;
        const struct device_reach *reach;
        char pool[BOUNCE_POOL_BYTES_MAX + 1];
        uint64_t stride;
        size_t longest, bytes_max;
        uint32_t idle_after_ms;
        _Atomic(struct bounce_chunk *) chunks[BOUNCE_CHUNKS_MAX];
        _Atomic(size_t) n_chunks, missing;

        pthread_mutex_t growing;
        size_t bytes, next_bytes;
        uint64_t growths, shrinks;
        struct bounce_chunk *spare;
};

/* struct bounce_slot - slots that were taken: @data is where the first byte is */
struct bounce_slot {
        struct bounce_chunk *chunk;
        struct slot_run run;
        char *data;
        uint64_t dma;
};

void bounce_init(struct bounce *bounce, struct par_device *device,
                 const struct device_reach *reach);

/* Free what it has but the buffers, which are the handle's. */
void bounce_deinit(struct bounce *bounce);

/* The device sees memory elsewhere from now on: no more slots of those that are there. */
void bounce_retire(struct bounce *bounce);

/* Give all buffers back, of a device that uses none of them. Return: bytes of slots in use. */
uint64_t bounce_close(struct bounce *bounce);

/* What the device reaches is known, or has changed. */
void bounce_prepare(struct bounce *bounce);

/* The longest that it takes in one segment. */
static inline size_t bounce_bytes_max(const struct bounce *bounce)
{
        return bounce->longest;
}

/**
 * bounce_take() - slots for @bytes at @pointer
 * @bytes:    1 to bounce_bytes_max()
 * @may_wait: pard may be asked for more
 *
 * Return: 0; -PAR_EXHAUSTED, -PAR_FRAGMENTED; where pard is asked what par_alloc() returns;
 * -ENOMEM. par_error() is set.
 */
int bounce_take(struct bounce *bounce, uint64_t pointer, size_t bytes, bool may_wait,
                struct bounce_slot *ret);

/* The same of those that are there. Return: whether there were such. */
bool bounce_try(struct bounce *bounce, const struct slot_want *want, struct bounce_slot *ret);

/* Remember that a mapping which could not ask pard would have needed so many bytes. */
void bounce_miss(struct bounce *bounce, size_t bytes);

/**
 * bounce_give() - give slots of a chunk back
 * @may_wait: memory may be given back to pard
 *
 * Return: 0; -EALREADY where they were given back before. par_error() is set.
 */
int bounce_give(struct bounce_chunk *chunk, struct slot_run run, bool may_wait);

/* What became of the memory, before it is copied, @in or back. Return: 0; -EHWPOISON; -ESTALE.
 * par_error() is set. */
int bounce_check(const struct bounce_slot *slot, bool in);

/* Have so many bytes, and what was missing. Return: as par_bounce_reserve(). */
int bounce_reserve(struct bounce *bounce, size_t bytes);

/* Give back what nobody has slots of; without @all only what leaves, or was idle long enough.
 * Return: bytes. */
uint64_t bounce_sweep(struct bounce *bounce, bool all);

/**
 * bounce_heard() - an event of a buffer, with the lock of the handle held
 *
 * Return: whether the user is to hear of it as well; also where it is no buffer of slots.
 */
bool bounce_heard(struct par_buffer *buffer, uint32_t type);

/* Add up what there is. */
void bounce_stats(struct bounce *bounce, struct par_map_stats *ret);
