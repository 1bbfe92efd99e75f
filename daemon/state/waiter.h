/* SPDX-License-Identifier: MIT */
#pragma once

#include "client.h"
#include "due.h"
#include "lists.h"
#include "state.h"
#include "turn.h"

struct demand;
struct waiting_uid;

/**
 * struct waiter - a request that waits for memory
 * @request: its strings are the waiter's own
 * @pools:   where it may go (bits); @reach: of those, pools with addresses in @window
 * @window:  which addresses would do
 * @for_growth: it does not wait for what others give back
 * @barred:  of @pools, those in which a quota stands in the way (bits): nothing is kept for it
 *           there, and nothing is asked for
 * @asks:    how often a pool was asked to grow for it
 * @ripe:    it is its turn where nobody is before it
 * @holds:   pools that are held up for it (bits); @began: since @turn was set
 * @rest_ns: how long it rests after its turn
 * @due:     the deadline
 */
struct waiter {
        struct client *client;
        struct waiting_uid *of_uid;
        struct request request;
        char *strings;
        uint64_t ticket;
        uint64_t since_ns;
        uint64_t pools, reach, barred;
        struct range window;
        bool for_growth;
        unsigned asks;
        bool ripe, began;
        uint64_t holds;
        uint64_t rest_ns;
        struct due due, turn;
        TAILQ_ENTRY(waiter) link;      /* state::waiters: the line */
        TAILQ_ENTRY(waiter) of_client; /* client::waiters */
};

/**
 * waiter_new() - copy a request
 *
 * Return: 0; -ENOMEM.
 */
int waiter_new(struct client *client, const struct request *request, struct waiter **ret);
void waiter_free(struct waiter *waiter); /* in no queue; NULL is fine */

/* Try those in the line for whom something new may be there, a few at a time; the rest becomes due
 * at once. */
void waiters_run(struct state *state, uint64_t now_ns);

/* Take out of the queue and free, without an answer. */
void waiter_drop(struct state *state, struct waiter *waiter);

/* The deadline has come. */
void waiter_time_out(struct state *state, struct waiter *waiter);

/* Behind all others. */
void waiter_to_the_end(struct state *state, struct waiter *waiter);

/* Pools may be asked to grow once more for those who wait for this one. */
void waiters_may_ask_again(struct state *state, struct pool *pool);

/* Settings have changed: where they may go, and what they ask for. */
void waiters_reconfigure(struct state *state, uint64_t now_ns);
