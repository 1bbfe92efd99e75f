/* SPDX-License-Identifier: MIT */
/*
 * Owns the threads' caches.
 *
 * A thread finds its cache by its thread pointer: that needs neither thread-local storage, of which
 * a library that is loaded later gets little that is fast, nor a call.
 *
 * Invariant: only the thread itself changes what is in its cache; a place with the lock held, too.
 * Refuses a cache to a thread whose end nobody would tell, or that could not be told from its
 * child.
 */
#include "slab.h"

#include <errno.h>
#include <sys/mman.h>

static size_t bytes_of(const struct par_slab *slab)
{
        return sizeof(struct slab_cache) + slab->cache_objects * sizeof(struct par_object);
}

/* An empty cache; NULL where there is no memory that a child finds cleared. */
static struct slab_cache *cache_new(const struct par_slab *slab)
{
        struct slab_cache *cache = mmap(NULL, bytes_of(slab), PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (cache == MAP_FAILED)
                return NULL;
        if (madvise(cache, bytes_of(slab), MADV_WIPEONFORK)) {
                munmap(cache, bytes_of(slab));
                return NULL;
        }
        cache->capacity = slab->cache_objects;
        return cache;
}

/* The place of a thread, or the first that is free; NULL: neither. */
static struct slab_place *place_of(struct par_slab *slab, uintptr_t thread, bool or_free)
{
        struct slab_place *set = slab_set_of(slab, thread), *free_one = NULL;

        for (unsigned i = 0; i < SLAB_SET_PLACES; i++) {
                const uintptr_t whose = atomic_load_explicit(&set[i].thread, memory_order_acquire);

                if (whose == thread)
                        return &set[i];
                if (!whose && or_free && !free_one)
                        free_one = &set[i];
        }
        return free_one;
}

struct slab_cache *slab_cache_get(struct par_slab *slab)
{
        const uintptr_t thread = thread_here();
        struct slab_place *place = slab_place_here(slab);
        struct slab_cache *cache = place ? place->cache : NULL;

        if (cache || !slab->cached || !slab_thread_note())
                return cache;
        pthread_mutex_lock(&slab->lock);
        place = place_of(slab, thread, true);
        if (place)
                cache = cache_new(slab);
        if (cache) {
                place->cache = cache;
                atomic_store_explicit(&place->thread, thread, memory_order_release);
        }
        pthread_mutex_unlock(&slab->lock);
        return cache;
}

/* With the lock held: what it counted is the slab's now. */
static void settle(struct par_slab *slab, const struct slab_cache *cache)
{
        const uint64_t puts = atomic_load_explicit(&cache->puts, memory_order_relaxed);

        slab->totals.puts += puts;
        slab->totals.gets += puts + atomic_load_explicit(&cache->taken, memory_order_relaxed) -
                             atomic_load_explicit(&cache->given, memory_order_relaxed) -
                             atomic_load_explicit(&cache->count, memory_order_relaxed);
        slab->totals.misses += atomic_load_explicit(&cache->misses, memory_order_relaxed);
}

static void give_all(struct par_slab *slab, struct slab_cache *cache)
{
        const size_t count = atomic_load_explicit(&cache->count, memory_order_relaxed);

        slab_depot_give(slab, cache->objects, count);
        atomic_store_explicit(&cache->count, 0, memory_order_relaxed);
        atomic_store_explicit(&cache->given,
                              atomic_load_explicit(&cache->given, memory_order_relaxed) + count,
                              memory_order_relaxed);
}

void slab_cache_empty(struct par_slab *slab, bool end)
{
        struct slab_place *place = place_of(slab, thread_here(), false);

        if (!place)
                return;
        give_all(slab, place->cache);
        if (!end)
                return;
        pthread_mutex_lock(&slab->lock);
        settle(slab, place->cache);
        munmap(place->cache, bytes_of(slab));
        place->cache = NULL;
        atomic_store_explicit(&place->thread, 0, memory_order_release);
        pthread_mutex_unlock(&slab->lock);
}

void slab_caches_free(struct par_slab *slab)
{
        for (size_t i = 0; i < SLAB_PLACES; i++) {
                if (slab->places[i].cache)
                        munmap(slab->places[i].cache, bytes_of(slab));
                slab->places[i].cache = NULL;
        }
}

/* With the lock held: add what the caches hold and have counted. */
static void add_caches(struct par_slab *slab, struct par_slab_stats *stats)
{
        struct slab_totals before = slab->totals;

        for (size_t i = 0; i < SLAB_PLACES; i++) {
                const struct slab_cache *cache = slab->places[i].cache;

                if (!cache)
                        continue;
                stats->cached += atomic_load_explicit(&cache->count, memory_order_relaxed);
                settle(slab, cache);
        }
        stats->gets = slab->totals.gets;
        stats->puts = slab->totals.puts;
        stats->misses = slab->totals.misses;
        slab->totals = before;
}

int par_slab_stats(struct par_slab *slab, struct par_slab_stats *ret)
{
        uint64_t left;
        int r;

        if (ret)
                *ret = (struct par_slab_stats){ 0 };
        r = slab_check(slab);
        if (!r && !ret)
                r = error_set(-EINVAL, "no place for the statistics");
        if (r)
                return r;
        pthread_mutex_lock(&slab->lock);
        add_caches(slab, ret);
        ret->objects = slab->objects;
        ret->idle = slab->n_idle;
        ret->damaged = slab->damaged;
        ret->buffers = slab->n_chunks;
        ret->bytes = slab->bytes;
        ret->growths = slab->totals.growths;
        ret->refusals = slab->totals.refusals;
        pthread_mutex_unlock(&slab->lock);
        /* What threads do meanwhile may be seen in one place and not yet in another. */
        left = ret->idle + ret->cached + ret->damaged;
        ret->in_use = ret->objects > left ? ret->objects - left : 0;
        return 0;
}
