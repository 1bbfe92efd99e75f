/* SPDX-License-Identifier: MIT */
/*
 * Reading the configuration again: the keeper does it, the server follows, and the administrators
 * who asked for it are answered.
 */
#pragma once

#include "keeper_link.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct server;
struct session;

/**
 * struct reload_ask - a session's request to reload, embedded in it
 * @seq:    of the request; 0: it has none
 * @sent:   the keeper was asked after it came
 * @due_ns: when it is answered at the latest
 */
struct reload_ask {
        TAILQ_ENTRY(session) link; /* reload::asking, in the order of arrival */
        uint32_t seq;
        bool sent;
        uint64_t due_ns;
};

/**
 * struct reload - embedded in the server
 * @asking:  sessions that wait
 * @sent:    the keeper was asked and has not answered: it is asked again only after that
 * @timeout: at the due time of the first
 */
struct reload {
        TAILQ_HEAD(, session) asking;
        bool sent;
        struct event *timeout;
};

/* Return: 0; -ENOMEM. */
int reload_init(struct server *server);
void reload_deinit(struct server *server); /* also where nothing was initialised */

/* A session asks; it has no such request yet. The reply comes later. */
void reload_ask(struct session *session, uint32_t seq);

/* A session ends. */
void reload_forget(struct session *session);

/**
 * reload_heard() - the keeper has read the configuration
 * @verdict: its fd is consumed
 *
 * Return: 0; negative errno where the worker has to end, because the keeper goes by what it cannot
 * go by itself.
 */
int reload_heard(struct server *server, struct keeper_verdict *verdict);
