/* SPDX-License-Identifier: MIT */
/*
 * Owns what each thread has of the library, and which heaps there are.
 *
 * Invariant: a cache whose serial is that of a heap in the table of heaps is a live one of the
 * allocator's. A thread writes its own caches with the lock; another thread does so only when the
 * heap ends, which nobody uses then. A thread reads its own without it.
 *
 * Lock order: this lock, then the allocator's, then a heap's.
 */
#include "thread.h"

#include "heap.h"

#include "macros.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAPS_MAX 4000u

_Thread_local struct thread_view thread_view;
static _Thread_local struct thread *own;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int start_result;
static pthread_key_t at_end;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, thread) threads = LIST_HEAD_INITIALIZER(threads);
static struct par_heap *heaps[HEAPS_MAX];
static uint64_t last_serial, last_epoch;

/* ---- the thread and its end ----------------------------------------------------------------- */

static bool is_live(const struct thread *thread, size_t slot)
{
        return heaps[slot] && heaps[slot]->serial == thread->caches[slot].serial;
}

/* What it keeps goes back to the heap, and its memory to the C library. */
static void cache_end(struct thread_cache *cache)
{
        if (cache->magazines)
                magazines_empty(cache->magazines, cache->flags);
        free(cache->magazines);
        arena_leave(cache->tcache);
        *cache = (struct thread_cache){ 0 };
}

/* The thread ends: what it has cached goes back to the heaps. */
static void end_thread(void *data)
{
        struct thread *thread = data;

        pthread_mutex_lock(&lock);
        LIST_REMOVE(thread, link);
        for (size_t slot = 0; slot < thread->count; slot++)
                if (is_live(thread, slot))
                        cache_end(&thread->caches[slot]);
        pthread_mutex_unlock(&lock);
        own = NULL;
        thread_view = (struct thread_view){ 0 };
        free(thread->caches);
        free(thread);
}

static void before_fork(void)
{
        pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
        pthread_mutex_unlock(&lock);
}

/* The heaps are the parent's, and so is what the other threads had. */
static void after_fork_in_child(void)
{
        pthread_mutex_init(&lock, NULL);
        LIST_INIT(&threads);
        for (size_t i = 0; i < HEAPS_MAX; i++)
                heaps[i] = NULL;
        thread_view = (struct thread_view){ 0 };
        if (own) {
                own->count = 0;
                LIST_INSERT_HEAD(&threads, own, link);
        }
}

static void start(void)
{
        start_result = -pthread_key_create(&at_end, end_thread);
        if (!start_result)
                start_result =
                        -pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* The calling thread's record; NULL without memory. */
static struct thread *thread_own(void)
{
        struct thread *thread;

        pthread_once(&once, start);
        if (own || start_result)
                return own;
        thread = calloc(1, sizeof(*thread));
        if (!thread || pthread_setspecific(at_end, thread)) {
                free(thread);
                return NULL;
        }
        own = thread;
        pthread_mutex_lock(&lock);
        LIST_INSERT_HEAD(&threads, own, link);
        pthread_mutex_unlock(&lock);
        return own;
}

/* ---- failures ------------------------------------------------------------------------------- */

int thread_fail(int r, const char *format, ...)
{
        struct thread *thread = thread_own();
        va_list arguments;

        if (!thread)
                return r;
        va_start(arguments, format);
        vsnprintf(thread->sentence, sizeof(thread->sentence), format, arguments);
        va_end(arguments);
        thread->why = r;
        return r;
}

int thread_why(void)
{
        return own ? own->why : 0;
}

void thread_forget(void)
{
        if (own)
                own->why = 0;
}

const char *thread_sentence(void)
{
        return own ? own->sentence : "";
}

/* ---- caches --------------------------------------------------------------------------------- */

/* Room for a cache of the heap at @slot. With the lock held. */
static int make_room(struct thread *thread, size_t slot)
{
        size_t count = slot + 8;
        struct thread_cache *caches;

        if (slot < thread->count)
                return 0;
        caches = reallocarray(thread->caches, count, sizeof(*caches));
        if (!caches)
                return -ENOMEM;
        for (size_t i = thread->count; i < count; i++)
                caches[i] = (struct thread_cache){ 0 };
        thread->caches = caches;
        thread->count = count;
        thread_view = (struct thread_view){ .caches = caches, .count = count };
        return 0;
}

/* The cache of @heap, new where @thread has none. */
static struct thread_cache *cache_of(struct thread *thread, const struct par_heap *heap)
{
        struct thread_cache fresh = { .serial = heap->serial }, *cache;

        if (heap->slot < thread->count && thread->caches[heap->slot].serial == heap->serial)
                return &thread->caches[heap->slot];
        fresh.flags = arena_join(&heap->arena, &fresh.tcache);
        fresh.magazines = magazines_new(&heap->classes);
        pthread_mutex_lock(&lock);
        if (!fresh.magazines || make_room(thread, heap->slot)) {
                pthread_mutex_unlock(&lock);
                cache_end(&fresh);
                return NULL;
        }
        cache = &thread->caches[heap->slot];
        *cache = fresh;
        pthread_mutex_unlock(&lock);
        return cache;
}

int thread_join(struct par_heap *heap, const struct thread_cache **ret)
{
        uint64_t epoch = atomic_load_explicit(&heap->epoch, memory_order_relaxed);
        struct thread *thread = thread_own();
        struct thread_cache *cache;

        if (heap->pid != getpid())
                return thread_fail(-ECHILD, "the heap is that of a parent process");
        cache = thread ? cache_of(thread, heap) : NULL;
        if (!cache) {
                *ret = &heap->no_cache;
                return 0;
        }
        if (cache->epoch) {
                magazines_empty(cache->magazines, cache->flags);
                arena_flush(cache->tcache);
        }
        cache->epoch = epoch;
        *ret = cache;
        return 0;
}

/* ---- heaps ---------------------------------------------------------------------------------- */

int thread_enroll(struct par_heap *heap)
{
        size_t slot = 0;

        if (!thread_own())
                return -ENOMEM;
        pthread_mutex_lock(&lock);
        while (slot < HEAPS_MAX && heaps[slot])
                slot++;
        if (slot < HEAPS_MAX) {
                heap->slot = slot;
                heap->serial = ++last_serial;
                atomic_init(&heap->epoch, ++last_epoch);
                heaps[slot] = heap;
        }
        pthread_mutex_unlock(&lock);
        return slot < HEAPS_MAX ? 0 : -EAGAIN;
}

void thread_expel(struct par_heap *heap)
{
        struct thread *thread;

        pthread_mutex_lock(&lock);
        LIST_FOREACH (thread, &threads, link) {
                if (heap->slot < thread->count && is_live(thread, heap->slot))
                        cache_end(&thread->caches[heap->slot]);
        }
        heaps[heap->slot] = NULL;
        pthread_mutex_unlock(&lock);
}

void thread_outdate(struct par_heap *heap)
{
        pthread_mutex_lock(&lock);
        atomic_store_explicit(&heap->epoch, ++last_epoch, memory_order_relaxed);
        pthread_mutex_unlock(&lock);
}

size_t thread_count(const struct par_heap *heap)
{
        struct thread *thread;
        size_t count = 0;

        pthread_mutex_lock(&lock);
        LIST_FOREACH (thread, &threads, link)
                count += heap->slot < thread->count && is_live(thread, heap->slot);
        pthread_mutex_unlock(&lock);
        return count;
}
