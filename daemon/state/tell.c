/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. An event tells of a state that lasts, so telling it twice does no harm, and one
 * that was missed can be told later: from the frames, the drained windows and the revoked holdings.
 */
#include "tell.h"

#include "demand.h"
#include "holder.h"
#include "macros.h"
#include "report.h"
#include "state_private.h"

#define WANTED_EVERY_NS (60 * NS_PER_S)
#define LINGER_TELL_NS  NS_PER_S

static void tell(struct state *state, const struct client *client, enum event_type type,
                 uint64_t buffer, uint64_t offset, uint64_t length)
{
        if (client && client->data)
                state->ops->event(state->data, client->data, type, buffer, offset, length);
}

/* ---- wanted --------------------------------------------------------------------------------- */

/* Whether its client may be asked for it now. */
static bool may_be_asked(const struct buffer *buffer, const struct client *waiting, uint64_t now_ns)
{
        const struct client *client = buffer->holding->client;

        return client && client != waiting &&
               (!buffer->wanted_ns || now_ns - buffer->wanted_ns >= WANTED_EVERY_NS);
}

static bool needs_to_be_there(const struct buffer *buffer, struct range window)
{
        return buffer->needs_below && buffer->needs_below <= window.last;
}

void tell_wanted(struct state *state, const struct waiter *waiter, uint64_t now_ns)
{
        struct explanation found = { .n_blockers = 0 };
        struct buffer *asked[REPORT_BLOCKERS_MAX];
        struct refusal refusal;
        struct demand demand;
        bool movable = false;
        size_t n = 0;

        if (demand_init(state, &waiter->request, &demand, &refusal))
                return; /* by now its device has other limits: the next attempt says so */
        report_blockers(state, waiter->client, &demand, waiter->holds, &found);
        for (size_t i = 0; i < found.n_blockers; i++) {
                struct buffer *buffer = state_buffer(state, found.blockers[i].buffer);

                if (!may_be_asked(buffer, waiter->client, now_ns))
                        continue;
                asked[n++] = buffer;
                movable |= !needs_to_be_there(buffer, demand.want.window);
        }
        for (size_t i = 0; i < n; i++) {
                if (movable && needs_to_be_there(asked[i], demand.want.window))
                        continue;
                asked[i]->wanted_ns = now_ns;
                tell(state, asked[i]->holding->client, EVENT_WANTED, asked[i]->id, 0,
                     asked[i]->size_bytes);
        }
}

/* ---- lingering ------------------------------------------------------------------------------ */

void tell_lingering_later(struct state *state, const struct frame *frame)
{
        struct owner *owner = frame->account ? frame->account->owner : NULL;

        if (owner && frame->state == FRAME_LINGERING && LIST_EMPTY(&frame->shown) &&
            !due_is_set(&owner->leak))
                due_set(&state->dues, &owner->leak, state->now_ns + LINGER_TELL_NS);
}

void tell_lingering(struct state *state, struct owner *owner)
{
        struct state_bytes bytes;
        struct client *client;
        uint64_t n_buffers;

        due_cancel(&state->dues, &owner->leak);
        owner_bytes(owner, &bytes, &n_buffers);
        if (!bytes.lingering)
                return;
        if (!owner->is_uid) {
                tell(state, owner->client, EVENT_LINGERING, 0, 0, bytes.lingering);
                return;
        }
        LIST_FOREACH (client, &state->clients, link)
                if (client->uid_owner == owner)
                        tell(state, client, EVENT_LINGERING, 0, 0, bytes.lingering);
}

/* ---- again ---------------------------------------------------------------------------------- */

static void tell_of_retired(struct state *state, const struct client *client,
                            const struct buffer *buffer)
{
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                const struct buffer_piece *piece = &buffer->pieces[i];

                if (piece->frame->state == FRAME_RETIRED)
                        tell(state, client,
                             piece->frame->fault == FRAME_POISONED ? EVENT_POISONED : EVENT_MOVED,
                             buffer->id, buffer_offset(buffer, piece->phys), piece->length_bytes);
        }
}

static void tell_of_holding(struct state *state, const struct client *client,
                            const struct holding *holding)
{
        const struct pool *pool = holding->account->pool;
        struct buffer *buffer;

        if (!pool->drain.n_windows && !holding->account->bytes.retired)
                return;
        LIST_FOREACH (buffer, &holding->buffers, held) {
                tell_of_retired(state, client, buffer);
                state_tell_draining(state, buffer, true);
        }
}

static void tell_of_lost(struct state *state, struct client *client)
{
        const struct lost_buffer *lost;

        LIST_FOREACH (lost, &client->lost, link)
                tell(state, client, EVENT_MOVED, lost->id, 0, lost->size_bytes);
        client_forget_lost(client);
}

/* What it shares is in no holding of its own. */
static void tell_of_shared(struct state *state, struct client *client)
{
        struct holder *holder = NULL;

        while ((holder = holders_next(client, holder))) {
                struct buffer *buffer = holder->share->buffer;

                tell_of_retired(state, client, buffer);
                if (buffer->holding->account->pool->drain.n_windows)
                        state_tell_draining(state, buffer, true);
        }
}

void tell_again(struct state *state, struct client *client)
{
        const struct holding *holding;
        const struct buffer *buffer;

        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (client->holdings[i])
                        tell_of_holding(state, client, client->holdings[i]);
        tell_of_shared(state, client);
        tell_of_lost(state, client);
        LIST_FOREACH (holding, &client->revoked, by_client)
                LIST_FOREACH (buffer, &holding->buffers, held)
                        tell(state, client, EVENT_REVOKED, buffer->id, 0, buffer->size_bytes);
}
