/* SPDX-License-Identifier: MIT */
/*
 * All memory that a heap has of pard.
 */
#pragma once

#include "addresses.h"
#include "chunk.h"

#include <pthread.h>

TAILQ_HEAD(chunk_list, chunk);

/**
 * struct chunks - a heap's memory
 * @par:         connection; borrowed
 * @constraint:  of each chunk; its align is at least UNIT_BYTES, and holds in both views
 * @options:     of each chunk
 * @limit_bytes: most to hold; UINT64_MAX: no limit
 * @cut:         power of two: no multiple of it may be inside of an allocation, so allocations are
 *               as large as powers of two, up to this, and on multiples of their size; 0: none
 * @addresses:   of all units; read without the lock
 * @lock:        protects what follows
 * @all:         the oldest first
 * @chunk_bytes: to ask for; multiple of UNIT_BYTES
 * @held, @peak: bytes; with what is being asked for
 * @count, @grown, @shrunk, @refusals: see struct par_heap_info
 *
 * Pard is asked without the lock, so that nobody else waits for it.
 */
struct chunks {
        struct par *par;
        struct par_constraint constraint;
        struct par_alloc_options options;
        uint64_t limit_bytes, cut;
        struct addresses addresses;

        pthread_mutex_t lock;
        struct chunk_list all;
        uint64_t chunk_bytes, held, peak, count, grown, shrunk, refusals;
};

/**
 * chunks_take() - pages, of pard if need be
 * @bytes: multiple of PAGE_BYTES
 * @align: power of two, at least PAGE_BYTES
 * @zero:  they must be zero
 * @ret_zero: they are
 * @ret:   where; in one chunk, and contiguous for the device
 *
 * Return: 0; -PAR_QUOTA for the heap's own limit; whatever par_alloc() returns; -PAR_NEVER_FITS
 * where pard's memory does not lie as it must; -ENOMEM. The thread's sentence is set.
 */
int chunks_take(struct chunks *chunks, size_t bytes, size_t align, bool zero, bool *ret_zero,
                void **ret);

/* Pages are not used any more. A chunk that is empty then goes back to pard. */
void chunks_give(struct chunks *chunks, const void *at, size_t bytes);

/* Whether what lies at @a and at @b is of one chunk: if it is adjacent, it is contiguous for the
 * device as well. Takes no lock. */
bool chunks_join(const struct chunks *chunks, const void *a, const void *b);

void chunks_init(struct chunks *chunks);

/* Give everything back to pard, handed out or not. */
void chunks_deinit(struct chunks *chunks);
