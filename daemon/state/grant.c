/* SPDX-License-Identifier: MIT */
/*
 * Making a choice into a buffer, and back. Everything that can fail is done first: the objects are
 * made, and what will change in the account's partial space is held, for as long as any part of the
 * frame may be granted; so the later giving back cannot fail either. Then comes the commit, which
 * cannot fail, and ends with the ledger: before that a buffer is placed, and nobody has heard of
 * it.
 */
#include "choice.h"
#include "holder.h"
#include "macros.h"
#include "quarantine.h"
#include "state_private.h"

#include <stdio.h>

static void find_frames(const struct state *state, struct buffer *buffer, uint64_t page_bytes)
{
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                struct buffer_piece *piece = &buffer->pieces[i];

                piece->frame = state_frame_at(state, align_down(piece->phys, page_bytes));
                assert(piece->frame);
        }
}

/* Whether the piece divides a frame that was not divided. */
static bool is_to_divide(const struct buffer_piece *piece)
{
        return !piece->frame->divided && !piece->buffer->share &&
               piece->length_bytes < piece->frame->pool->settings->page_bytes;
}

static void release_parts(struct account *account, const struct buffer *buffer, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (is_to_divide(&buffer->pieces[i]))
                        frame_release_parts(buffer->pieces[i].frame, account);
}

static int hold_parts(struct account *account, const struct buffer *buffer)
{
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                int r = 0;

                if (is_to_divide(&buffer->pieces[i]))
                        r = frame_hold_parts(buffer->pieces[i].frame, account);
                if (r) {
                        release_parts(account, buffer, i);
                        return r;
                }
        }
        return 0;
}

/* Free frames of a node that follow each other, from a piece on. Return: of how many pieces. */
static size_t free_run(const struct buffer *buffer, size_t from, struct range *ret)
{
        const struct frame *first = buffer->pieces[from].frame, *frame = first;
        size_t n = 0;

        *ret = frame_range(first);
        while (frame->state == FRAME_FREE && frame->node == first->node &&
               frame->phys == first->phys + n * frame->pool->settings->page_bytes) {
                ret->last = frame_range(frame).last;
                if (from + ++n == buffer->n_pieces)
                        break;
                frame = buffer->pieces[from + n].frame;
        }
        return n;
}

/* Out of what is free in the pool, a run at once. */
static void take_free(struct pool *pool, const struct buffer *buffer)
{
        struct range run;

        for (size_t i = 0, n; i < buffer->n_pieces; i += n) {
                n = free_run(buffer, i, &run);
                if (n)
                        node_spaces_remove(&pool->free, buffer->pieces[i].frame->node, run);
                else
                        n = 1; /* the account's already */
        }
}

/* A frame without buffers becomes the account's as a whole, to be divided where it is. */
static void take_frame(struct state *state, struct account *account,
                       const struct buffer_piece *piece)
{
        struct frame *frame = piece->frame;

        due_cancel(&state->dues, &frame->due);
        if (frame->state == FRAME_REUSABLE) {
                frame_remove_from(frame, &account->empty);
                account->reusable = NULL;
        } else {
                frame_release_in(frame, &frame->pool->free);
        }
        if (is_to_divide(piece))
                frame->divided = true;
        if (frame->divided)
                frame_add_to(frame, &account->partial);
}

static void commit_piece(struct state *state, struct account *account, struct buffer_piece *piece)
{
        struct frame *frame = piece->frame;

        if (!frame->n_pieces)
                take_frame(state, account, piece);
        if (frame->divided)
                node_spaces_remove(&account->partial, frame->node,
                                   range_of(piece->phys, piece->length_bytes));
        if (frame->account)
                frame_set_state(frame, FRAME_GRANTED); /* what else is in it may be of the dead */
        else
                frame_charge(frame, account, FRAME_GRANTED);

        piece->zeroed = !frame->used;
        frame_add_piece(frame, piece);
        if (piece->buffer->share)
                frame_close(frame);
}

/* From here on a client may have it. */
static void lend_frame(struct state *state, struct frame *frame)
{
        const struct owner *owner = frame->account->owner;

        frame->used = true;
        if (frame->lent)
                return;
        frame->lent = true;
        ledger_charge_frame(state->ledger, frame->name.slot, frame->name.generation, owner->record,
                            owner->uid);
        state->ops->lend(state->data, frame->name);
}

void state_list_buffer(struct state *state, struct buffer *buffer)
{
        struct account *account = buffer->holding->account;

        LIST_INSERT_HEAD(&account->pool->by_size[buffer_class(buffer)], buffer, by_size);
        account->n_buffers++;
        usage_add_buffer(account);
        state_buffer_insert(state, buffer);
}

/* @places: the buffer's, @n_places of them. */
static void enter_ledger(struct state *state, const struct client *client,
                         const struct buffer *buffer, const struct range *places, size_t n_places)
{
        struct ledger_buffer entry = {
                .session = client->session_owner->record,
                .seq = buffer->seq,
                .pool = buffer->holding->account->pool->index,
                .id = buffer->id,
                .since_ns = buffer->since_ns,
                .dma_offset = buffer->dma_offset,
                .needs_below = buffer->needs_below,
                .limits = &buffer->limits,
                .label = buffer->label,
                .places = places,
                .n_places = n_places,
                .n_devices = buffer->n_watches,
                .exports = buffer->n_exports,
                .unwatched = buffer->unwatched,
                .share = buffer->share ? buffer->share->record : LEDGER_NONE,
        };

        _Static_assert(REQUEST_DEVICES_MAX == LEDGER_DEVICES, "all of them");
        for (unsigned i = 0; i < buffer->n_watches; i++)
                entry.devices[i] = buffer->watches[i]->device;
        ledger_commit_buffer(state->ledger, buffer->record, &entry);
}

/* What changes with the grant is held. Return: 0; -ENOMEM, -ENOSPC, and nothing is. */
static int hold(struct state *state, const struct demand *demand, const struct choice *choice,
                struct account *account, struct buffer *buffer)
{
        int r;

        r = quarantine_prepare(state, demand, buffer);
        if (r)
                return r;
        r = hold_parts(account, buffer);
        if (r) {
                quarantine_forget(state, buffer);
                return r;
        }
        r = ledger_hold_buffer(state->ledger, choice->n_places, &buffer->record);
        if (r) {
                release_parts(account, buffer, buffer->n_pieces);
                quarantine_forget(state, buffer);
        }
        return r;
}

/* The same, and where it is to be shared the first who has it. */
static int hold_all(struct state *state, struct client *client, const struct demand *demand,
                    const struct choice *choice, struct account *account, struct buffer *buffer,
                    struct holder **ret_holder)
{
        int r;

        r = hold(state, demand, choice, account, buffer);
        if (r || !buffer->share)
                return r;
        r = holder_new(client, buffer->share, buffer->record, demand->seq, ret_holder);
        if (r) {
                ledger_drop_buffer(state->ledger, buffer->record);
                release_parts(account, buffer, buffer->n_pieces);
                quarantine_forget(state, buffer);
        }
        return r;
}

static void commit_frames(struct state *state, const struct client *client, struct pool *pool,
                          struct account *account, struct buffer *buffer)
{
        const uint64_t free_bytes = pool->bytes.free;

        take_free(pool, buffer);
        for (size_t i = 0; i < buffer->n_pieces; i++)
                commit_piece(state, account, &buffer->pieces[i]);
        assert(pool->bytes.free == free_bytes ||
               pool->bytes.free >= claims_kept_bytes(client, pool));
        (void)client;
        (void)free_bytes;
        if (pool->settings->handout == HANDOUT_DMABUF)
                buffer_mark_exported(state, buffer);
}

DEFINE_CLEANUP(struct buffer, buffer_free)
DEFINE_CLEANUP(struct holder, holder_free)
DEFINE_CLEANUP(struct share, share_free)

/* It is counted and found, though nobody has heard of it. Nothing of this fails. */
static void place(struct state *state, struct client *client, const struct demand *demand,
                  struct pool *pool, struct account *account, struct holding *holding,
                  struct buffer *buffer, uint64_t now_ns)
{
        commit_frames(state, client, pool, account, buffer);
        buffer->id = ++state->last_buffer;
        buffer->since_ns = now_ns;
        if (demand->want.window.last != UINT64_MAX)
                buffer->needs_below = demand->want.window.last;
        buffer->seq = demand->seq;
        name_copy(buffer->label, sizeof(buffer->label), demand->label);
        holding_add(holding, buffer);
        state_list_buffer(state, buffer);
        pool->counters.grants++;
        state->grants++;
}

/* From here on it is granted, whatever happens to this process. */
static void announce(struct state *state, const struct client *client, const struct buffer *buffer,
                     const struct range *places, size_t n_places)
{
        for (size_t i = 0; i < buffer->n_pieces; i++)
                lend_frame(state, buffer->pieces[i].frame);
        enter_ledger(state, client, buffer, places, n_places);
}

int state_grant(struct state *state, struct client *client, const struct demand *demand,
                const struct choice *choice, uint64_t now_ns, struct buffer **ret)
{
        _cleanup_(buffer_freep) struct buffer *buffer = NULL;
        _cleanup_(share_freep) struct share *share = NULL;
        _cleanup_(holder_freep) struct holder *holder = NULL;
        uint64_t page_bytes = choice->pool->settings->page_bytes;
        struct account *account;
        struct holding *holding;
        int r;

        r = buffer_new(choice->places, choice->n_places, page_bytes, &demand->want, &buffer);
        if (r)
                return r;
        buffer->dma_offset = demand->dma_offset;
        r = client_account(client, choice->pool, &account);
        if (r)
                return r;
        if (demand->share.wanted)
                r = share_new(client, account, &demand->share, &share);
        else
                r = client_holding(client, account, &holding);
        if (r)
                return r;
        buffer->share = share;
        find_frames(state, buffer, page_bytes);
        r = hold_all(state, client, demand, choice, account, buffer, &holder);
        if (r)
                return r;

        /* From here on nothing fails. */
        place(state, client, demand, choice->pool, account, share ? share->holding : holding,
              buffer, now_ns);
        announce(state, client, buffer, choice->places, choice->n_places);
        if (share) {
                share_begin(STEAL(share), buffer);
                holder_begin(STEAL(holder));
        }
        *ret = STEAL(buffer);
        return 0;
}

int state_place(struct state *state, struct client *client, const struct demand *demand,
                struct pool *pool, struct range at, uint64_t now_ns, struct buffer **ret)
{
        const struct choice choice = { .pool = pool, .places = &at, .n_places = 1 };
        _cleanup_(buffer_freep) struct buffer *buffer = NULL;
        struct account *account;
        struct holding *holding;
        int r;

        assert(!demand->share.wanted);

        r = buffer_new(&at, 1, pool->settings->page_bytes, &demand->want, &buffer);
        if (r)
                return r;
        buffer->dma_offset = demand->dma_offset;
        r = client_account(client, pool, &account);
        if (!r)
                r = client_holding(client, account, &holding);
        if (r)
                return r;
        find_frames(state, buffer, pool->settings->page_bytes);
        r = hold(state, demand, &choice, account, buffer);
        if (r)
                return r;
        place(state, client, demand, pool, account, holding, buffer, now_ns);
        *ret = STEAL(buffer);
        return 0;
}

void state_announce(struct state *state, const struct client *client, const struct buffer *buffer)
{
        announce(state, client, buffer, buffer->runs, buffer->n_runs);
}

/* A frame that nobody has heard of is as free as it was, if there is memory to say so. */
static void take_out_of(struct state *state, struct frame *frame, uint64_t now_ns)
{
        struct account *account = frame->account;

        if (frame->lent || frame_hold_in(frame, &frame->pool->free)) {
                state_frame_emptied(state, frame, now_ns);
                return;
        }
        if (frame->divided)
                node_spaces_clear(&account->partial, frame->node, frame_range(frame));
        frame_end_parts(frame);
        frame_discharge(frame);
        frame_set_state(frame, FRAME_FREE);
        frame_add_to(frame, &frame->pool->free);
}

void state_unplace(struct state *state, struct buffer *buffer, uint64_t now_ns)
{
        struct account *account = buffer->holding->account;

        ledger_drop_buffer(state->ledger, buffer->record);
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                struct buffer_piece *piece = &buffer->pieces[i];
                struct frame *frame = piece->frame;

                frame_remove_piece(frame, piece);
                if (!frame->n_pieces)
                        take_out_of(state, frame, now_ns);
                else if (frame->divided)
                        node_spaces_add(&account->partial, frame->node,
                                        range_of(piece->phys, piece->length_bytes));
                if (frame->n_pieces && frame->state == FRAME_GRANTED &&
                    frame->n_ended == frame->n_pieces)
                        frame_set_state(frame, FRAME_QUARANTINED);
        }
        holding_remove(buffer->holding, buffer);
        quarantine_forget(state, buffer);
        LIST_REMOVE(buffer, by_size);
        account->n_buffers--;
        usage_remove_buffer(account);
        account->pool->counters.grants--;
        state->grants--;
        state_buffer_remove(state, buffer);
        buffer_free(buffer);
}

static void return_piece(struct state *state, struct buffer_piece *piece, bool ended,
                         uint64_t now_ns)
{
        struct frame *frame = piece->frame;

        frame_remove_piece(frame, piece);
        if (ended)
                frame->n_ended--;
        if (!frame->n_pieces) {
                state_frame_emptied(state, frame, now_ns);
                return;
        }
        if (piece->buffer->n_exports && !frame->closed)
                state_frame_close(state, frame);
        if (frame->divided)
                node_spaces_add(&frame->account->partial, frame->node,
                                range_of(piece->phys, piece->length_bytes));
        if (frame->state == FRAME_GRANTED && frame->n_ended == frame->n_pieces)
                frame_set_state(frame, FRAME_QUARANTINED);
}

void state_ungrant(struct state *state, struct buffer *buffer, uint64_t now_ns)
{
        struct holding *holding = buffer->holding;
        const uint64_t until_ns = holding->client ? now_ns : holding->ended_ns;

        ledger_drop_buffer(state->ledger, buffer->record);
        for (size_t i = 0; i < buffer->n_pieces; i++)
                return_piece(state, &buffer->pieces[i], buffer->ended, now_ns);
        history_note(&state->history, buffer, until_ns);
        io_index_end_buffer(&state->io, buffer, until_ns);
        holding_remove(holding, buffer);
        quarantine_forget(state, buffer);
        LIST_REMOVE(buffer, by_size);
        holding->account->n_buffers--;
        usage_remove_buffer(holding->account);
        holding->account->pool->counters.frees++;
        if (holding->account->pool->settings->n_quotas)
                state_came(state, holding->account->pool);
        state_buffer_remove(state, buffer);
        buffer_free(buffer);
}
