/* SPDX-License-Identifier: MIT */
/*
 * Requests about the session itself: its beginning, its end, and taking back what waits.
 */
#include "dispatch.h"

#include "awaited.h"
#include "convert.h"
#include "server_private.h"

#include "macros.h"
#include "protocol.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/random.h>

/* A token that nobody can guess. Return: 0; negative errno. */
static int make_token(uint64_t *ret)
{
        uint64_t token = 0;

        while (!token) /* 0 means none */
                if (getrandom(&token, sizeof(token), 0) != (ssize_t)sizeof(token))
                        return -errno;
        *ret = token;
        return 0;
}

/* Return: 0; PAR_REFUSED_GONE: no such session is awaited. */
static int resume(struct session *session, const Wire__Hello *hello, Wire__Welcome *welcome)
{
        int r;

        if (!hello->resume_token)
                return PAR_REFUSED_GONE;
        r = client_resume(session->server->state, &session->peer.identity, hello->resume_token,
                          session, server_now_ns(), &session->client);
        if (r)
                return r;
        awaited_forget(session->server, session->client);
        welcome->resume_token = hello->resume_token;
        welcome->resumed = true;
        return 0;
}

/* Return: 0; PAR_REFUSED_QUOTA; negative errno. */
static int begin(struct session *session, const Wire__Hello *hello, Wire__Welcome *welcome)
{
        int r;

        r = make_token(&welcome->resume_token);
        if (r)
                return r;
        return client_new(session->server->state, &session->peer.identity, hello->client_name,
                          welcome->resume_token, session, server_now_ns(), &session->client);
}

int handle_hello(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct server *server = session->server;
        const Wire__Hello *hello = request->hello;
        Wire__Welcome *welcome = &reply->room->welcome;
        char why[160];
        int r;

        reply->end = SESSION_DIED; /* unless it gets to the end of this */
        if (hello->version != PROTOCOL_VERSION)
                return reply_say(reply, -EPROTO, "this pard speaks version %d of the protocol",
                                 PROTOCOL_VERSION);
        if (!text_is_good(hello->client_name, LABEL_BYTES_MAX))
                return reply_say(reply, PAR_REFUSED_INVALID,
                                 "client_name is longer than 63 bytes, or not UTF-8");

        wire__welcome__init(welcome);
        r = resume(session, hello, welcome);
        if (r)
                r = begin(session, hello, welcome);
        if (r == PAR_REFUSED_QUOTA) {
                client_refusal_words(server->state, &session->peer.identity, why, sizeof(why));
                return reply_say(reply, r, "%s", why);
        }
        if (r)
                return r;

        event_remove_timer(session->readable);
        strangers_remove(&server->strangers, session);
        welcome->version = PROTOCOL_VERSION;
        welcome->client = client_id(session->client);
        welcome->granule = GRANULE_BYTES;
        welcome->server = server->name;
        welcome->batch_max = BATCH_BUFFERS_MAX;
        reply->wire.body_case = WIRE__REPLY__BODY_HELLO;
        reply->wire.hello = welcome;
        reply->end = SESSION_GOES_ON;
        return 0;
}

int handle_bye(struct session *session, const Wire__Request *request, struct reply *reply)
{
        (void)session;
        (void)request;
        reply->end = SESSION_BYE;
        return 0;
}

int handle_cancel(struct session *session, const Wire__Request *request, struct reply *reply)
{
        uint32_t seq = request->cancel->seq;
        struct wait *wait = session_wait(session, seq);
        struct reply cancelled;
        int r;

        r = wait ? state_cancel(session->server->state, session->client, seq, server_now_ns())
                 : PAR_REFUSED_GONE;
        if (r)
                return reply_say(reply, r, "no request %u of yours waits", seq);

        session_forget_wait(session, wait);
        reply_init(&cancelled, reply->room);
        r = reply_say(&cancelled, -ECANCELED, "request %u was cancelled", seq);
        reply_send(session, &cancelled, seq, r);
        return 0;
}
