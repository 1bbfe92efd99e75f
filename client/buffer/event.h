/* SPDX-License-Identifier: MIT */
/*
 * Events that wait for par_next_event(), and the descriptor that says so.
 */
#pragma once

#include "public.h"

#include <stdbool.h>
#include <sys/queue.h>

/* Types that a daemon may send have slots by their values, less one: those of RECONNECTED and LOST,
 * which it may not, are not used. */
#define EVENT_SLOTS PAR_EVENT_LINGERING

/**
 * struct event - the place of one type of event of one buffer
 *
 * Zeroed at first. It belongs to what it happens to, so that an event never needs memory of its
 * own: a second one of the same type, before the first was fetched, widens it.
 */
struct event {
        TAILQ_ENTRY(event) link; /* events::queue, while @queued */
        bool queued;
        struct par_event told;
};

/**
 * struct events - those of a handle
 * @bell:   an eventfd, readable while the queue is not empty
 * @poller: an epoll descriptor that watches @bell and, while there is one, the connection
 * @own:    slots of events that concern no buffer
 * @lost, @reconnected: slots of PAR_EVENT_LOST and PAR_EVENT_RECONNECTED
 */
struct events {
        TAILQ_HEAD(, event) queue;
        int bell, poller;
        struct event own[EVENT_SLOTS];
        struct event lost, reconnected;
};

/**
 * events_init() - make the descriptors
 * @events: zeroed; events_deinit() also after a failure
 *
 * Return: 0; -EMFILE, -ENFILE, -ENOMEM.
 */
int events_init(struct events *events);
void events_deinit(struct events *events);

/* Begin or cease to watch the connection's socket. Return: 0; -errno of epoll_ctl(). */
int events_watch(struct events *events, int socket);
void events_unwatch(struct events *events, int socket);

/**
 * events_push() - something happened
 * @slot: of its type; borrowed until it is fetched or taken back
 * @told: what
 */
void events_push(struct events *events, struct event *slot, const struct par_event *told);

/* Return: whether there was one. */
bool events_pop(struct events *events, struct par_event *ret);

/* Take events back whose buffer goes away: @count slots. */
void events_withdraw(struct events *events, struct event *slots, size_t count);
