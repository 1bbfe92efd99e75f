/* SPDX-License-Identifier: MIT */
/*
 * Requests about several buffers at once. Invariant: all of a batch goes out in one packet, with
 * the descriptors of all frames that are new to the session; where there is no room for these
 * nothing is granted.
 */
#include "dispatch.h"

#include "convert.h"
#include "grant.h"
#include "server_private.h"

#include <inttypes.h>

/* What is of one run is the same in all of its buffers, but for where they lie. */
static bool goes_on(const Wire__BatchRun *run, const struct piece *piece)
{
        return run->frame == frame_id(piece->frame) &&
               run->frame_offset + run->count * piece->length_bytes == piece->frame_offset &&
               run->zeroed == piece->zeroed;
}

static int begin_run(struct session *session, const struct buffer_view *view,
                     const struct piece *piece, struct reply *reply, Wire__BatchRun *run)
{
        bool has_fd;
        int r;

        if (reply->n_descriptors == outbox_room(&session->outbox))
                return reply_say(reply, PAR_REFUSED_BUSY,
                                 "more descriptors than are on their way already fit into no "
                                 "packet: receive those, or ask for one at a time");
        r = grant_show_frame(session, piece->frame, reply, &has_fd);
        if (r)
                return r;
        wire__batch_run__init(run);
        run->pool = (char *)(uintptr_t)view->pool;
        run->page_size = view->page_bytes;
        run->frame = frame_id(piece->frame);
        run->frame_offset = piece->frame_offset;
        run->phys = view->hidden ? WIRE_PHYS_HIDDEN : piece->phys;
        run->dma = view->hidden ? WIRE_PHYS_HIDDEN : piece->phys + view->dma_offset;
        run->has_fd = has_fd;
        run->zeroed = piece->zeroed;
        run->keep = piece->keep;
        return 0;
}

/* @buffers: @count, whose numbers follow each other. Return: 0; PAR_REFUSED_BUSY; negative errno.
 */
static int answer(struct session *session, struct buffer *const *buffers, size_t count,
                  struct reply *reply)
{
        struct reply_batch *batch = &reply->room->batch;
        struct buffer_view view;
        struct piece piece;
        size_t n = 0;
        int r;

        wire__grant_batch__init(&batch->grant);
        buffer_view(buffers[0], &view);
        batch->grant.buffer = reply->granted = view.id;
        batch->grant.size = view.size_bytes;
        reply->n_granted = count;
        for (size_t i = 0; i < count; i++) {
                buffer_piece(buffers[i], 0, &piece);
                if (!n || !goes_on(&batch->runs[n - 1], &piece)) {
                        buffer_view(buffers[i], &view);
                        r = begin_run(session, &view, &piece, reply, &batch->runs[n]);
                        if (r)
                                return r;
                        batch->run_pointers[n] = &batch->runs[n];
                        n++;
                }
                batch->runs[n - 1].count++;
        }
        batch->grant.n_runs = n;
        batch->grant.runs = batch->run_pointers;
        reply->wire.body_case = WIRE__REPLY__BODY_ALLOC_BATCH;
        reply->wire.alloc_batch = &batch->grant;
        return 0;
}

/* What the worker that was asked before has granted: all of it is the answer, a part of it was
 * heard of by nobody. Return: whether there is all. */
static bool find_granted(struct session *session, uint32_t seq, struct buffer **ret, size_t count)
{
        struct buffer *found[BATCH_BUFFERS_MAX];
        const size_t n = client_restored_batch(session->client, seq, found, count);
        uint64_t ids[BATCH_BUFFERS_MAX], gone;

        for (size_t i = 0; i < n; i++) {
                struct buffer_view view;

                ret[n - 1 - i] = found[i];
                buffer_view(found[i], &view);
                if (view.piece_count != 1) /* the answer to another request of this number */
                        return false;
                ids[i] = view.id;
        }
        if (n < count)
                (void)state_release_batch(session->server->state, session->client, ids, n,
                                          session->server->asked_ns, &gone);
        return n == count;
}

static int check(const Wire__AllocBatch *batch, const struct request *want, struct reply *reply)
{
        if (!batch->count || batch->count > BATCH_BUFFERS_MAX)
                return reply_say(reply, PAR_REFUSED_INVALID,
                                 "a batch of %" PRIu32 ": 1 to %d are possible", batch->count,
                                 BATCH_BUFFERS_MAX);
        if (batch->alloc->wait_ms)
                return reply_say(reply, PAR_REFUSED_INVALID,
                                 "a batch does not wait: ask for one at a time");
        if (want->share.wanted)
                return reply_say(reply, PAR_REFUSED_INVALID,
                                 "buffers that are to be shared are asked for one at a time");
        return 0;
}

int handle_alloc_batch(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const Wire__AllocBatch *batch = request->alloc_batch;
        struct buffer *buffers[BATCH_BUFFERS_MAX];
        const char *complaint;
        struct request want;
        int r;

        if (!batch->alloc)
                return reply_say(reply, PAR_REFUSED_INVALID, "a batch of what?");
        r = request_from_wire(batch->alloc, &want, &complaint);
        if (r)
                return reply_say(reply, r, "%s", complaint);
        r = check(batch, &want, reply);
        if (r)
                return r;
        if (batch->alloc->again && find_granted(session, request->seq, buffers, batch->count))
                return answer(session, buffers, batch->count, reply);

        want.seq = request->seq;
        r = state_alloc_batch(session->server->state, session->client, &want, batch->count,
                              session->server->asked_ns, buffers, &reply->refusal);
        return r ? r : answer(session, buffers, batch->count, reply);
}

int handle_free_batch(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const Wire__FreeBatch *body = request->free_batch;
        uint64_t gone;
        int r;

        if (body->n_buffers > BATCH_BUFFERS_MAX)
                return reply_say(reply, PAR_REFUSED_INVALID, "%zu buffers: %d are possible",
                                 body->n_buffers, BATCH_BUFFERS_MAX);
        /* First, as with one. */
        drop_frames(session, body->dropped_frames, body->n_dropped_frames);
        r = state_release_batch(session->server->state, session->client, body->buffers,
                                body->n_buffers, session->server->asked_ns, &gone);
        if (r)
                return reply_say(reply, r, "no buffer %" PRIu64 " of yours", gone);
        return 0;
}
