/* SPDX-License-Identifier: MIT */
/*
 * What clients are told of their memory without having asked, beyond what the change itself tells:
 * that others want it, that it cannot leave, and again what a session may have missed.
 */
#pragma once

#include <stdint.h>

struct client;
struct frame;
struct owner;
struct state;
struct waiter;

/* Somebody's turn has come who waits for memory: the clients with the largest buffers where he
 * looks for it are told, of those buffers that need not be there if there are such; of each buffer
 * once a minute at most. */
void tell_wanted(struct state *state, const struct waiter *waiter, uint64_t now_ns);

/* A frame lingers and no session has it mapped, as far as those tell: when that has lasted a
 * second its owner is told how much of his does (tell_lingering(), when owner::leak is due). */
void tell_lingering_later(struct state *state, const struct frame *frame);
void tell_lingering(struct state *state, struct owner *owner);

/* The session goes on with this worker: what happened to its buffers so far is told, perhaps not
 * for the first time. */
void tell_again(struct state *state, struct client *client);
