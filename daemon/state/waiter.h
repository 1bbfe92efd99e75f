/* SPDX-License-Identifier: MIT */
#pragma once

#include "client.h"
#include "due.h"
#include "lists.h"
#include "state.h"

/**
 * struct waiter - a request that waits for memory
 * @request: its strings are the waiter's own
 * @pools:   where it may go (bits)
 */
struct waiter {
        struct client *client;
        struct request request;
        char *strings;
        uint64_t ticket;
        uint64_t since_ns;
        uint64_t pools;
        struct due due;
        TAILQ_ENTRY(waiter) link;      /* state::waiters, in the order of arrival */
        TAILQ_ENTRY(waiter) of_client; /* client::waiters */
};

/**
 * waiter_new() - copy a request
 *
 * Return: 0; -ENOMEM.
 */
int waiter_new(struct client *client, const struct request *request, struct waiter **ret);
void waiter_free(struct waiter *waiter); /* in no queue; NULL is fine */

/* Try all that wait, first come first served: whoever cannot be served holds up those behind him
 * that want the same pools. Only the owner that freed something meanwhile looks into his own memory
 * in spite of that. */
void waiters_run(struct state *state, uint64_t now_ns);

/* Take out of the queue and free, without an answer. */
void waiter_drop(struct state *state, struct waiter *waiter);

/* The deadline has come. */
void waiter_time_out(struct state *state, struct waiter *waiter);
