/* SPDX-License-Identifier: MIT */
/*
 * Owns the queue of those who asked for a reload. Invariant: one question to the keeper is open at
 * a time, and whoever asks while it is gets the answer to the next: the keeper may have read the
 * file before he wrote it. Refuses to judge: the keeper's verdict counts, and the server's own by
 * the same rules only finds the words, and the settings.
 */
#include "reload.h"

#include "log.h"
#include "server_private.h"

#include "macros.h"
#include "text.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 10000

/* A reply tells so many changes; a packet has room for them, however long the names are. */
#define CHANGED_MAX 256

/* What is asked of the keeper next, and when who asked is told that it takes too long. */
static void arrange(struct server *server)
{
        struct reload *reload = &server->reload;
        struct session *session = TAILQ_FIRST(&reload->asking);
        uint64_t now_ns = server_now_ns(), after_ns;

        if (!session) {
                event_del(reload->timeout);
                return;
        }
        after_ns = session->reload.due_ns > now_ns ? session->reload.due_ns - now_ns : 0;
        event_add(reload->timeout, &(struct timeval){
                                           .tv_sec = (time_t)(after_ns / NS_PER_S),
                                           .tv_usec = (suseconds_t)(after_ns % NS_PER_S / 1000),
                                   });
        if (reload->sent)
                return;
        reload->sent = true;
        TAILQ_FOREACH (session, &reload->asking, reload.link)
                session->reload.sent = true;
        keeper_link_reload(server->keeper);
}

void reload_ask(struct session *session, uint32_t seq)
{
        struct server *server = session->server;
        uint64_t ms = server->settings->reload_ms ? server->settings->reload_ms : TIMEOUT_MS;

        session->reload.seq = seq;
        session->reload.sent = false;
        session->reload.due_ns = server_now_ns() + ms * NS_PER_MS;
        TAILQ_INSERT_TAIL(&server->reload.asking, session, reload.link);
        arrange(server);
}

void reload_forget(struct session *session)
{
        if (!session->reload.seq)
                return;
        session->reload.seq = 0;
        TAILQ_REMOVE(&session->server->reload.asking, session, reload.link);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Its request is off the queue with that. Return: its seq; 0 where nobody listens any more. */
static uint32_t take_ask(struct session *session)
{
        uint32_t seq = session->reload.seq;

        reload_forget(session);
        return session->end ? 0 : seq;
}

/* Nobody is serving the session just now: what the socket does not take waits for its next turn. */
static void send_reply(struct session *session, struct reply *reply, uint32_t seq, int r)
{
        reply_send(session, reply, seq, r);
        session_mark(session);
}

static void refuse(struct session *session, int r, const char *sentence)
{
        uint32_t seq = take_ask(session);
        struct reply reply;

        if (!seq)
                return;
        reply_init(&reply, &session->server->room);
        reply_say(&reply, r, "%s", sentence);
        send_reply(session, &reply, seq, r);
}

static void confirm(struct session *session, const struct proposal *proposal)
{
        Wire__Reloaded *body = &session->server->room.reloaded;
        uint32_t seq = take_ask(session);
        struct reply reply;

        if (!seq)
                return;
        reply_init(&reply, &session->server->room);
        wire__reloaded__init(body);
        body->n_changed = proposal->n_changed < CHANGED_MAX ? proposal->n_changed : CHANGED_MAX;
        body->changed = (char **)(uintptr_t)proposal->changed; /* nobody writes to them */
        reply.wire.body_case = WIRE__REPLY__BODY_RELOAD;
        reply.wire.reload = body;
        send_reply(session, &reply, seq, 0);
}

static void on_timeout(evutil_socket_t fd, short what, void *data)
{
        struct server *server = data;
        struct session *session;

        (void)fd;
        (void)what;
        while ((session = TAILQ_FIRST(&server->reload.asking)) &&
               session->reload.due_ns <= server_now_ns())
                refuse(session, -ETIMEDOUT,
                       "the keeper has not read the configuration in time; it may still do so");
        arrange(server);
        server_settle(server);
}

/* ---- the keeper's verdict ------------------------------------------------------------------- */

static void adopt(struct server *server, const struct proposal *proposal)
{
        server->state_settings = proposal->settings;
        keeper_link_reconfigure(server->keeper, proposal->settings);
        state_reconfigure(server->state, proposal->settings, server_now_ns());
        server->settings->reload->adopt(server->settings->reload->data);
}

/**
 * judge() - come to the keeper's verdict, with words
 * @ret_proposal: adopted; written only with 0
 * @sentence:     why not, of SENTENCE_BYTES; written only with another result than 0
 *
 * Return: 0; PAR_REFUSED_INVALID; negative errno where it could not be read.
 */
static int judge(struct server *server, const struct keeper_verdict *verdict,
                 struct proposal *ret_proposal, char *sentence)
{
        const struct server_reload *reload = server->settings->reload;
        char error[2 * SENTENCE_BYTES];
        int r = 0;

        if (verdict->fd >= 0)
                r = reload->propose(reload->data, verdict->fd, ret_proposal, error, sizeof(error));
        if (!verdict->result && !r) {
                adopt(server, ret_proposal);
                return 0;
        }
        if (!r) /* the keeper sees what the worker does not: the file, the system */
                snprintf(error, sizeof(error), "pard cannot go by this configuration: %s",
                         verdict->result == -EINVAL ? "its log tells why"
                                                    : strerror(-verdict->result));
        text_copy_good(sentence, SENTENCE_BYTES - 1, error);
        r = verdict->result ? verdict->result : r;
        return r == -EINVAL ? PAR_REFUSED_INVALID : r;
}

static void answer(struct server *server, int r, const struct proposal *proposal,
                   const char *sentence)
{
        struct session *session, *next;

        server->reload.sent = false;
        for (session = TAILQ_FIRST(&server->reload.asking); session; session = next) {
                next = TAILQ_NEXT(session, reload.link);
                if (!session->reload.sent)
                        continue;
                if (r)
                        refuse(session, r, sentence);
                else
                        confirm(session, proposal);
        }
        arrange(server);
}

int reload_heard(struct server *server, struct keeper_verdict *verdict)
{
        char sentence[SENTENCE_BYTES];
        struct proposal proposal;
        int r;

        r = judge(server, verdict, &proposal, sentence);
        if (verdict->fd >= 0)
                close(STEAL_FD(verdict->fd));
        if (r && !verdict->result) {
                log_error("the keeper goes by a configuration that this process cannot go by (%s): "
                          "another one takes over",
                          sentence);
                return r < 0 ? r : -EINVAL;
        }
        if (verdict->asked)
                answer(server, r, &proposal, sentence);
        return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

int reload_init(struct server *server)
{
        TAILQ_INIT(&server->reload.asking);
        server->reload.timeout = event_new(server->base, -1, 0, on_timeout, server);
        return server->reload.timeout ? 0 : -ENOMEM;
}

void reload_deinit(struct server *server)
{
        if (server->reload.timeout)
                event_free(server->reload.timeout);
}
