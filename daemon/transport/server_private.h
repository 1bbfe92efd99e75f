/* SPDX-License-Identifier: MIT */
/*
 * The server's own parts, for the files of this folder.
 */
#pragma once

#include "descriptor_limit.h"
#include "export.h"
#include "keeper_link.h"
#include "log_rate.h"
#include "message.h"
#include "metrics.h"
#include "packet.h"
#include "reaper.h"
#include "reload.h"
#include "reply.h"
#include "server.h"
#include "session.h"
#include "strangers.h"

#include "macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Connections that may exist beyond the state's limit of clients: those that said no Hello yet. */
#define SERVER_STRANGERS_MAX 64

/*
 * Who asks little is served before who asks much: connections that said no Hello yet, sessions that
 * had their turn and want more, and those whose process died share what time the others leave, and
 * at least a turn each SERVER_SLOW_NS.
 */
enum server_priority {
        PRIORITY_QUICK,
        PRIORITY_SLOW,
        PRIORITIES,
};

/* Longest turn: what goes on afterwards is looked for anew. */
#define SERVER_TURN_NS (250 * NS_PER_US)
#define SERVER_SLOW_NS (5 * NS_PER_MS)

struct event;
struct event_base;
struct metrics_http;

/**
 * struct server - the worker
 * @metrics_fd: until @metrics_http has it; -1: it has, or there is none
 * @state_settings: those of now
 * @name:      "pard 0.1.0"
 * @descriptor_limit: of clients, and beyond
 * @sessions:  @n_sessions connections
 * @strangers: those of them that said no Hello yet
 * @busy:      those that have something to send, or that end
 * @serving:   connections are accepted
 * @awaited:   clients of a former worker, whose processes are watched
 * @slow:      those of PRIORITY_SLOW; @slow_ns: when one of them, or an accept, had its last turn
 * @tick_ns:   when the tick event is due; UINT64_MAX: it is not
 * @result:    of server_run()
 * @metrics:   what is counted here
 * @metrics_http: NULL: nobody may ask for it
 * @blames:    what is said of sessions that break the protocol; @frame_words: of frames; @rests: of
 *             connections that have to wait
 * @asked_ns:  when the request that is being handled was received
 * @arena:     of the request that is being handled
 * @in, @out:  the packet that is being received, that is being sent
 * @room:      of the reply that is being made
 */
struct server {
        const struct server_settings *settings;
        const struct state_settings *state_settings;
        char name[32];
        struct event_base *base;
        struct event *acceptable, *accept_again, *keeper_readable, *keeper_writable, *tick;
        struct event *sigterm, *sigint;
        int listen_fd, metrics_fd;
        struct state *state;
        struct keeper_link *keeper;
        struct reaper *reaper;
        struct descriptor_limit descriptor_limit;
        struct reload reload;
        struct exporter exporter;
        TAILQ_HEAD(, session) sessions;
        size_t n_sessions;
        struct strangers strangers;
        uint64_t last_session;
        TAILQ_HEAD(, session) busy, slow;
        uint64_t slow_ns;
        bool serving;
        LIST_HEAD(, awaited) awaited;
        uint64_t tick_ns;
        int result;
        struct metrics metrics;
        struct metrics_http *metrics_http;
        struct log_rate blames, frame_words, rests;
        uint64_t asked_ns;
        struct message_arena arena;
        unsigned char in[PACKET_BYTES_MAX], out[PACKET_BYTES_MAX];
        union reply_room room;
};

/* The time, as the state is told it. */
uint64_t server_now_ns(void);

/* Let busy sessions send what they have. No session is freed. */
void server_work(struct server *server);

/* The same, then free the sessions that ended, tell the keeper, and set the timer: the last thing
 * that every event does. */
void server_settle(struct server *server);
