/* SPDX-License-Identifier: MIT */
/*
 * Who bounces: counters by the place in the program that mapped. Counted without a lock, and by
 * most threads without an operation that locks the bus: they have tallies of their own.
 */
#pragma once

#include "public.h"
#include "thread_here.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SITES_MAX    64 /* a power of two; the last is for all that have no place of their own */
#define SITE_THREADS 16 /* a power of two; have tallies of their own, others share some */

/* struct site_tally - of a place, what one thread counted, or all that share */
struct site_tally {
        _Atomic(uint64_t) bounces, bytes_in, bytes_out;
};

/**
 * struct sites - all zero: nobody has bounced
 * @keys:    of a place: an address, with SITE_LABEL where it is that of a label; 0: nobody's
 * @threads: by their thread pointers, whose tallies are whose; 0: nobody's. They stay when a thread
 *           ends: no other one has its pointer before that, and who has it later counts on
 * @tallies: the last are those that are shared
 */
struct sites {
        _Atomic(uintptr_t) keys[SITES_MAX];
        _Alignas(64) _Atomic(uintptr_t) threads[SITE_THREADS];
        _Alignas(64) struct site_tally tallies[SITE_THREADS + 1][SITES_MAX];
};

/* The site of a label, or where it is NULL of a caller: its number. */
size_t sites_find(struct sites *sites, const char *label, const void *caller);

/* Which tallies are a thread's that has not its first choice, @at. Return: SITE_THREADS: those that
 * are shared. */
size_t sites_thread_far(struct sites *sites, uintptr_t thread, size_t at);

/* Which tallies are the calling thread's. */
static inline size_t sites_thread(struct sites *sites)
{
        const uintptr_t thread = thread_here();
        const size_t at = (size_t)((uint64_t)thread * UINT64_C(0x9e3779b97f4a7c15) >> 32) &
                          (SITE_THREADS - 1);

        return atomic_load_explicit(&sites->threads[at], memory_order_relaxed) == thread
                       ? at
                       : sites_thread_far(sites, thread, at);
}

/* Return: what it was before. @alone: nobody else adds to it. */
static inline uint64_t tally_add(_Atomic(uint64_t) *counter, uint64_t n, bool alone)
{
        uint64_t before;

        if (!alone)
                return atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
        before = atomic_load_explicit(counter, memory_order_relaxed);
        atomic_store_explicit(counter, before + n, memory_order_relaxed);
        return before;
}

/* One bounce more, and bytes that were copied for it. Return: bounces that were counted in the same
 * tally before. */
static inline uint64_t sites_count(struct sites *sites, size_t site, uint64_t bytes)
{
        const size_t thread = sites_thread(sites);
        struct site_tally *tally = &sites->tallies[thread][site];

        if (bytes)
                (void)tally_add(&tally->bytes_in, bytes, thread != SITE_THREADS);
        return tally_add(&tally->bounces, 1, thread != SITE_THREADS);
}

/* Bytes more that were copied, @in or back. */
static inline void sites_copied(struct sites *sites, size_t site, uint64_t bytes, bool in)
{
        const size_t thread = sites_thread(sites);
        struct site_tally *tally = &sites->tallies[thread][site];

        (void)tally_add(in ? &tally->bytes_in : &tally->bytes_out, bytes, thread != SITE_THREADS);
}

/* All of them that have bounced, up to @room. Return: how many there are. */
size_t sites_list(const struct sites *sites, struct par_map_site *ret, size_t room);
