/* SPDX-License-Identifier: MIT */
/*
 * Owns the socket, what waits to be sent through it, and the events of one connection. Invariant:
 * requests are read only while everything that was sent before is on its way and there is room for
 * another descriptor, so a client that does not read costs one queue of bounded length and nobody
 * else's time. Refuses descriptors: none is ever asked for.
 */
#include "session.h"

#include "dispatch.h"
#include "log.h"
#include "server_private.h"

#include "macros.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* When to try again what the kernel had no room for, which no event tells. */
static const struct timeval retry_after = { 0, 20000 };

/* Turns of a dead process whose requests are still looked at, for a Bye among them. */
#define LAST_TURNS_MAX 1024

/* Newer than the C library's headers. */
#define PAR_SO_PASSRIGHTS 83

void session_end(struct session *session, enum session_end end)
{
        if (!session->end)
                session->end = end;
        session_mark(session);
}

static struct log_fields fields_of(const struct session *session)
{
        return (struct log_fields){
                .client = session->client ? client_name(session->client) : NULL,
                .has_uid = true,
                .uid = session->peer.identity.uid,
        };
}

void session_blame(struct session *session, const char *what)
{
        const struct log_fields about = fields_of(session);

        if (!session->end && log_rate_allows(&session->server->blames))
                log_event(LOG_NOTICE, &about,
                          "session %" PRIu64 " (uid %u, pid %u) sent %s: it is closed",
                          session->number, session->peer.identity.uid, session->peer.identity.pid,
                          what);
        session_end(session, SESSION_DIED);
}

void session_fault(struct session *session, uint32_t seq, int r)
{
        const struct log_fields about = fields_of(session);

        if (!session->faulted && log_rate_allows(&session->server->blames))
                log_event(LOG_ERR, &about,
                          "session %" PRIu64 " (uid %u, pid %u): request %u failed: %s",
                          session->number, session->peer.identity.uid, session->peer.identity.pid,
                          seq, strerror(-r));
        session->faulted = true;
}

void session_mark(struct session *session)
{
        if (session->busy)
                return;
        session->busy = true;
        TAILQ_INSERT_TAIL(&session->server->busy, session, busy_link);
}

struct wait *session_wait(const struct session *session, uint32_t seq)
{
        struct wait *wait;

        TAILQ_FOREACH (wait, &session->waits, link)
                if (wait->seq == seq)
                        return wait;
        TAILQ_FOREACH (wait, &session->answers, link)
                if (wait->seq == seq)
                        return wait;
        return NULL;
}

void session_forget_wait(struct session *session, struct wait *wait)
{
        TAILQ_REMOVE(&session->waits, wait, link);
        free(wait);
}

/* ---- sending -------------------------------------------------------------------------------- */

static void send_answer(struct session *session, struct wait *wait)
{
        struct server *server = session->server;
        struct reply reply;
        int r = wait->result;

        reply_init(&reply, &server->room);
        if (r) {
                reply.refusal = wait->refusal;
        } else {
                const struct buffer *buffer = client_buffer(session->client, wait->buffer);

                r = buffer ? export_grant(session, wait->seq, WIRE__REQUEST__BODY_ALLOC, buffer, 0,
                                          &reply)
                           : PAR_REFUSED_GONE;
        }
        if (r || !reply.later)
                reply_send(session, &reply, wait->seq, r);
        metrics_count(&server->metrics.waits, server_now_ns() - wait->asked_ns);
}

/* Return: 0; negative errno, and nothing was sent. */
static int send_notice(struct session *session)
{
        struct server *server = session->server;
        struct notice_packet *packet = &server->room.notice;
        size_t size;
        int r;

        notice_fill(&session->notice, packet);
        r = message_pack_packet(&packet->packet, server->out, sizeof(server->out), &size);
        if (r)
                return r;
        r = outbox_push(&session->outbox, server->out, size, NULL, 0);
        if (r)
                return r;
        notice_forget(&session->notice, packet);
        return 0;
}

/* Read requests, or wait until the client has read its replies. The write event is edge-triggered:
 * it fires when the client has taken packets out of the socket, where a level would be there all
 * the time. Both at once are never wanted. */
static void arrange(struct session *session)
{
        bool blocked = !outbox_is_empty(&session->outbox) || !outbox_room(&session->outbox);

        if (blocked == session->blocked || session->end)
                return;
        session->blocked = blocked;
        if (event_del(blocked ? session->readable : session->writable) ||
            event_add(blocked ? session->writable : session->readable, NULL))
                session_end(session, SESSION_DIED);
}

void session_work(struct session *session)
{
        struct wait *wait;
        int r;

        if (session->end && outbox_is_empty(&session->outbox))
                return;
        r = outbox_flush(&session->outbox);
        if (r == -ETOOMANYREFS && !session->end)
                event_add(session->retry, &retry_after);

        while (!session->end && outbox_is_empty(&session->outbox) &&
               (wait = TAILQ_FIRST(&session->answers))) {
                TAILQ_REMOVE(&session->answers, wait, link);
                send_answer(session, wait);
                free(wait);
        }
        while (!session->end && export_is_made(&session->exports) &&
               outbox_is_empty(&session->outbox) && outbox_room(&session->outbox))
                export_send(session);
        while (!session->end && outbox_is_empty(&session->outbox) &&
               !notice_is_empty(&session->notice))
                if (send_notice(session))
                        session_end(session, SESSION_DIED);
        arrange(session);
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void refuse_descriptors(struct session *session, struct packet *packet)
{
        for (size_t i = 0; i < packet->count; i++)
                reaper_close_stranger(session->server->reaper, packet->descriptors[i]);
        session_blame(session, "descriptors that nobody asked for");
}

/* Receive and handle one packet. Return: whether there may be another. */
static bool serve_one(struct session *session)
{
        struct server *server = session->server;
        struct packet packet;
        int r;

        r = packet_receive(session->socket, server->in, sizeof(server->in), &packet);
        if (r == -EINTR || r == -ECONNRESET) /* a reset comes before what it left to be read */
                return true;
        if (r == -EAGAIN) {
                if (session->outbox.dead)
                        session_end(session, SESSION_DIED);
                return false;
        }
        if (!r && (packet.count || packet.descriptors_cut))
                refuse_descriptors(session, &packet);
        else if (!r && packet.bytes_cut)
                session_blame(session, "a packet of more than 65536 bytes");
        else if (!r && packet.size)
                dispatch(session, server->in, packet.size);
        else /* closed, or broken */
                session_end(session, SESSION_DIED);
        return true;
}

/* Return: whether there may be more. */
static bool serve(struct session *session, unsigned requests)
{
        uint64_t until_ns = server_now_ns() + SERVER_TURN_NS;
        unsigned served = 0;

        while (!session->end && !session->blocked && serve_one(session)) {
                session_mark(session);
                server_work(session->server);
                if (++served == requests || server_now_ns() > until_ns)
                        return true;
        }
        session->alone = served == 1;
        return false;
}

/* Who is through with his requests is quick the next time, but for strangers. */
static void rank(struct session *session, bool more)
{
        struct server *server = session->server;
        bool slow = more || !session->client;

        if (slow == session->slow || session->end ||
            event_priority_set(session->readable, slow ? PRIORITY_SLOW : PRIORITY_QUICK))
                return;
        session->slow = slow;
        if (slow)
                TAILQ_INSERT_TAIL(&server->slow, session, slow_link);
        else
                TAILQ_REMOVE(&server->slow, session, slow_link);
}

/* Who asks one thing and awaits the answer has nothing else to be received, and looking costs a
 * system call. What is there after all makes the session readable again. */
static void serve_quick(struct session *session)
{
        if (!session->alone || session->alone > SESSION_ALONE_MAX) {
                rank(session, serve(session, SESSION_TURN_REQUESTS));
                return;
        }
        session->alone++;
        if (!session->end && !session->blocked && serve_one(session))
                session_mark(session);
}

void session_take_turn(struct session *session)
{
        struct server *server = session->server;

        server->slow_ns = server_now_ns();
        rank(session, serve(session, SESSION_TURN_REQUESTS));
        if (!session->slow)
                return;
        TAILQ_REMOVE(&server->slow, session, slow_link);
        TAILQ_INSERT_TAIL(&server->slow, session, slow_link);
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
        struct session *session = data;

        (void)fd;
        if (what & EV_TIMEOUT)
                session_blame(session, "no Hello in time");
        else if (session->slow)
                session_take_turn(session);
        else
                serve_quick(session);
        server_settle(session->server);
}

static void on_writable(evutil_socket_t fd, short what, void *data)
{
        struct session *session = data;

        (void)fd;
        (void)what;
        session_mark(session);
        server_settle(session->server);
}

/* The process is dead, though a child of it may hold the socket: what it still said counts. */
static void on_death(evutil_socket_t fd, short what, void *data)
{
        struct session *session = data;

        (void)fd;
        (void)what;
        session_mark(session);
        server_work(session->server);
        session->last_turns++;
        if (!serve(session, SESSION_TURN_REQUESTS) || session->last_turns == LAST_TURNS_MAX ||
            event_add(session->death, NULL))
                session_end(session, SESSION_DIED);
        server_settle(session->server);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int add_events(struct session *session)
{
        /* Without another word they are PRIORITY_SLOW, see make_base(). */
        static const struct timeval hello_by = { SESSION_HELLO_S, 0 };
        struct event_base *base = session->server->base;

        session->readable =
                event_new(base, session->socket, EV_READ | EV_PERSIST, on_readable, session);
        session->writable = event_new(base, session->socket, EV_WRITE | EV_ET | EV_PERSIST,
                                      on_writable, session);
        session->retry = event_new(base, -1, 0, on_writable, session);
        if (!session->readable || !session->writable || !session->retry ||
            event_priority_set(session->writable, PRIORITY_QUICK) ||
            event_priority_set(session->retry, PRIORITY_QUICK) ||
            event_add(session->readable, &hello_by))
                return -ENOMEM;
        if (session->peer.pidfd < 0)
                return 0;
        session->death = event_new(base, session->peer.pidfd, EV_READ, on_death, session);
        if (!session->death || event_add(session->death, NULL))
                return -ENOMEM;
        return 0;
}

static void refuse_rights(int socket)
{
        int off = 0;

        /* Where the kernel does not know it, descriptors are dealt with when they come. */
        (void)setsockopt(socket, SOL_SOCKET, PAR_SO_PASSRIGHTS, &off, sizeof(off));
}

DEFINE_CLEANUP(struct session, session_free)

int session_new(struct server *server, int socket)
{
        _cleanup_(session_freep) struct session *session = calloc(1, sizeof(*session));
        int r;

        if (!session) {
                reaper_close_session(server->reaper, socket);
                return -ENOMEM;
        }
        session->server = server;
        session->socket = socket;
        session->peer.pidfd = -1;
        session->number = ++server->last_session;
        outbox_init(&session->outbox, socket);
        TAILQ_INIT(&session->waits);
        TAILQ_INIT(&session->answers);
        export_list_init(&session->exports);
        TAILQ_INSERT_TAIL(&server->sessions, session, link);
        server->n_sessions++;
        session->slow = true;
        TAILQ_INSERT_TAIL(&server->slow, session, slow_link);

        refuse_rights(socket);
        r = peer_init(socket, &session->peer);
        if (r)
                return r;
        r = strangers_add(&server->strangers, session);
        if (r)
                return r;
        r = add_events(session);
        if (r)
                return r;
        STEAL(session);
        return 0;
}

static void free_waits(struct wait_queue *queue)
{
        struct wait *wait;

        while ((wait = TAILQ_FIRST(queue))) {
                TAILQ_REMOVE(queue, wait, link);
                free(wait);
        }
}

static void free_event(struct event *event)
{
        if (event)
                event_free(event);
}

void session_free(struct session *session)
{
        struct server *server = session->server;

        export_forget_all(session);
        if (session->client)
                client_end(server->state, session->client, session->end == SESSION_BYE,
                           server_now_ns());
        reload_forget(session);
        strangers_remove(&server->strangers, session);
        if (session->busy)
                TAILQ_REMOVE(&server->busy, session, busy_link);
        if (session->slow)
                TAILQ_REMOVE(&server->slow, session, slow_link);
        TAILQ_REMOVE(&server->sessions, session, link);
        server->n_sessions--;

        free_event(session->readable);
        free_event(session->writable);
        free_event(session->death);
        free_event(session->retry);
        free_waits(&session->waits);
        free_waits(&session->answers);
        notice_deinit(&session->notice);
        outbox_deinit(&session->outbox);
        peer_deinit(&session->peer);
        reaper_close_session(server->reaper, session->socket);
        free(session);
}
