/* SPDX-License-Identifier: MIT */
/*
 * What par-bench heap measures: a case, by one allocator after the other, in short turns.
 */
#pragma once

#include "heap_peer.h"
#include "ticks.h"

#include <stdint.h>

#define HEAP_PEERS_MAX  5
#define HEAP_ROUNDS_MAX 1000
#define HEAP_LIVE       10000 /* pieces that are there already, in the second kind of case */

/**
 * struct heap_case - allocate and free one piece, again and again
 * @size:    its bytes
 * @threads: that do so at once
 * @live:    pieces of mixed sizes around it
 */
struct heap_case {
        size_t size;
        unsigned threads, live;
};

/**
 * struct heap_result - of one case
 * @ns: a pair of calls, by allocator: the median over all rounds; negative: not measured
 */
struct heap_result {
        double ns[HEAP_PEERS_MAX];
};

/**
 * heap_case_run() - measure
 * @peers:  @count allocators that were started
 * @rounds: turns that each has, up to HEAP_ROUNDS_MAX
 * @pairs:  calls of a turn; more where there are several threads, so that they meet
 *
 * In each round every allocator has a turn, so that whatever else the machine does meets all alike.
 *
 * Return: 0; -ENOMEM where an allocator has none; -errno of pthread_create().
 */
int heap_case_run(const struct heap_case *heap_case, const struct heap_peer *const *peers,
                  size_t count, unsigned rounds, unsigned pairs, const struct ticks *ticks,
                  struct heap_result *ret);
