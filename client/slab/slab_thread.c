/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of the slabs of this process, and the key by which the C library tells of a
 * thread's end.
 *
 * Invariant: the key exists while a slab does, so that a program may unload the library when it has
 * destroyed its slabs. What runs at a thread's end finds slabs in the list alone, with its lock
 * held: one that is gone is not there any more. Refuses to outlive a fork: a child begins with an
 * empty list.
 */
#include "slab.h"

#include <errno.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, par_slab) slabs = LIST_HEAD_INITIALIZER(slabs);
static pthread_key_t key;
static bool key_is_made;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_result;

static void before_fork(void)
{
        pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
        pthread_mutex_unlock(&lock);
}

static void in_child(void)
{
        LIST_INIT(&slabs);
        pthread_mutex_unlock(&lock);
}

static void prepare(void)
{
        once_result = -pthread_atfork(before_fork, after_fork, in_child);
}

static void thread_ends(void *unused)
{
        struct par_slab *slab;

        (void)unused;
        pthread_mutex_lock(&lock);
        LIST_FOREACH (slab, &slabs, of_process)
                slab_cache_empty(slab, true);
        pthread_mutex_unlock(&lock);
}

int slab_thread_watch(struct par_slab *slab)
{
        int r;

        pthread_once(&once, prepare);
        pthread_mutex_lock(&lock);
        r = once_result;
        if (!r && !key_is_made) {
                r = -pthread_key_create(&key, thread_ends);
                key_is_made = !r;
        }
        if (!r)
                LIST_INSERT_HEAD(&slabs, slab, of_process);
        pthread_mutex_unlock(&lock);
        return r ? error_set(r, "to be told of the ends of threads: %s", par_strerror(r)) : 0;
}

void slab_thread_unwatch(struct par_slab *slab)
{
        pthread_mutex_lock(&lock);
        LIST_REMOVE(slab, of_process);
        if (LIST_EMPTY(&slabs)) {
                pthread_key_delete(key);
                key_is_made = false;
        }
        pthread_mutex_unlock(&lock);
}

bool slab_thread_note(void)
{
        return !pthread_setspecific(key, &key);
}
