/* SPDX-License-Identifier: MIT */
/*
 * Owns a slab from par_slab_create() to par_slab_destroy(), and the short way of an object: from
 * the calling thread's cache and back to it.
 *
 * Invariant: each object is in use, in one thread's cache, in the depot, or put aside. Refuses to
 * do more on the short way than to find the cache; whatever goes wrong is found out on the long
 * one.
 */
#include "slab.h"
#include "wish.h"

#include "macros.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define ALIGN_DEFAULT      64 /* a cache line */
#define CACHE_OBJECTS_MAX  512
#define CACHE_BYTES_MAX    MiB
#define BUFFER_BYTES_FIRST ((size_t)65536)
#define BUFFER_OBJECTS     512

int slab_check(const struct par_slab *slab)
{
        if (!slab)
                return error_set(-EINVAL, "no slab");
        return handle_is_ours(slab->par) ? 0 : handle_check(slab->par);
}

/* ---- what is wanted ------------------------------------------------------------------------- */

static bool is_power_of_two_or_none(uint64_t n)
{
        return !(n & (n - 1));
}

static int check_options(const struct par *par, const struct par_slab_options *options)
{
        uint64_t reserved = options->reserved_flags;

        for (size_t i = 0; i < ARRAY_SIZE(options->reserved); i++)
                reserved |= options->reserved[i];
        if (reserved || options->flags & ~(PAR_SLAB_DEBUG | PAR_SLAB_UNCACHED))
                return error_set(-EINVAL, "options: an unknown flag, or reserved is not zero");
        if (options->device && options->device->par != par)
                return error_set(-EINVAL, "the device belongs to another connection");
        if (options->pool && strlen(options->pool) > NAME_BYTES_MAX)
                return error_set(-EINVAL, "pool: %zu bytes, where at most %d are possible",
                                 strlen(options->pool), NAME_BYTES_MAX);
        return handle_check_name("label", options->label);
}

static int check_size(size_t object_bytes, const struct par_constraint *constraint,
                      const struct par_device *device)
{
        const struct {
                const char *name;
                uint64_t bytes;
        } limits[] = {
                { "the request's boundary", constraint->boundary },
                { "the request's max_segment_bytes", constraint->max_segment_bytes },
                { "the device's boundary", device ? device->limits.boundary : 0 },
                { "the device's max_segment_bytes", device ? device->limits.max_segment_bytes : 0 },
        };

        if (!object_bytes || object_bytes > PAR_SLAB_OBJECT_MAX)
                return error_set(-EINVAL, "objects of %zu bytes: it takes 1 to %zu", object_bytes,
                                 PAR_SLAB_OBJECT_MAX);
        if (!is_power_of_two_or_none(constraint->align) ||
            !is_power_of_two_or_none(constraint->boundary))
                return error_set(-EINVAL, "constraint: align or boundary is no power of two");
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
                if (limits[i].bytes && limits[i].bytes < object_bytes)
                        return error_set(-PAR_NEVER_FITS,
                                         "an object of %zu bytes does not fit into %s of %llu",
                                         object_bytes, limits[i].name,
                                         (unsigned long long)limits[i].bytes);
        return 0;
}

static int check(const struct par *par, size_t object_bytes,
                 const struct par_constraint *constraint, const struct par_slab_options *options)
{
        uint64_t reserved = constraint->flags;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(constraint->reserved); i++)
                reserved |= constraint->reserved[i];
        if (reserved)
                return error_set(-EINVAL, "constraint: flags or a reserved field is not zero");
        r = check_options(par, options);
        return r ? r : check_size(object_bytes, constraint, options->device);
}

static size_t clamp(size_t n, size_t least, size_t most)
{
        return n < least ? least : n > most ? most : n;
}

/* How many objects a thread may keep. */
static size_t cache_objects(const struct par_slab *slab, size_t wanted)
{
        size_t n = wanted;

        if (!n)
                n = clamp(CACHE_BYTES_MAX / slab->object_bytes, 2, CACHE_OBJECTS_MAX);
        return n < slab->object_max / 4 ? n : (size_t)(slab->object_max / 4);
}

static void set_options(struct par_slab *slab, const struct par_slab_options *options)
{
        slab->debug = options->flags & PAR_SLAB_DEBUG;
        slab->object_max = options->object_max ? options->object_max : UINT64_MAX;
        slab->cache_objects = cache_objects(slab, options->cache_objects);
        slab->cached =
                !slab->debug && !(options->flags & PAR_SLAB_UNCACHED) && slab->cache_objects >= 2;
        slab->may_grow_more = !options->buffer_bytes;
        slab->buffer_bytes = options->buffer_bytes;
        if (!slab->buffer_bytes)
                slab->buffer_bytes = clamp(BUFFER_OBJECTS * slab->object_bytes, BUFFER_BYTES_FIRST,
                                           SLAB_BUFFER_BYTES_MAX);
        snprintf(slab->pool, sizeof(slab->pool), "%s", options->pool ? options->pool : "");
        snprintf(slab->label, sizeof(slab->label), "%s", options->label ? options->label : "");
        slab->options = (struct par_alloc_options){
                .device = options->device,
                .pool = *slab->pool ? slab->pool : NULL,
                .label = *slab->label ? slab->label : NULL,
                .wait_ms = options->wait_ms,
                .flags = PAR_ALLOC_UNINITIALIZED,
        };
}

/* ---- life ----------------------------------------------------------------------------------- */

static void init(struct par_slab *slab, struct par *par, size_t object_bytes,
                 const struct par_constraint *constraint, const struct par_slab_options *options)
{
        memset(slab, 0, sizeof(*slab));
        slab->par = par;
        slab->object_bytes = object_bytes;
        slab->align = constraint->align ? constraint->align : ALIGN_DEFAULT;
        slab->constraint = *constraint;
        slab->constraint.align = slab->align;
        set_options(slab, options);
        pthread_mutex_init(&slab->growing, NULL);
        pthread_mutex_init(&slab->lock, NULL);
        RB_INIT(&slab->chunks);
}

static void deinit(struct par_slab *slab)
{
        struct slab_chunk *chunk;

        slab_caches_free(slab);
        while ((chunk = slab_chunk_first(slab))) {
                slab_chunk_remove(slab, chunk);
                slab_chunk_free(chunk);
        }
        free(slab->idle);
        free(slab);
}

int par_slab_create(struct par *par, size_t object_bytes, const struct par_constraint *constraint,
                    const struct par_slab_options *options, struct par_slab **ret)
{
        const struct par_constraint no_constraint = { 0 };
        const struct par_slab_options no_options = { 0 };
        struct par_slab *slab;
        int r;

        if (ret)
                *ret = NULL;
        r = handle_check(par);
        if (!r && !ret)
                r = error_set(-EINVAL, "no place for the slab");
        constraint = constraint ? constraint : &no_constraint;
        options = options ? options : &no_options;
        if (!r)
                r = check(par, object_bytes, constraint, options);
        if (r)
                return r;

        slab = aligned_alloc(_Alignof(struct par_slab), sizeof(*slab));
        if (!slab)
                return error_set(-ENOMEM, "no memory for a slab");
        init(slab, par, object_bytes, constraint, options);
        r = slab_thread_watch(slab);
        if (r) {
                deinit(slab);
                return r;
        }
        pthread_mutex_lock(&par->lock);
        LIST_INSERT_HEAD(&par->slabs, slab, of_handle);
        pthread_mutex_unlock(&par->lock);
        *ret = slab;
        return 0;
}

void slab_free(struct par_slab *slab, bool in_child)
{
        if (!in_child)
                slab_thread_unwatch(slab);
        else if (pthread_mutex_trylock(&slab->lock))
                return; /* at the fork another thread was changing it */
        deinit(slab);
}

static uint64_t tell_leaks(struct par_slab *slab)
{
        struct par_slab_stats stats;

        if (par_slab_stats(slab, &stats) || !stats.in_use)
                return 0;
        handle_log(
                slab->par, LOG_WARNING,
                "a slab of objects of %zu bytes%s%s is destroyed: %llu of them were not put back",
                slab->object_bytes, *slab->label ? ", label " : "", slab->label,
                (unsigned long long)stats.in_use);
        if (slab->debug)
                slab_debug_tell(slab);
        return stats.in_use;
}

uint64_t par_slab_destroy(struct par_slab *slab)
{
        struct slab_chunk *chunk;
        uint64_t leaks;

        if (!slab || slab_check(slab))
                return 0; /* in a child par_disconnect() frees it */
        leaks = tell_leaks(slab);
        pthread_mutex_lock(&slab->par->lock);
        LIST_REMOVE(slab, of_handle);
        pthread_mutex_unlock(&slab->par->lock);
        slab_thread_unwatch(slab);
        for (chunk = slab_chunk_first(slab); chunk; chunk = slab_chunk_next(chunk))
                buffer_release(STEAL(chunk->buffer), DEBUG_CALL);
        deinit(slab);
        return leaks;
}

struct par_slab *par_buffer_slab(const struct par_buffer *buffer)
{
        return buffer && !IS_STALE(buffer, DEBUG_USE_FACT)
                       ? atomic_load_explicit(&buffer->slab, memory_order_acquire)
                       : NULL;
}

/* ---- get ------------------------------------------------------------------------------------ */

static size_t count_of(const struct slab_cache *cache)
{
        return atomic_load_explicit(&cache->count, memory_order_relaxed);
}

static void set_count(struct slab_cache *cache, size_t count)
{
        atomic_store_explicit(&cache->count, count, memory_order_relaxed);
}

/* A thread's own counter. */
static void add(_Atomic(uint64_t) *counter, uint64_t n)
{
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                              memory_order_relaxed);
}

/* The cache, if there is one, has less than @count. */
static int get_long(struct par_slab *slab, struct par_object *objects, size_t count,
                    struct debug_call call)
{
        struct slab_cache *cache;
        size_t had = 0;
        int r;

        r = slab_check(slab);
        if (r)
                return r;
        if (!objects)
                return error_set(-EINVAL, "no place for the objects");
        if (!count)
                return 0;
        if (slab->debug)
                return slab_debug_get(slab, objects, count, call);
        cache = slab_cache_get(slab);
        if (cache) {
                had = count_of(cache);
                memcpy(objects, cache->objects, had * sizeof(*objects));
                set_count(cache, 0);
                add(&cache->misses, 1);
        }
        r = slab_depot_take(slab, objects + had, count - had, cache, call);
        if (r && cache)
                set_count(cache, had);
        return r;
}

/* What is not the short way is out of it: no registers are saved there for this. */
static __attribute__((__noinline__, __cold__)) int get_long_or_none(struct par_slab *slab,
                                                                    struct par_object *objects,
                                                                    size_t count,
                                                                    struct debug_call call)
{
        int r = get_long(slab, objects, count, call);

        if (r && objects)
                memset(objects, 0, count * sizeof(*objects));
        return r;
}

int par_slab_get(struct par_slab *slab, struct par_object *ret)
{
        const struct slab_place *place = slab ? slab_place_here(slab) : NULL;
        const size_t had = place ? count_of(place->cache) : 0;

        if (had && ret) {
                /* Word by word, as par_slab_put() has just stored it: the processor cannot forward
                 * two stores to one load. */
                const volatile struct par_object *object = &place->cache->objects[had - 1];

                ret->data = object->data;
                ret->dma = object->dma;
                set_count(place->cache, had - 1);
                return 0;
        }
        return get_long_or_none(slab, ret, 1, DEBUG_CALL);
}

int par_slab_get_bulk(struct par_slab *slab, struct par_object *objects, size_t count)
{
        const struct slab_place *place = slab ? slab_place_here(slab) : NULL;
        const size_t had = place ? count_of(place->cache) : 0;

        if (place && objects && had >= count) {
                memcpy(objects, place->cache->objects + had - count, count * sizeof(*objects));
                set_count(place->cache, had - count);
                return 0;
        }
        return get_long_or_none(slab, objects, count, DEBUG_CALL);
}

/* ---- put ------------------------------------------------------------------------------------ */

/* The depot gets what is in the way, so that the cache is half full in the end. */
static void spill(struct par_slab *slab, struct slab_cache *cache)
{
        const size_t count = count_of(cache), half = cache->capacity / 2;

        if (count <= half)
                return;
        slab_depot_give(slab, cache->objects + half, count - half);
        add(&cache->given, count - half);
        set_count(cache, half);
}

/* The cache, if there is one, has no room for @count. */
static __attribute__((__noinline__, __cold__)) int put_long(struct par_slab *slab,
                                                            const struct par_object *objects,
                                                            size_t count)
{
        struct slab_cache *cache;
        int r;

        r = slab_check(slab);
        if (r || !count)
                return r;
        if (!objects)
                return error_set(-EINVAL, "no objects");
        if (slab->debug)
                return slab_debug_put(slab, objects, count);
        cache = slab_cache_get(slab);
        if (cache) {
                spill(slab, cache);
                add(&cache->misses, 1);
        }
        if (cache && count <= cache->capacity - count_of(cache)) {
                memcpy(cache->objects + count_of(cache), objects, count * sizeof(*objects));
                set_count(cache, count_of(cache) + count);
                add(&cache->puts, count);
                return 0;
        }
        slab_depot_give(slab, objects, count);
        pthread_mutex_lock(&slab->lock);
        slab->totals.puts += count;
        pthread_mutex_unlock(&slab->lock);
        return 0;
}

static __attribute__((__noinline__, __cold__)) int put_one_long(struct par_slab *slab,
                                                                struct par_object object)
{
        return put_long(slab, &object, 1);
}

int par_slab_put(struct par_slab *slab, struct par_object object)
{
        const struct slab_place *place = slab ? slab_place_here(slab) : NULL;
        struct slab_cache *cache;
        size_t had;

        if (!place)
                return put_one_long(slab, object);
        cache = place->cache;
        had = count_of(cache);
        if (had == cache->capacity)
                return put_one_long(slab, object);
        cache->objects[had] = object;
        set_count(cache, had + 1);
        add(&cache->puts, 1);
        return 0;
}

int par_slab_put_bulk(struct par_slab *slab, const struct par_object *objects, size_t count)
{
        const struct slab_place *place = slab ? slab_place_here(slab) : NULL;
        struct slab_cache *cache;
        size_t had;

        if (!place || !objects)
                return put_long(slab, objects, count);
        cache = place->cache;
        had = count_of(cache);
        if (count > cache->capacity - had)
                return put_long(slab, objects, count);
        memcpy(cache->objects + had, objects, count * sizeof(*objects));
        set_count(cache, had + count);
        add(&cache->puts, count);
        return 0;
}
