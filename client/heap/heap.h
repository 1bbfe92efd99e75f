/* SPDX-License-Identifier: MIT */
/*
 * A heap: what par_heap_create() returns.
 */
#pragma once

#include "arena.h"
#include "chunks.h"
#include "thread.h"

#include <sys/types.h>

/**
 * struct par_heap - a heap
 * @epoch:  of a cache that is up to date; every heap has other numbers
 * @slot:   where threads have their cache of it
 * @classes: of small pieces
 * @no_cache: of threads without memory for one
 * @align_flag: the allocator's, for the constraint's align; 0: any will do
 * @serial: of this heap, never 0
 * @pid:    of the process that made it; nobody else may use it
 * @size_max, @align_max: of an allocation, in bytes
 * @pool, @label: copies for the options of @chunks
 */
struct par_heap {
        _Atomic uint64_t epoch;
        size_t slot;
        struct magazine_classes classes;
        struct thread_cache no_cache;
        int align_flag;
        struct arena arena;
        struct chunks chunks;
        uint64_t serial;
        pid_t pid;
        size_t size_max, align_max;
        char *pool, *label;
};

/* Find out which sizes it hands out. */
void heap_set_classes(struct par_heap *heap);

/* Take back what the calling thread and the arena keep unused; other threads follow at their next
 * call. Return: 0; -ECHILD. */
int heap_reclaim(struct par_heap *heap);
