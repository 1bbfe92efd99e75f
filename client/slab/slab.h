/* SPDX-License-Identifier: MIT */
/*
 * A slab, as its parts see it: buffers divided into objects (slab_chunk.c), those that are left
 * (slab_depot.c), those that threads keep (slab_cache.c), and who looks after mistakes
 * (slab_debug.c).
 */
#pragma once

#include "handle.h"
#include "thread_here.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define SLAB_RED_ZONE_BYTES 64

/* What a slab asks for at a time by itself, at most. */
#define SLAB_BUFFER_BYTES_MAX ((size_t)2 * 1024 * 1024)

enum slab_record_state {
        RECORD_IDLE,
        RECORD_IN_USE,
        RECORD_DAMAGED,
};

/* struct slab_record - what PAR_SLAB_DEBUG knows of an object; @caller: who got it last */
struct slab_record {
        struct par_object object;
        enum slab_record_state state;
        const void *caller;
};

/**
 * struct slab_chunk - a buffer and its objects
 * @first, @last: addresses that it covers
 * @objects: how many it was divided into
 * @idle:    of use to par_slab_trim() alone
 * @records: of its objects, by address; NULL without PAR_SLAB_DEBUG
 */
struct slab_chunk {
        RB_ENTRY(slab_chunk) by_address; /* par_slab::chunks */
        struct par_buffer *buffer;
        uintptr_t first, last;
        size_t objects, idle;
        struct slab_record *records;
};

RB_HEAD(slab_chunk_tree, slab_chunk);

/**
 * struct slab_cache - objects that a thread keeps for itself
 * @count:    in @objects; written by the thread alone, as is what follows
 * @capacity: room for them
 * @puts:     into it; @taken: from the depot; @given: to the depot; @misses
 *
 * It lies in pages that a child of fork() finds cleared: empty, with room for nothing, so that the
 * child comes to where it is told who it is.
 */
struct slab_cache {
        _Atomic(size_t) count;
        size_t capacity;
        _Atomic(uint64_t) puts, taken, given, misses;
        _Alignas(64) struct par_object objects[];
};

/**
 * struct slab_place - where a thread finds its cache
 * @thread: its thread pointer, which no two threads have at the same time; 0: nobody's
 * @cache:  changed by the thread alone, with the lock held
 */
struct slab_place {
        _Atomic(uintptr_t) thread;
        struct slab_cache *cache;
};

/* Places of threads, in sets of a cache line. A thread whose set is full has no cache. */
#define SLAB_SETS_SHIFT 7
#define SLAB_SET_PLACES 4
#define SLAB_PLACES     (SLAB_SET_PLACES << SLAB_SETS_SHIFT)

/* struct slab_totals - of what went past the caches, and of threads that ended */
struct slab_totals {
        uint64_t gets, puts, misses, growths, refusals;
};

/**
 * struct par_slab - a slab
 * @places:    of the threads' caches
 * @cached:    threads have caches
 * @debug:     PAR_SLAB_DEBUG; then they have none
 * @align:     of objects, a power of two
 * @constraint, @options, @pool, @label: how buffers are asked for; @options refers to the others
 * @cache_objects: room of a cache
 * @object_max: UINT64_MAX: no limit
 * @growing:   taken before @lock by who asks pard, because of @call; that it protects
 * @may_grow_more: @buffer_bytes may become more
 * @buffer_bytes: to ask for next; protected by @growing
 * @lock:      protects what follows
 * @idle:      the depot: @n_idle objects, with room for all there are
 * @objects, @damaged: how many there are, and were put aside
 * @bytes:     of @n_chunks
 */
struct par_slab {
        _Alignas(64) struct slab_place places[SLAB_PLACES];
        struct par *par;
        bool cached, debug, may_grow_more;
        size_t object_bytes, align, cache_objects;
        struct par_constraint constraint;
        struct par_alloc_options options;
        char pool[NAME_BYTES_MAX + 1], label[NAME_BYTES_MAX + 1];
        uint64_t object_max;
        LIST_ENTRY(par_slab) of_handle;  /* par::slabs */
        LIST_ENTRY(par_slab) of_process; /* slab_thread.c */

        pthread_mutex_t growing;
        struct debug_call call;
        size_t buffer_bytes;

        pthread_mutex_t lock;
        struct par_object *idle;
        size_t n_idle, idle_room;
        uint64_t objects, damaged, bytes;
        size_t n_chunks;
        struct slab_chunk_tree chunks;
        struct slab_totals totals;
};

/* ---- slab.c: life --------------------------------------------------------------------------- */

/* May this process use the slab? Return: 0; -EINVAL for NULL; -ECHILD. par_error() is set. */
int slab_check(const struct par_slab *slab);

/* Free what a slab has but its buffers, which are the handle's. @in_child: of fork(). With the
 * handle's lock held, or where nobody else has the handle. */
void slab_free(struct par_slab *slab, bool in_child);

/* ---- slab_chunk.c: buffers, and how they are divided ---------------------------------------- */

/**
 * slab_chunk_new() - divide a buffer into objects
 * @buffer: borrowed
 * @most:   objects that are wanted, > 0
 * @objects: room for @most, or for as many as may fit: slab_chunk_room()
 * @ret:    slab_chunk_free()
 *
 * Return: 0; -ENOMEM; -PAR_FRAGMENTED where not one fits into any segment. par_error() is set.
 */
int slab_chunk_new(const struct par_slab *slab, struct par_buffer *buffer, uint64_t most,
                   struct par_object *objects, struct slab_chunk **ret);
void slab_chunk_free(struct slab_chunk *chunk); /* NULL is fine */

/* How many objects fit into so many bytes at most. */
size_t slab_chunk_room(const struct par_slab *slab, size_t bytes);

/* With the lock held: the chunk in which an address lies; NULL: none. */
struct slab_chunk *slab_chunk_find(struct par_slab *slab, const void *at);

void slab_chunk_insert(struct par_slab *slab, struct slab_chunk *chunk);
void slab_chunk_remove(struct par_slab *slab, struct slab_chunk *chunk);
struct slab_chunk *slab_chunk_first(struct par_slab *slab);
struct slab_chunk *slab_chunk_next(struct slab_chunk *chunk);

/* ---- slab_depot.c: what is left for all ----------------------------------------------------- */

/**
 * slab_depot_take() - take objects, and ask pard where there are not enough
 * @ret:   room for @count
 * @more:  so many more are taken where they are there: those for @cache, which has room for them.
 *         NULL: none
 * @call:  the program's
 *
 * Return: 0; what par_slab_get() returns. On anything but 0 nothing was taken.
 */
int slab_depot_take(struct par_slab *slab, struct par_object *ret, size_t count,
                    struct slab_cache *more, struct debug_call call);

/* Give objects back. */
void slab_depot_give(struct par_slab *slab, const struct par_object *objects, size_t count);

/* ---- slab_cache.c: what threads keep -------------------------------------------------------- */

static inline struct slab_place *slab_set_of(struct par_slab *slab, uintptr_t thread)
{
        const uint64_t hash = (uint64_t)thread * UINT64_C(0x9e3779b97f4a7c15);

        return &slab->places[(hash >> (64 - SLAB_SETS_SHIFT)) * SLAB_SET_PLACES];
}

/* The place of the calling thread; NULL: it has none. */
static inline struct slab_place *slab_place_here(struct par_slab *slab)
{
        const uintptr_t thread = thread_here();
        struct slab_place *set = slab_set_of(slab, thread);

        if (atomic_load_explicit(&set[0].thread, memory_order_relaxed) == thread)
                return set;
        for (unsigned i = 1; i < SLAB_SET_PLACES; i++)
                if (atomic_load_explicit(&set[i].thread, memory_order_relaxed) == thread)
                        return &set[i];
        return NULL;
}

/* The cache of the calling thread, for one that is to have one if that is possible; NULL: it has
 * none. */
struct slab_cache *slab_cache_get(struct par_slab *slab);

/* Give back what the calling thread keeps; with @end its cache, too. */
void slab_cache_empty(struct par_slab *slab, bool end);

/* Free all caches, of a slab that nobody uses any more. */
void slab_caches_free(struct par_slab *slab);

/* ---- slab_thread.c: the ends of threads ----------------------------------------------------- */

/**
 * slab_thread_watch() - be told of the ends of threads: slab_cache_empty()
 *
 * Return: 0; -EAGAIN, -ENOMEM. par_error() is set.
 */
int slab_thread_watch(struct par_slab *slab);
void slab_thread_unwatch(struct par_slab *slab);

/* The calling thread's end is to be told. Return: whether it will be. */
bool slab_thread_note(void);

/* ---- slab_debug.c: mistakes ----------------------------------------------------------------- */

/* Fill a chunk that is new with the patterns. */
void slab_debug_prepare(const struct par_slab *slab, struct slab_chunk *chunk);

/* par_slab_get_bulk() and par_slab_put_bulk() with PAR_SLAB_DEBUG. */
int slab_debug_get(struct par_slab *slab, struct par_object *objects, size_t count,
                   struct debug_call call);
int slab_debug_put(struct par_slab *slab, const struct par_object *objects, size_t count);

/* Tell the log what is still in use. */
void slab_debug_tell(struct par_slab *slab);
