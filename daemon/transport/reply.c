/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing beyond the reply. The only place where refusals and faults become words on the wire,
 * and where faults are logged. A client never learns of a buffer that the state then takes back:
 * either the whole reply is on its way, or nothing of it ever was.
 */
#include "reply.h"

#include "convert.h"
#include "log.h"
#include "server_private.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void reply_init(struct reply *reply, union reply_room *room)
{
        wire__reply__init(&reply->wire);
        memset(&reply->refusal, 0, sizeof(reply->refusal));
        reply->said = false;
        reply->later = false;
        reply->end = SESSION_GOES_ON;
        reply->n_descriptors = 0;
        reply->n_shown = 0;
        reply->granted = 0;
        reply->n_granted = 1;
        reply->opened = false;
        reply->room = room;
}

int reply_say(struct reply *reply, int r, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vsnprintf(reply->refusal.sentence, sizeof(reply->refusal.sentence), format, args);
        va_end(args);
        reply->refusal.permanent = r == PAR_REFUSED_INVALID || r == PAR_REFUSED_DENIED;
        reply->said = true;
        return r;
}

static void undo_grant(struct state *state, struct client *client, uint64_t buffer, bool opened,
                       uint64_t now_ns)
{
        if (opened)
                state_release(state, client, buffer, now_ns);
        else
                state_take_back(state, client, buffer, now_ns);
}

/* Take back what the client will not hear of. */
static void undo(struct session *session, struct reply *reply)
{
        struct state *state = session->server->state;
        uint64_t now_ns = server_now_ns();

        for (size_t i = 0; i < reply->n_shown; i++)
                state_dropped(state, session->client, reply->shown[i], now_ns);
        for (size_t i = 0; reply->granted && i < reply->n_granted; i++)
                undo_grant(state, session->client, reply->granted + i, reply->opened, now_ns);
        reply->n_shown = 0;
        reply->n_descriptors = 0;
        reply->granted = 0;
}

/* Make it the reply that says no. */
static void refuse(struct session *session, struct reply *reply, uint32_t seq, int r)
{
        undo(session, reply);
        if (r < 0) {
                if (!reply->said)
                        session_fault(session, seq, r);
                if (!reply->said || !reply->refusal.sentence[0])
                        reply_say(reply, r, "pard failed: %s", strerror(-r));
        } else if (!reply->refusal.sentence[0]) {
                reply_say(reply, r, "%s", par_refusal_name(r));
        }
        wire__reply__init(&reply->wire);
        reply->wire.result = (uint32_t)(r < 0 ? -r : r);
}

static int pack_and_push(struct session *session, struct reply *reply)
{
        struct server *server = session->server;
        Wire__Packet packet = WIRE__PACKET__INIT;
        Wire__Refusal refusal;
        size_t size;
        int r;

        if (reply->wire.result) {
                refusal_to_wire(&reply->refusal, &refusal);
                reply->wire.refusal = &refusal;
        }
        packet.kind_case = WIRE__PACKET__KIND_REPLY;
        packet.reply = &reply->wire;
        r = message_pack_packet(&packet, server->out, sizeof(server->out), &size);
        reply->wire.refusal = NULL;
        if (r)
                return r;
        return outbox_push(&session->outbox, server->out, size, reply->descriptors,
                           reply->n_descriptors);
}

void reply_send(struct session *session, struct reply *reply, uint32_t seq, int r)
{
        if (r)
                refuse(session, reply, seq, r);
        reply->wire.seq = seq;
        r = pack_and_push(session, reply);
        if (r) {
                reply->said = false;
                refuse(session, reply, seq, r);
                reply->wire.seq = seq;
                r = pack_and_push(session, reply);
        }
        if (r) /* not even that: the client cannot go on without its answer */
                session_end(session, SESSION_DIED);
        else if (reply->end)
                session_end(session, reply->end);
}
