/* SPDX-License-Identifier: MIT */
/*
 * Requests of administrators, and the end of a quarantine, which its owner may ask for too. Owns
 * nothing, and decides nothing: the state knows who is an administrator, and logs what is done.
 */
#include "dispatch.h"

#include "convert.h"
#include "server_private.h"

#include <string.h>

static Wire__Affected *affected(struct reply *reply, Wire__Reply__BodyCase body_case,
                                uint64_t bytes)
{
        Wire__Affected *body = &reply->room->affected;

        wire__affected__init(body);
        body->bytes = bytes;
        reply->wire.body_case = body_case;
        return body;
}

/* What the pool wants to hold now. */
static uint64_t goal_of(struct session *session, const char *pool)
{
        struct pool_report report;
        uint64_t cursor = 0;

        while (state_next_pool(session->server->state, session->client, &cursor, &report))
                if (strcmp(report.settings->name, pool) == 0)
                        return report.goal_bytes;
        return 0;
}

int handle_resize(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const Wire__Resize *body = request->resize;
        uint64_t goal;
        int r;

        if (!text_is_good(body->pool, LABEL_BYTES_MAX))
                return reply_say(reply, PAR_REFUSED_INVALID, "no pool has such a name");
        r = state_resize(session->server->state, session->client, body->pool, body->size,
                         server_now_ns(), &reply->refusal);
        if (r)
                return r;
        goal = goal_of(session, body->pool);
        reply->wire.resize = affected(reply, WIRE__REPLY__BODY_RESIZE, goal);
        return 0;
}

int handle_drain(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const Wire__Drain *body = request->drain;
        struct range window;
        uint64_t bytes;
        int r;

        if (!text_is_good(body->pool, LABEL_BYTES_MAX))
                return reply_say(reply, PAR_REFUSED_INVALID, "no pool has such a name");
        r = window_from_wire(body->addr_min, body->addr_max, &window);
        if (r)
                return reply_say(reply, r, "addr_min is above addr_max");
        r = state_drain(session->server->state, session->client, body->pool, window, !body->end,
                        server_now_ns(), &bytes, &reply->refusal);
        if (r)
                return r;
        reply->wire.drain = affected(reply, WIRE__REPLY__BODY_DRAIN, bytes);
        return 0;
}

/* state_revoke() or state_end_quarantine() */
typedef int selection_deed(struct state *state, struct client *asker, const struct selection *which,
                           uint64_t now_ns, uint64_t *ret_bytes, struct refusal *refusal);

static int do_to_selection(struct session *session, const Wire__Selection *selection,
                           selection_deed *deed, struct reply *reply, uint64_t *ret_bytes)
{
        struct selection which;
        const char *complaint;
        int r;

        r = selection_from_wire(selection, &which, &complaint);
        if (r)
                return reply_say(reply, r, "%s", complaint);
        return deed(session->server->state, session->client, &which, server_now_ns(), ret_bytes,
                    &reply->refusal);
}

int handle_revoke(struct session *session, const Wire__Request *request, struct reply *reply)
{
        uint64_t bytes;
        int r;

        r = do_to_selection(session, request->revoke, state_revoke, reply, &bytes);
        if (r)
                return r;
        reply->wire.revoke = affected(reply, WIRE__REPLY__BODY_REVOKE, bytes);
        return 0;
}

int handle_release(struct session *session, const Wire__Request *request, struct reply *reply)
{
        uint64_t bytes;
        int r;

        r = do_to_selection(session, request->release, state_end_quarantine, reply, &bytes);
        if (r)
                return r;
        reply->wire.release = affected(reply, WIRE__REPLY__BODY_RELEASE, bytes);
        return 0;
}

int handle_reload(struct session *session, const Wire__Request *request, struct reply *reply)
{
        if (session->reload.seq)
                return reply_say(reply, PAR_REFUSED_BUSY, "request %u of yours to reload waits",
                                 session->reload.seq);
        reload_ask(session, request->seq);
        reply->later = true;
        return 0;
}
