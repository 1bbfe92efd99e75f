/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is: for whom a pool keeps what comes free, and for how long. Whoever waits can be
 * overtaken at first. Then the pools that he may go to are held up, for others who wait and for
 * those who do not, until he is served, but no longer than a while; then he goes to the end of the
 * line and rests, and the pools are open to all. So nobody is starved, and nobody holds up a pool
 * for ever.
 */
#pragma once

#include <stdint.h>

struct pool;
struct state;
struct waiter;

/* A request begins to wait, or no longer does. */
void turn_begin(struct state *state, struct waiter *waiter, uint64_t now_ns);
void turn_end(struct state *state, struct waiter *waiter);

/* Its time has come, either way; and that of a pool. */
void turn_due(struct state *state, struct waiter *waiter, uint64_t now_ns);
void turn_pool_due(struct state *state, struct pool *pool, uint64_t now_ns);

/* Settle who holds up what, after changes. */
void turns_settle(struct state *state, uint64_t now_ns);

/* Quotas leave the waiter no room in these pools: nothing is kept for it there, and in the others
 * again. */
void turn_bar(struct state *state, struct waiter *waiter, uint64_t pools);

/* Of these pools, those that are held up for others. */
uint64_t turns_against(const struct state *state, const struct waiter *waiter, uint64_t pools);
