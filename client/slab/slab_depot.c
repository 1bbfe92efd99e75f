/* SPDX-License-Identifier: MIT */
/*
 * Owns what is left for all threads, and asks pard where that is not enough.
 *
 * Invariant: the depot has room for all objects there are, so giving back cannot fail. One thread
 * at a time asks pard, without the lock: others go on with what is there. Refuses to ask for more
 * than object_max.
 */
#include "slab.h"
#include "wish.h"

#include "macros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GRANULE_BYTES ((size_t)4096)

/* ---- asking pard ---------------------------------------------------------------------------- */

/* The longest segment that a buffer can have. */
static uint64_t segment_bytes(const struct par_slab *slab)
{
        const struct par_device *device = slab->options.device;
        const uint64_t limits[] = {
                slab->constraint.boundary,
                slab->constraint.max_segment_bytes,
                device ? device->limits.boundary : 0,
                device ? device->limits.max_segment_bytes : 0,
        };
        uint64_t least = UINT64_MAX;

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
                if (limits[i] && limits[i] < least)
                        least = limits[i];
        return least;
}

/* Room for the objects of one more chunk. Where something was put more than once the list may have
 * more than there are. Return: 0; -ENOMEM. */
static int make_room(struct par_slab *slab, size_t more)
{
        const size_t there = slab->n_idle > slab->objects ? slab->n_idle : slab->objects;
        size_t room = slab->idle_room ? slab->idle_room : 64;
        struct par_object *idle;

        while (room < there + more)
                room *= 2;
        if (room == slab->idle_room)
                return 0;
        idle = reallocarray(slab->idle, room, sizeof(*idle));
        if (!idle)
                return error_set(-ENOMEM, "no memory for the list of a slab's objects");
        slab->idle = idle;
        slab->idle_room = room;
        return 0;
}

/* Divide a buffer. Return: 0; -ENOMEM; -PAR_FRAGMENTED. */
static int adopt(struct par_slab *slab, struct par_buffer *buffer)
{
        struct slab_chunk *chunk;
        uint64_t most;
        int r;

        pthread_mutex_lock(&slab->lock);
        most = slab->object_max - slab->objects;
        if (most > slab_chunk_room(slab, buffer->size))
                most = slab_chunk_room(slab, buffer->size);
        r = make_room(slab, (size_t)most);
        if (!r)
                r = slab_chunk_new(slab, buffer, most, slab->idle + slab->n_idle, &chunk);
        if (!r) {
                slab->n_idle += chunk->objects;
                slab->totals.growths++;
                slab_chunk_insert(slab, chunk);
        }
        pthread_mutex_unlock(&slab->lock);
        return r;
}

/* Ask for one buffer. @wait: as long as the user said. */
static int ask(struct par_slab *slab, size_t bytes, bool wait)
{
        struct par_constraint constraint = slab->constraint;
        struct par_alloc_options options = slab->options;
        const struct asker asker = { .call = slab->call, .holder = DEBUG_OF_SLAB };
        struct par_buffer *buffer;
        int r;

        constraint.max_segments = bytes > segment_bytes(slab) ? PAR_SEGMENTS_ANY : 1;
        if (!wait)
                options.wait_ms = 0;
        r = buffer_ask(slab->par, bytes, &constraint, &options, &asker, &buffer);
        if (r)
                return r;
        r = adopt(slab, buffer);
        if (r)
                buffer_release(buffer, slab->call);
        return r;
}

/* Whether less may be had where so much is not. */
static bool is_about_size(int r)
{
        return r == -PAR_NEVER_FITS || r == -PAR_EXHAUSTED || r == -PAR_FRAGMENTED ||
               r == -PAR_QUOTA;
}

/* The least that has room for an object, and for its red zone. */
static size_t least_bytes(const struct par_slab *slab)
{
        const size_t bytes = slab->object_bytes + (slab->debug ? SLAB_RED_ZONE_BYTES : 0);

        return (bytes + GRANULE_BYTES - 1) & ~(GRANULE_BYTES - 1);
}

/* Ask for less and less, until it is granted. */
static int ask_down(struct par_slab *slab)
{
        const size_t least = least_bytes(slab);
        size_t bytes = slab->buffer_bytes > least ? slab->buffer_bytes : least;
        int r;

        while ((r = ask(slab, bytes, bytes == least)) && is_about_size(r) && bytes > least) {
                bytes = bytes / 2 & ~(GRANULE_BYTES - 1);
                if (bytes < least)
                        bytes = least;
                slab->buffer_bytes = bytes;
        }
        /* A slab that grows often grows by more. */
        if (!r && slab->may_grow_more && bytes == slab->buffer_bytes &&
            bytes <= SLAB_BUFFER_BYTES_MAX / 2 && bytes < slab->bytes)
                slab->buffer_bytes = bytes * 2;
        return r;
}

static int check_limit(struct par_slab *slab, size_t count)
{
        const uint64_t missing = count - slab->n_idle;

        if (missing <= slab->object_max - slab->objects)
                return 0;
        return error_set(-PAR_QUOTA,
                         "%zu objects of a slab that may have %llu: %llu are there, of which %zu "
                         "are left; threads may have some in their caches",
                         count, (unsigned long long)slab->object_max,
                         (unsigned long long)slab->objects, slab->n_idle);
}

/* Get more, unless another thread has done so. @count: so many are wanted. */
static int grow(struct par_slab *slab, size_t count, struct debug_call call)
{
        bool enough;
        int r = 0;

        pthread_mutex_lock(&slab->growing);
        slab->call = call;
        pthread_mutex_lock(&slab->lock);
        enough = slab->n_idle >= count;
        if (!enough)
                r = check_limit(slab, count);
        pthread_mutex_unlock(&slab->lock);
        if (!enough && !r)
                r = ask_down(slab);
        pthread_mutex_unlock(&slab->growing);
        if (r) {
                pthread_mutex_lock(&slab->lock);
                slab->totals.refusals++;
                pthread_mutex_unlock(&slab->lock);
        }
        return r;
}

/* ---- taking and giving ---------------------------------------------------------------------- */

/* The last @count of them. */
static void pop(struct par_slab *slab, struct par_object *ret, size_t count)
{
        slab->n_idle -= count;
        memcpy(ret, slab->idle + slab->n_idle, count * sizeof(*ret));
}

static void fill(struct par_slab *slab, struct slab_cache *cache)
{
        const size_t half = cache->capacity / 2, n = slab->n_idle < half ? slab->n_idle : half;

        pop(slab, cache->objects, n);
        atomic_store_explicit(&cache->count, n, memory_order_relaxed);
        atomic_store_explicit(&cache->taken,
                              atomic_load_explicit(&cache->taken, memory_order_relaxed) + n,
                              memory_order_relaxed);
}

int slab_depot_take(struct par_slab *slab, struct par_object *ret, size_t count,
                    struct slab_cache *more, struct debug_call call)
{
        int r;

        pthread_mutex_lock(&slab->lock);
        while (slab->n_idle < count) {
                pthread_mutex_unlock(&slab->lock);
                r = grow(slab, count, call);
                if (r)
                        return r;
                pthread_mutex_lock(&slab->lock);
        }
        pop(slab, ret, count);
        slab->totals.gets += count;
        if (more)
                fill(slab, more);
        pthread_mutex_unlock(&slab->lock);
        return 0;
}

void slab_depot_give(struct par_slab *slab, const struct par_object *objects, size_t count)
{
        pthread_mutex_lock(&slab->lock);
        if (count > slab->idle_room - slab->n_idle)
                count = slab->idle_room - slab->n_idle; /* something was put more than once */
        memcpy(slab->idle + slab->n_idle, objects, count * sizeof(*objects));
        slab->n_idle += count;
        pthread_mutex_unlock(&slab->lock);
}

int par_slab_reserve(struct par_slab *slab, uint64_t count)
{
        uint64_t missing;
        int r;

        r = slab_check(slab);
        while (!r) {
                pthread_mutex_lock(&slab->lock);
                missing = count > slab->objects ? count - slab->objects + slab->n_idle : 0;
                pthread_mutex_unlock(&slab->lock);
                if (!missing)
                        return 0;
                r = grow(slab, (size_t)missing, DEBUG_CALL);
        }
        return r;
}

/* ---- giving memory back --------------------------------------------------------------------- */

/* Most objects lie in the chunk of the object before. NULL: what somebody put is none of ours. */
static struct slab_chunk *chunk_of(struct par_slab *slab, struct slab_chunk *before, const void *at)
{
        if (before && (uintptr_t)at >= before->first && (uintptr_t)at <= before->last)
                return before;
        return slab_chunk_find(slab, at);
}

/* Count what is left of each chunk, and forget that of chunks none of which is in use. */
static void sort_out(struct par_slab *slab)
{
        struct slab_chunk *chunk = NULL;
        size_t n = 0;

        for (chunk = slab_chunk_first(slab); chunk; chunk = slab_chunk_next(chunk))
                chunk->idle = 0;
        for (size_t i = 0; i < slab->n_idle; i++) {
                chunk = chunk_of(slab, chunk, slab->idle[i].data);
                if (chunk)
                        chunk->idle++;
        }
        for (size_t i = 0; i < slab->n_idle; i++) {
                chunk = chunk_of(slab, chunk, slab->idle[i].data);
                if (chunk && chunk->idle < chunk->objects)
                        slab->idle[n++] = slab->idle[i];
        }
        slab->n_idle = n;
}

/* With the lock held: take a chunk out none of whose objects is in use; NULL: there is none. */
static struct slab_chunk *take_empty(struct par_slab *slab, struct slab_chunk **cursor)
{
        struct slab_chunk *chunk;

        while ((chunk = *cursor)) {
                *cursor = slab_chunk_next(chunk);
                if (chunk->idle == chunk->objects) {
                        slab_chunk_remove(slab, chunk);
                        return chunk;
                }
        }
        return NULL;
}

int par_slab_trim(struct par_slab *slab, uint64_t *ret_bytes)
{
        struct slab_chunk *cursor, *chunk;
        uint64_t bytes = 0;
        int r;

        if (ret_bytes)
                *ret_bytes = 0;
        r = slab_check(slab);
        if (r)
                return r;
        slab_cache_empty(slab, false);
        pthread_mutex_lock(&slab->growing); /* no chunk comes meanwhile, none else goes */
        pthread_mutex_lock(&slab->lock);
        sort_out(slab);
        cursor = slab_chunk_first(slab);
        while ((chunk = take_empty(slab, &cursor))) {
                pthread_mutex_unlock(&slab->lock);
                bytes += chunk->buffer->size;
                buffer_release(chunk->buffer, DEBUG_CALL);
                slab_chunk_free(chunk);
                pthread_mutex_lock(&slab->lock);
        }
        pthread_mutex_unlock(&slab->lock);
        pthread_mutex_unlock(&slab->growing);
        if (ret_bytes)
                *ret_bytes = bytes;
        return 0;
}
