/* SPDX-License-Identifier: MIT */
/*
 * Owns what clients hold, and the end of that. It costs time for each buffer, so it is spread over
 * several turns where they are many: first every frame learns that its buffer's client is gone,
 * then comes the quarantine, then the buffers go.
 *
 * Invariant: a buffer of a holding that ended is nobody's to free, from the first moment on; and
 * memory from which a client was cut off is never granted again in place, because that client and
 * its device may write there as long as they have it. So its frames are closed. So are those of a
 * pool that hides its addresses: nothing waits there, but the kernel has to say that no device has
 * them any more.
 */
#include "holding.h"

#include "client.h"
#include "state_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int holding_new(struct client *client, struct account *account, struct holding **ret)
{
        struct holding *holding;

        holding = calloc(1, sizeof(*holding));
        if (!holding)
                return -ENOMEM;
        holding->client = client;
        holding->account = account;
        holding->uid = client->identity.uid;
        holding->pid = client->identity.pid;
        holding->client_id = client_id(client);
        memcpy(holding->name, client->session_owner->name, sizeof(holding->name));
        LIST_INIT(&holding->buffers);
        LIST_INIT(&holding->fresh);
        due_init(&holding->due, DUE_HOLDING);
        account->owner->n_holdings++;
        *ret = holding;
        return 0;
}

void holding_discard(struct holding *holding)
{
        holding->account->owner->n_holdings--;
        free(holding);
}

void holding_add(struct holding *holding, struct buffer *buffer)
{
        buffer->holding = holding;
        LIST_INSERT_HEAD(&holding->buffers, buffer, held);
        holding->n_buffers++;
        holding->bytes += buffer->size_bytes;
        if (holding->client)
                holding->client->n_buffers++;
}

void holding_remove(struct holding *holding, struct buffer *buffer)
{
        if (holding->client)
                client_forget_restored(holding->client, buffer);
        LIST_REMOVE(buffer, held);
        holding->n_buffers--;
        holding->bytes -= buffer->size_bytes;
        if (holding->client)
                holding->client->n_buffers--;
}

static void spend(unsigned *steps, size_t n)
{
        *steps = n < *steps ? *steps - (unsigned)n : 0;
}

/* Its frames learn that its client is gone. */
static void buffer_end(struct state *state, struct buffer *buffer)
{
        struct holding *holding = buffer->holding;

        LIST_REMOVE(buffer, held);
        LIST_INSERT_HEAD(&holding->buffers, buffer, held);
        buffer->ended = true;
        if (holding->revoked)
                ledger_revoke_buffer(state->ledger, buffer->record, holding->ended_ns);
        if (holding->disclosed)
                quarantine_note(holding, buffer);
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                struct frame *frame = buffer->pieces[i].frame;

                frame->n_ended++;
                if ((holding->revoked || !holding->disclosed) && !frame->closed)
                        frame_close(frame);
                if (frame->state == FRAME_GRANTED && frame->n_ended == frame->n_pieces)
                        frame_set_state(frame, FRAME_QUARANTINED);
        }
        if (!holding->cut_off)
                return;
        client_forget_restored(holding->cut_off, buffer);
        if (holding->cut_off->data)
                state->ops->event(state->data, holding->cut_off->data, EVENT_REVOKED, buffer->id, 0,
                                  buffer->size_bytes);
}

/* Return: whether all frames know. */
static bool end_fresh(struct state *state, struct holding *holding, unsigned *steps)
{
        struct buffer *buffer;

        while ((buffer = LIST_FIRST(&holding->fresh))) {
                if (!*steps)
                        return false;
                spend(steps, buffer->n_pieces);
                buffer_end(state, buffer);
        }
        return true;
}

/* Return: whether all buffers are gone. */
static bool free_buffers(struct state *state, struct holding *holding, uint64_t now_ns,
                         unsigned *steps)
{
        struct buffer *buffer;

        while ((buffer = LIST_FIRST(&holding->buffers))) {
                if (!*steps)
                        return false;
                spend(steps, buffer->n_pieces);
                state_ungrant(state, buffer, now_ns);
        }
        return true;
}

/* While its client lives, a device that is quiet may be started again. */
static bool is_over(struct state *state, struct holding *holding, uint64_t now_ns)
{
        if (!holding_waits(holding))
                return true;
        if (!holding->cut_off)
                quarantine_watch(state, holding);
        return quarantine_is_over(holding, now_ns);
}

void holding_due(struct state *state, struct holding *holding, uint64_t now_ns, unsigned *steps)
{
        struct owner *owner = holding->account->owner;

        assert(!holding->client);

        if (!end_fresh(state, holding, steps)) {
                due_set(&state->dues, &holding->due, now_ns);
                return;
        }
        if (!is_over(state, holding, now_ns)) {
                quarantine_tell(state, holding, now_ns);
                due_set(&state->dues, &holding->due, quarantine_due(holding, now_ns));
                return;
        }
        quarantine_end(state, holding);
        holding->until_ns = 0;
        if (!free_buffers(state, holding, now_ns, steps)) {
                due_set(&state->dues, &holding->due, now_ns);
                return;
        }
        due_cancel(&state->dues, &holding->due);
        LIST_REMOVE(holding, ended);
        if (holding->cut_off)
                LIST_REMOVE(holding, by_client);
        if (holding->quarantined)
                LIST_REMOVE(holding, of_owner);
        free(holding);
        state_freed_by(state, owner);
        owner->n_holdings--;
        state_owner_settle(state, owner);
}

static void begin_quarantine(struct holding *holding, uint64_t now_ns)
{
        uint64_t wait_ns = holding->disclosed ? holding->account->pool->settings->quarantine_ns : 0;

        LIST_SWAP(&holding->fresh, &holding->buffers, buffer, held);
        holding->quarantined = true;
        LIST_INSERT_HEAD(&holding->account->owner->quarantined, holding, of_owner);
        holding->until_ns = wait_ns < UINT64_MAX - now_ns ? now_ns + wait_ns : UINT64_MAX - 1;
}

/* Administrators find every address in the lists. */
static bool is_disclosed(const struct holding *holding)
{
        return !holding->account->pool->settings->hidden || holding->client->was_admin;
}

static void end(struct state *state, struct holding *holding, bool orderly, uint64_t now_ns,
                unsigned *steps)
{
        holding->ended_ns = now_ns;
        LIST_INSERT_HEAD(&state->ended, holding, ended);
        if (!orderly && holding->n_buffers &&
            (holding->account->pool->settings->quarantine_ns || !holding->disclosed))
                begin_quarantine(holding, now_ns);
        holding_due(state, holding, now_ns, steps);
}

void holding_end(struct state *state, struct holding *holding, bool orderly, uint64_t now_ns,
                 unsigned *steps)
{
        holding->disclosed = is_disclosed(holding);
        holding->client = NULL;
        end(state, holding, orderly, now_ns, steps);
}

void holding_end_shared(struct state *state, struct holding *holding, bool disclosed, bool orderly,
                        uint64_t now_ns, unsigned *steps)
{
        assert(!holding->client && !holding->share);

        holding->disclosed = disclosed;
        end(state, holding, orderly, now_ns, steps);
}

void holding_revoke(struct state *state, struct holding *holding, uint64_t now_ns, unsigned *steps)
{
        struct client *client = holding->client;
        size_t pool = holding->account->pool->index;

        if (client->holdings[pool] == holding)
                client->holdings[pool] = NULL;
        client->n_buffers -= holding->n_buffers;
        holding->disclosed = is_disclosed(holding);
        holding->client = NULL;
        holding->ended_ns = now_ns;
        holding->revoked = true;
        holding->cut_off = client;
        LIST_INSERT_HEAD(&client->revoked, holding, by_client);
        LIST_INSERT_HEAD(&state->ended, holding, ended);
        begin_quarantine(holding, now_ns);
        holding_due(state, holding, now_ns, steps);
}

void holding_lose_client(struct state *state, struct holding *holding, bool orderly,
                         uint64_t now_ns, unsigned *steps)
{
        LIST_REMOVE(holding, by_client);
        holding->cut_off = NULL;
        if (orderly && holding_waits(holding))
                holding_release(state, holding, now_ns, steps);
        else
                holding_due(state, holding, now_ns, steps);
}

void holding_release(struct state *state, struct holding *holding, uint64_t now_ns, unsigned *steps)
{
        assert(holding_waits(holding));

        holding->until_ns = 0;
        holding_due(state, holding, now_ns, steps);
}

void holding_release_buffer(struct state *state, struct buffer *buffer, uint64_t now_ns)
{
        struct holding *holding = buffer->holding;
        unsigned steps = 0;

        assert(holding_waits(holding));

        if (!buffer->ended)
                buffer_end(state, buffer);
        state_ungrant(state, buffer, now_ns);
        state_freed_by(state, holding->account->owner);
        if (!holding->n_buffers)
                holding->until_ns = 0;
        holding_due(state, holding, now_ns, &steps);
}
