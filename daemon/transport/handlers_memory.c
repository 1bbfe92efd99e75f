/* SPDX-License-Identifier: MIT */
/*
 * Requests about memory: getting it, learning where it is, giving it back.
 */
#include "dispatch.h"

#include "convert.h"
#include "grant.h"
#include "server_private.h"

#include "macros.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* Let the request wait: for memory, or (without wait_ms) only for pools to grow. Return: 0: the
 * reply comes later; PAR_REFUSED_*; -ENOMEM. */
static int wait_begin(struct session *session, const Wire__Request *request,
                      const struct request *want, struct reply *reply)
{
        struct wait *wait = calloc(1, sizeof(*wait));
        uint64_t now_ns = server_now_ns(), deadline_ns = UINT64_MAX;
        int32_t wait_ms = request->alloc->wait_ms;
        int r;

        if (!wait)
                return -ENOMEM;
        if (wait_ms >= 0)
                deadline_ns = wait_ms ? now_ns + (uint64_t)wait_ms * NS_PER_MS : WAIT_FOR_GROWTH;
        wait->seq = request->seq;
        wait->asked_ns = session->server->asked_ns;
        TAILQ_INSERT_TAIL(&session->waits, wait, link);
        r = state_wait(session->server->state, session->client, want, deadline_ns, request->seq,
                       now_ns, &reply->refusal);
        if (r) {
                session_forget_wait(session, wait);
                return r;
        }
        reply->later = true;
        return 0;
}

int handle_alloc(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const Wire__Alloc *alloc = request->alloc;
        const char *complaint;
        struct request want;
        struct buffer *buffer;
        int r;

        r = request_from_wire(alloc, &want, &complaint);
        if (r)
                return reply_say(reply, r, "%s", complaint);

        /* The worker that was asked before may have granted it. Other requests may have a number
         * that was used before: buffers live longer than numbers last. */
        buffer = alloc->again ? client_restored_buffer(session->client, request->seq) : NULL;
        if (buffer)
                return export_grant(session, request->seq, WIRE__REQUEST__BODY_ALLOC, buffer,
                                    session->server->asked_ns, reply);

        want.seq = request->seq;
        want.patient = alloc->wait_ms != 0;
        r = state_alloc(session->server->state, session->client, &want, session->server->asked_ns,
                        &buffer, &reply->refusal);
        if (par_is_refusal(r) && !reply->refusal.permanent &&
            (want.patient || reply->refusal.growing))
                return wait_begin(session, request, &want, reply);
        if (r)
                return r;
        return export_grant(session, request->seq, WIRE__REQUEST__BODY_ALLOC, buffer,
                            session->server->asked_ns, reply);
}

int handle_extents(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const Wire__Extents *extents = request->extents;
        const struct buffer *buffer = client_buffer(session->client, extents->buffer);

        if (!buffer)
                return reply_say(reply, PAR_REFUSED_GONE, "no buffer %" PRIu64 " of yours",
                                 extents->buffer);
        return grant_continue(session, buffer, extents->cursor, reply);
}

static struct frame_name frame_of_id(uint64_t id)
{
        return (struct frame_name){ .slot = (uint32_t)id, .generation = (uint32_t)(id >> 32) };
}

void drop_frames(struct session *session, const uint64_t *frames, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                state_dropped(session->server->state, session->client, frame_of_id(frames[i]),
                              session->server->asked_ns);
        }
}

int handle_free(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const Wire__Free *body = request->free;
        int r;

        /* First, so that the client is not asked to unmap what it just has unmapped. */
        drop_frames(session, body->dropped_frames, body->n_dropped_frames);
        r = state_release(session->server->state, session->client, body->buffer,
                          session->server->asked_ns);
        if (r)
                return reply_say(reply, r, "no buffer %" PRIu64 " of yours", body->buffer);
        return 0;
}

int handle_kept(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const Wire__Kept *body = request->kept;

        (void)reply;
        for (size_t i = 0; i < body->n_frames; i++) {
                int r = client_has_mapped(session->client, frame_of_id(body->frames[i]));

                if (r)
                        return r;
        }
        return 0;
}

int handle_drop(struct session *session, const Wire__Request *request, struct reply *reply)
{
        (void)reply;
        drop_frames(session, request->drop->frames, request->drop->n_frames);
        return 0;
}

static void fill_explanation(struct reply_explanation *to)
{
        const struct explanation *from = &to->state;

        wire__explanation__init(&to->explanation);
        refusal_to_wire(&from->refusal, &to->refusal);
        to->explanation.result = (uint32_t)from->result;
        to->explanation.refusal = &to->refusal;
        if (from->pool)
                to->explanation.pool = (char *)(uintptr_t)from->pool;
        if (from->largest.first <= from->largest.last) {
                to->explanation.largest_first = from->largest.first;
                to->explanation.largest_last = from->largest.last;
        }
        to->explanation.longer = (char *)(uintptr_t)from->longer;
        to->explanation.n_segments = from->n_segments;
        to->explanation.segments = to->segment_pointers;
        for (size_t i = 0; i < from->n_segments; i++) {
                segment_to_wire(from->segments[i], from->dma_offset, &to->segments[i]);
                to->segment_pointers[i] = &to->segments[i];
        }
        to->explanation.n_blockers = from->n_blockers;
        to->explanation.blockers = to->blocker_pointers;
        for (size_t i = 0; i < from->n_blockers; i++) {
                blocker_to_wire(&from->blockers[i], &to->blockers[i]);
                to->blocker_pointers[i] = &to->blockers[i];
        }
}

int handle_explain(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct reply_explanation *body = &reply->room->explanation;
        const char *complaint;
        struct request want;
        int r;

        r = request_from_wire(request->explain, &want, &complaint);
        if (r)
                return reply_say(reply, r, "%s", complaint);
        r = state_explain(session->server->state, session->client, &want, server_now_ns(),
                          &body->state);
        if (r)
                return r;
        fill_explanation(body);
        reply->wire.body_case = WIRE__REPLY__BODY_EXPLAIN;
        reply->wire.explain = &body->explanation;
        return 0;
}

int handle_device_open(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const char *name = request->device_open->name;
        Wire__Device *body = &reply->room->device.device;
        struct constraint limits;
        struct sight sight;
        uint64_t nodes;
        int r;

        if (!name[0] || !text_is_good(name, DEVICES_TEXT_BYTES_MAX))
                return reply_say(reply, PAR_REFUSED_INVALID, "no device has such a name");
        r = state_device_limits(session->server->state, name, &limits, &nodes, &sight,
                                &reply->refusal);
        if (r)
                return r;
        wire__device__init(body);
        body->name = request->device_open->name;
        body->limits = &reply->room->device.limits;
        constraint_to_wire(&limits, nodes, body->limits);
        sight_to_wire(&sight, &reply->room->device.windows, body);
        reply->wire.body_case = WIRE__REPLY__BODY_DEVICE_OPEN;
        reply->wire.device_open = body;
        return 0;
}

int handle_reclaim(struct session *session, const Wire__Request *request, struct reply *reply)
{
        Wire__Reclaimed *body = &reply->room->reclaimed;
        const char *name = request->reclaim->client_name;

        if (!text_is_good(name, LABEL_BYTES_MAX))
                return reply_say(reply, PAR_REFUSED_INVALID,
                                 "client_name is longer than 63 bytes, or not UTF-8");
        wire__reclaimed__init(body);
        state_reclaim(session->server->state, session->client, name, server_now_ns(), &body->bytes);
        reply->wire.body_case = WIRE__REPLY__BODY_RECLAIM;
        reply->wire.reclaim = body;
        return 0;
}
