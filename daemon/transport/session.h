/* SPDX-License-Identifier: MIT */
/*
 * One connection, from accept to its end.
 */
#pragma once

#include "export.h"
#include "notice.h"
#include "outbox.h"
#include "peer.h"
#include "reload.h"
#include "state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct server;
struct stranger_uid;

/* Requests of one session that are handled before others get their turn, or what takes
 * SERVER_TURN_NS. */
#define SESSION_TURN_REQUESTS 32

/* Requests that are taken to have come alone, because one did, before that is looked at again. */
#define SESSION_ALONE_MAX 32

/* A connection that does not say Hello by then is closed. */
#define SESSION_HELLO_S 10

/* Grants whose description is being fetched page by page at the same time. */
#define SESSION_PAGINGS_MAX 64

enum session_end {
        SESSION_GOES_ON,
        SESSION_BYE,  /* it said that its devices are quiet */
        SESSION_DIED, /* or as good as that */
};

/**
 * struct wait - an Alloc that has no reply yet
 * @seq:     of the request; the state's ticket
 * @asked_ns: when it was received
 * @result, @refusal, @buffer: the answer, once it is there
 */
struct wait {
        TAILQ_ENTRY(wait) link; /* session::waits or session::answers */
        uint32_t seq;
        uint64_t asked_ns;
        int result;
        uint64_t buffer;
        struct refusal refusal;
};

TAILQ_HEAD(wait_queue, wait);

/**
 * struct paging - how much of a grant's description was sent
 * @cursor:   what the client must show to get the next page; 0: unused
 * @pieces, @segments: how many it has
 * @at:       the segment that comes next
 */
struct paging {
        uint64_t cursor, buffer;
        size_t pieces;
        uint64_t segments;
        struct segment_cursor at;
};

/**
 * struct session - see above
 * @number:   counts connections, for the log
 * @client:   what the state knows it as; NULL before Hello and after the end
 * @end:      it ends as soon as nobody up the stack works with it
 * @blocked:  its requests are not read until it has read its replies
 * @alone:    how many requests in a row are taken to have come alone; 0: the last one did not
 * @faulted:  a fault of it was logged already; further ones are not
 * @last_turns: that it had since its process died
 * @waits:    without an answer
 * @answers:  with one that is not sent yet, because earlier packets are not
 * @exports:  dma-bufs that it asked for
 * @busy:     it is in server::busy
 * @slow:     it is in server::slow
 * @stranger_of: whose stranger it is, until Hello; NULL: it is none
 */
struct session {
        struct server *server;
        TAILQ_ENTRY(session) link;          /* server::sessions */
        TAILQ_ENTRY(session) busy_link;     /* server::busy */
        TAILQ_ENTRY(session) slow_link;     /* server::slow */
        TAILQ_ENTRY(session) stranger_link; /* stranger_uid::sessions */
        struct stranger_uid *stranger_of;
        bool busy, slow;
        uint64_t number;
        int socket;
        struct peer peer;
        struct event *readable, *writable, *death, *retry;
        struct outbox outbox;
        struct notice notice;
        struct client *client;
        enum session_end end;
        bool blocked, faulted;
        unsigned last_turns, alone;
        struct wait_queue waits, answers;
        struct reload_ask reload;
        struct export_list exports;
        uint64_t last_cursor;
        struct paging pagings[SESSION_PAGINGS_MAX];
};

/**
 * session_new() - serve a connection
 * @socket: non-blocking; consumed
 *
 * Return: 0; negative errno.
 */
int session_new(struct server *server, int socket);

/* Ends its client in the state too. */
void session_free(struct session *session);

/* Decide that it ends; what was decided first counts. */
void session_end(struct session *session, enum session_end end);

/* The same for a peer that breaks the protocol: it is logged, @what completes "it sent ...". */
void session_blame(struct session *session, const char *what);

/* Log a fault that hit one of its requests. */
void session_fault(struct session *session, uint32_t seq, int r);

/* Have session_work() called before the event loop goes on. */
void session_mark(struct session *session);

/* One turn of a session that is slow; whether there is anything to receive or not. */
void session_take_turn(struct session *session);

/* Send what can be sent: queued packets, answers, the notice. */
void session_work(struct session *session);

/* Its request that waits; NULL. */
struct wait *session_wait(const struct session *session, uint32_t seq);

/* Forget a request that waits; it has its reply, or never gets one. */
void session_forget_wait(struct session *session, struct wait *wait);
