/* SPDX-License-Identifier: MIT */
/*
 * Making a choice into a buffer, and back. Everything that can fail is done first: the objects are
 * made and every change of a space is reserved, the later giving back included. Then comes the
 * commit, which cannot fail, and ends with the ledger.
 *
 * Reserved changes, so that giving back never fails: a granted frame holds one of its account's
 * partial space (its removal when it is empty) and two of the empty space (in and out again); each
 * piece holds one of the partial space (its return).
 */
#include "choice.h"
#include "macros.h"
#include "state_private.h"

#include <stdio.h>

/* Changes of the account's spaces that a piece needs, before and after. */
struct piece_needs {
        size_t partial, empty;
};

static struct piece_needs piece_needs(const struct frame *frame)
{
        if (frame->n_pieces)
                return (struct piece_needs){ .partial = 2 };     /* out now, in later */
        return (struct piece_needs){ .partial = 4, .empty = 2 }; /* rests, removal, return */
}

static void unreserve_pieces(struct account *account, const struct buffer *buffer, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                const struct frame *frame = buffer->pieces[i].frame;
                struct piece_needs needs = piece_needs(frame);

                space_unreserve(account->partial.of[frame->node], needs.partial);
                space_unreserve(account->empty.of[frame->node], needs.empty);
        }
}

static int reserve_piece(struct account *account, const struct frame *frame)
{
        struct piece_needs needs = piece_needs(frame);
        int r;

        r = node_spaces_reserve(&account->partial, frame->node, needs.partial);
        if (r)
                return r;
        r = node_spaces_reserve(&account->empty, frame->node, needs.empty);
        if (r)
                space_unreserve(account->partial.of[frame->node], needs.partial);
        return r;
}

static int reserve_pieces(struct account *account, const struct buffer *buffer)
{
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                int r = reserve_piece(account, buffer->pieces[i].frame);

                if (r) {
                        unreserve_pieces(account, buffer, i);
                        return r;
                }
        }
        return 0;
}

static void find_frames(const struct state *state, struct buffer *buffer, uint64_t page_bytes)
{
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                struct buffer_piece *piece = &buffer->pieces[i];

                piece->frame = state_frame_at(state, align_down(piece->phys, page_bytes));
                assert(piece->frame);
        }
}

/* The frame becomes the account's, and what the piece leaves of it its partial memory. */
static void take_frame(struct account *account, struct frame *frame,
                       const struct buffer_piece *piece)
{
        struct space *partial = account->partial.of[frame->node];
        struct range whole = frame_range(frame);
        struct range used = range_of(piece->phys, piece->length_bytes);
        size_t rests = 0;

        if (frame->state == FRAME_REUSABLE) {
                space_remove(account->empty.of[frame->node], whole);
                account->reusable = NULL;
        } else {
                space_remove(frame->pool->free.of[frame->node], whole);
        }

        if (used.first > whole.first) {
                space_add(partial, (struct range){ whole.first, used.first - 1 });
                rests++;
        }
        if (used.last < whole.last) {
                space_add(partial, (struct range){ used.last + 1, whole.last });
                rests++;
        }
        space_unreserve(partial, 2 - rests);
}

static void commit_piece(struct state *state, struct account *account, struct buffer_piece *piece)
{
        struct frame *frame = piece->frame;

        if (frame->n_pieces) {
                space_remove(account->partial.of[frame->node],
                             range_of(piece->phys, piece->length_bytes));
                frame_set_state(frame,
                                FRAME_GRANTED); /* what is left of the dead may be all else */
        } else {
                take_frame(account, frame, piece);
                due_cancel(&state->dues, &frame->due);
                if (frame->account)
                        frame_set_state(frame, FRAME_GRANTED);
                else
                        frame_charge(frame, account, FRAME_GRANTED);
        }

        piece->zeroed = !frame->used;
        frame->used = true;
        frame->n_pieces++;
        LIST_INSERT_HEAD(&frame->pieces, piece, link);
        if (!frame->lent) {
                frame->lent = true;
                state->ops->lend(state->data, frame->name);
        }
}

DEFINE_CLEANUP(struct buffer, buffer_free)

int state_grant(struct state *state, struct client *client, const struct demand *demand,
                const struct choice *choice, uint64_t now_ns, struct buffer **ret)
{
        _cleanup_(buffer_freep) struct buffer *buffer = NULL;
        uint64_t page_bytes = choice->pool->settings->page_bytes;
        struct account *account;
        struct holding *holding;
        int r;

        r = buffer_new(choice->places, choice->n_places, page_bytes, &demand->want, &buffer);
        if (r)
                return r;
        r = client_account(client, choice->pool, &account);
        if (r)
                return r;
        r = client_holding(client, account, &holding);
        if (r)
                return r;
        find_frames(state, buffer, page_bytes);
        r = reserve_pieces(account, buffer);
        if (r)
                return r;

        /* From here on nothing fails. */
        for (size_t i = 0; i < buffer->n_pieces; i++)
                commit_piece(state, account, &buffer->pieces[i]);
        buffer->id = ++state->last_buffer;
        buffer->since_ns = now_ns;
        if (demand->want.window.last != UINT64_MAX)
                buffer->needs_below = demand->want.window.last;
        name_copy(buffer->label, sizeof(buffer->label), demand->label);
        holding_add(holding, buffer);
        account->n_buffers++;
        account->pool->counters.grants++;
        state->grants++;
        state_buffer_insert(state, buffer);
        *ret = STEAL(buffer);
        return 0;
}

static void return_piece(struct state *state, struct buffer_piece *piece, bool ended,
                         uint64_t now_ns)
{
        struct frame *frame = piece->frame;

        LIST_REMOVE(piece, link);
        frame->n_pieces--;
        if (ended)
                frame->n_ended--;
        if (!frame->closed)
                space_add(frame->account->partial.of[frame->node],
                          range_of(piece->phys, piece->length_bytes));
        if (!frame->n_pieces)
                state_frame_emptied(state, frame, now_ns);
        else if (frame->state == FRAME_GRANTED && frame->n_ended == frame->n_pieces)
                frame_set_state(frame, FRAME_QUARANTINED);
}

void state_ungrant(struct state *state, struct buffer *buffer, uint64_t now_ns)
{
        struct holding *holding = buffer->holding;

        for (size_t i = 0; i < buffer->n_pieces; i++)
                return_piece(state, &buffer->pieces[i], buffer->ended, now_ns);
        history_note(&state->history, buffer, holding->client ? now_ns : holding->ended_ns);
        holding_remove(holding, buffer);
        holding->account->n_buffers--;
        holding->account->pool->counters.frees++;
        state_buffer_remove(state, buffer);
        buffer_free(buffer);
}
