/* SPDX-License-Identifier: MIT */
/*
 * Growing for those who wait: what frames of a pool would meet a demand, and whether to ask for
 * them. What the system did not have is not asked for again for a while, nor what is harder to get.
 */
#pragma once

#include "range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROW_FAILURES_MAX 4

struct client;
struct demand;
struct pool;
struct state;
struct take_result;
struct take_wish;

/**
 * struct grow_failure - frames that could not be had
 * @window, @run_bytes: as they were asked for
 * @delay_ns: for how long they are not asked for; 0: an empty entry
 * @until_ns: the end of that, while @active
 */
struct grow_failure {
        struct range window;
        uint64_t run_bytes;
        uint64_t delay_ns, until_ns;
        bool active;
};

/**
 * state_can_grow() - whether pools may grow so that a demand of a client can be met
 * @pools: which (bits)
 *
 * False where the system has lately had no such frames.
 */
bool state_can_grow(const struct state *state, const struct client *client,
                    const struct demand *demand, uint64_t pools);

/**
 * state_grow_for() - ask for frames that would meet a demand, where none are on their way
 * @ret_asked: true where it was asked now; not touched otherwise
 *
 * Return: whether a take is under way after which the demand should be tried again.
 */
bool state_grow_for(struct state *state, const struct client *client, const struct demand *demand,
                    uint64_t pools, bool *ret_asked);

/**
 * grow_could_ever() - whether a demand could be met if the pool grew to its size_max
 * @there_bytes: what could be had in the demand's window without that
 *
 * Nobody knows where memory will lie that nobody has seen, and it may be what completes a run: only
 * what the settings rule out is out for ever.
 */
bool grow_could_ever(const struct pool *pool, const struct demand *demand, uint64_t there_bytes);

/* How long to wait before asking again for what could not be had; @before_ns: so long the last
 * time, @asked: so many frames. It doubles, unless half of them came. A harvest in vain costs much:
 * the next one has time. */
uint64_t grow_delay_ns(uint64_t before_ns, uint32_t asked, const struct take_result *result);

/* The pool's last wish was not met, or was; and the end of a failure's time. */
void grow_failed(struct state *state, struct pool *pool, const struct take_result *result,
                 uint64_t now_ns);
void grow_succeeded(struct state *state, struct pool *pool);
void grow_due(struct state *state, struct pool *pool, uint64_t now_ns);

/* A take had to hold pages of the system, whatever came of it: after many of them the pool is tired
 * for a while, and asks for nothing. */
void grow_harvested(struct state *state, struct pool *pool, uint64_t now_ns);

/* Circumstances have changed: forget what could not be had, and ask at once. */
void state_grow_anew(struct state *state, struct pool *pool);
