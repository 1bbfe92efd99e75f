/* SPDX-License-Identifier: MIT */
/*
 * What each thread has of the library: a cache of each heap that it uses, and why its last call
 * failed.
 */
#pragma once

#include "magazine.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define SENTENCE_BYTES 512

struct par_heap;

/**
 * struct thread_cache - a thread's cache of one heap
 * @epoch: par_heap::epoch when the cache was last empty or made; 0: there is none
 * @serial: par_heap::serial
 * @tcache: the allocator's number of it, or ARENA_NO_TCACHE
 * @flags: for the allocator's calls: arena and cache
 * @magazines: small pieces; owned
 */
struct thread_cache {
        uint64_t epoch, serial;
        unsigned tcache;
        int flags;
        struct magazines *magazines;
};

/**
 * struct thread - one that has used a heap
 * @caches:   by par_heap::slot; @count of them
 * @sentence: why its last call failed
 * @why:      what thread_fail() was last given
 */
struct thread {
        LIST_ENTRY(thread) link; /* of all threads */
        struct thread_cache *caches;
        size_t count;
        int why;
        char sentence[SENTENCE_BYTES];
};

/**
 * struct thread_view - what the quick path looks at
 * @epoch:     of the cache that was used last, which tells its heap, too; 0: none
 * @magazines: of that cache
 * @caches, @count: as of the thread; none where it has used no heap, or is a child's only one
 */
struct thread_view {
        uint64_t epoch;
        struct magazines *magazines;
        const struct thread_cache *caches;
        size_t count;
};

extern _Thread_local struct thread_view thread_view;

/**
 * thread_fail() - remember why the calling thread's call failed
 *
 * Return: @r.
 */
int thread_fail(int r, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

/* What thread_fail() was last given since thread_forget(); 0: nothing. */
int thread_why(void);
void thread_forget(void);

/* The sentence; "" where nothing has failed yet. */
const char *thread_sentence(void);

/**
 * thread_join() - a cache of @heap for the calling thread, empty where it is out of date
 * @ret: until the thread's next call of this; where there is no memory for one, the shared one that
 *       keeps nothing
 *
 * Return: 0; -ECHILD: the sentence is set.
 */
int thread_join(struct par_heap *heap, const struct thread_cache **ret);

/**
 * thread_enroll() - a heap that threads can have caches of
 * @heap: gets its slot, serial and epoch
 *
 * Return: 0; -EAGAIN where there are too many; -ENOMEM.
 */
int thread_enroll(struct par_heap *heap);

/* No thread has a cache of @heap any more; none uses it. */
void thread_expel(struct par_heap *heap);

/* Caches of @heap are out of date from now on. */
void thread_outdate(struct par_heap *heap);

/* How many threads have a cache of @heap. */
size_t thread_count(const struct par_heap *heap);
