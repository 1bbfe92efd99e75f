/* SPDX-License-Identifier: MIT */
/*
 * The state after a worker's death: sessions, buffers and accounts as the ledger tells, in the
 * frames that the keeper has told of as lent. What the ledger says is believed only where it fits
 * together: a buffer lies in lent frames of its pool, which are its owner's alone, and over no
 * other buffer. What does not fit is dropped, and its frames stay in quarantine.
 *
 * Nothing is told to anybody here but the keeper: sessions are gone, and their clients come back
 * one by one.
 */
#include "aside.h"
#include "holder.h"
#include "macros.h"
#include "state_private.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

/* A positive answer to the ledger: this record is not wanted. */
#define NOT_WANTED 1

/**
 * struct returning - a session of the ledger while it is read
 * @ended_ns: 0: it goes on
 */
struct returning {
        struct client *client;
        uint64_t ended_ns;
};

/**
 * struct restoring - a state_restore() under way
 * @sessions: by their records, @room of them
 */
struct restoring {
        struct state *state;
        uint64_t now_ns;
        struct returning *sessions;
        size_t room;
};

/* ---- sessions ------------------------------------------------------------------------------- */

static int reach_record(struct restoring *restoring, uint32_t record)
{
        size_t room = restoring->room ? restoring->room : 64;
        struct returning *sessions;

        if (record < restoring->room)
                return 0;
        while (room <= record)
                room *= 2;
        sessions = reallocarray(restoring->sessions, room, sizeof(sessions[0]));
        if (!sessions)
                return -ENOMEM;
        memset(sessions + restoring->room, 0, (room - restoring->room) * sizeof(sessions[0]));
        restoring->sessions = sessions;
        restoring->room = room;
        return 0;
}

static bool owner_is_there(const struct state *state, uint64_t id)
{
        const struct owner *owner = state_owner_after(state, id - 1);

        return owner && owner->id == id;
}

static int restore_session(void *data, uint32_t record, const struct ledger_session *session,
                           uint64_t ended_ns)
{
        struct restoring *restoring = data;
        struct returning *returning;
        int r;

        if (session->id > restoring->state->last_owner ||
            owner_is_there(restoring->state, session->id))
                return NOT_WANTED;
        r = reach_record(restoring, record);
        if (r)
                return r;
        returning = &restoring->sessions[record];
        r = client_restore(restoring->state, session, record, restoring->now_ns,
                           &returning->client);
        if (r)
                return r;
        returning->ended_ns = ended_ns;
        return 0;
}

static struct client *client_of_record(const struct restoring *restoring, uint32_t record)
{
        return record < restoring->room ? restoring->sessions[record].client : NULL;
}

/* ---- frames --------------------------------------------------------------------------------- */

/* Whether nobody is charged for it yet. */
static bool is_orphan(const struct frame *frame)
{
        return frame->state == FRAME_QUARANTINED && !frame->account;
}

/* It is charged to whom it was charged to before. */
static void adopt(struct state *state, struct frame *frame, struct account *account)
{
        due_cancel(&state->dues, &frame->due);
        LIST_REMOVE(frame, charged);
        frame->pool->n_orphans--;
        frame_charge(frame, account, FRAME_GRANTED);
        /* What was freed of it may still be written to, and nobody knows what that was. */
        if (ledger_frame_exported(state->ledger, frame->name.slot))
                frame->exported = frame->closed = true;
        if (!frame->in_service || ledger_frame_closed(state->ledger, frame->name.slot))
                frame->closed = true;
}

/* The account that a frame was charged to; NULL where nobody knows. Return: 0; -ENOMEM. */
static int account_of_frame(const struct restoring *restoring, const struct frame *frame,
                            struct account **ret)
{
        /* Which groups it has its sessions have said, as far as there are any. */
        struct identity identity = { .gid = IDENTITY_NO_GROUP };
        struct state *state = restoring->state;
        struct owner *owner;
        struct client *client;
        uint32_t session;
        int r;

        *ret = NULL;
        if (!ledger_frame_charged(state->ledger, frame->name.slot, frame->name.generation, &session,
                                  &identity.uid))
                return 0;
        if (session == LEDGER_NONE) {
                r = state_uid_owner(state, &identity, restoring->now_ns, &owner);
                if (r)
                        return r;
        } else {
                client = client_of_record(restoring, session);
                if (!client)
                        return 0;
                owner = client->session_owner;
        }
        return owner_account(owner, frame->pool, ret);
}

/* Nobody knows whose it was: its quarantine begins. */
static void keep_for_a_while(const struct restoring *restoring, struct frame *frame)
{
        due_set(&restoring->state->dues, &frame->due,
                restoring->now_ns + frame->pool->settings->quarantine_ns);
}

/* No buffer is in it: it was kept for its owner, or on its way out, or aside. Return: 0; -ENOMEM.
 */
static int send_away(const struct restoring *restoring, struct frame *frame)
{
        struct account *account;
        int r;

        if (is_orphan(frame) && ledger_frame_aside(restoring->state->ledger, frame->name.slot,
                                                   frame->name.generation)) {
                aside_keep(restoring->state, frame);
                return 0;
        }
        if (is_orphan(frame)) {
                r = account_of_frame(restoring, frame, &account);
                if (!r && !account)
                        keep_for_a_while(restoring, frame);
                if (r || !account)
                        return r;
                adopt(restoring->state, frame, account);
        } else if (frame->divided) {
                node_spaces_clear(&frame->account->partial, frame->node, frame_range(frame));
        }
        state_frame_leave(restoring->state, frame);
        return 0;
}

static int send_away_empty(const struct restoring *restoring)
{
        const struct state *state = restoring->state;
        int r = 0;

        for (size_t i = 0; i < state->n_slots && !r; i++) {
                struct frame *frame = state->slots[i];

                if (frame && frame->lent && !frame->n_pieces && frame->state != FRAME_LEAVING &&
                    frame->state != FRAME_LINGERING)
                        r = send_away(restoring, frame);
        }
        return r;
}

static void catch_up(struct state *state, uint64_t now_ns)
{
        for (size_t i = 0; i < state->n_slots; i++)
                if (state->slots[i] && state->slots[i]->put_off)
                        state_frame_catch_up(state, state->slots[i], now_ns);
}

/* ---- buffers -------------------------------------------------------------------------------- */

/* What is shared has its frames to itself. */
static bool is_taken(const struct frame *frame, const struct buffer_piece *piece)
{
        const struct buffer_piece *other = frame_piece_from(frame, 0);

        return other && (other->buffer->share || piece->buffer->share);
}

/* Whether a piece can lie in a frame. */
static bool has_place(const struct frame *frame, const struct account *account,
                      const struct buffer_piece *piece)
{
        const struct buffer_piece *there;

        if (frame->pool != account->pool || !frame->lent ||
            (!is_orphan(frame) && frame->account != account) || is_taken(frame, piece))
                return false;
        there = frame_piece_from(frame, piece->phys);
        return !there || there->phys > piece->phys + (piece->length_bytes - 1);
}

/* The last buffer that can lie in a frame: what was granted after it lost its page does not. */
static uint64_t last_buffer_in(const struct state *state, const struct frame *frame)
{
        uint64_t last = UINT64_MAX;

        (void)ledger_frame_lost(state->ledger, frame->name.slot, frame->name.generation, &last);
        return last;
}

/*
 * Of frames that were at one address, which all but one lost their pages, the one that was the
 * account's when the buffer was granted. Return: 0, and NULL where there is none; -ENOMEM.
 */
static int frame_among_twins(const struct restoring *restoring, const struct account *account,
                             const struct buffer_piece *piece, struct frame *first,
                             struct frame **ret)
{
        struct state *state = restoring->state;
        uint64_t best = 0;

        *ret = NULL;
        for (struct frame *frame = first; frame && frame->phys == first->phys;
             frame = state_frame_next(state, frame)) {
                const uint64_t last = last_buffer_in(state, frame);
                struct account *charged;
                int r;

                if (!has_place(frame, account, piece) || piece->buffer->id > last ||
                    (*ret && last >= best) || (frame->given_up && !frame->in_service))
                        continue;
                r = account_of_frame(restoring, frame, &charged);
                if (r)
                        return r;
                if (charged != account)
                        continue;
                best = last;
                *ret = frame;
        }
        return 0;
}

/* The frame that a piece lies in, where that can be. Return: 0, and NULL where it cannot; -ENOMEM.
 */
static int frame_of_piece(const struct restoring *restoring, const struct account *account,
                          const struct buffer_piece *piece, struct frame **ret)
{
        const uint64_t phys = align_down(piece->phys, account->pool->settings->page_bytes);
        struct frame *frame = state_frame_from(restoring->state, phys), *next;

        *ret = NULL;
        if (!frame || frame->phys != phys)
                return 0;
        next = state_frame_next(restoring->state, frame);
        if (next && next->phys == phys)
                return frame_among_twins(restoring, account, piece, frame, ret);
        if (has_place(frame, account, piece))
                *ret = frame;
        return 0;
}

/* The smaller pieces of a buffer divide their frames. */
static bool is_to_divide(const struct frame *frame, const struct buffer_piece *piece)
{
        return !frame->divided && !frame->closed && !piece->buffer->share &&
               piece->length_bytes < frame->pool->settings->page_bytes;
}

/* Return: 0; -ENOMEM, and nothing changed. */
static int make_parts(struct account *account, struct frame *frame)
{
        int r;

        r = frame_hold_parts(frame, account);
        if (r)
                return r;
        frame->divided = true;
        frame_add_to(frame, &account->partial);
        return 0;
}

/* Return: 0; NOT_WANTED; -ENOMEM. */
static int place_piece(const struct restoring *restoring, struct account *account,
                       struct buffer_piece *piece)
{
        struct frame *frame;
        int r;

        r = frame_of_piece(restoring, account, piece, &frame);
        if (r)
                return r;
        if (!frame)
                return NOT_WANTED;
        if (is_orphan(frame))
                adopt(restoring->state, frame, account);
        if (is_to_divide(frame, piece)) {
                r = make_parts(account, frame);
                if (r)
                        return r;
        }
        if (frame->divided)
                node_spaces_remove(&account->partial, frame->node,
                                   range_of(piece->phys, piece->length_bytes));
        piece->frame = frame;
        frame_add_piece(frame, piece);
        if (piece->buffer->share && !frame->closed)
                frame_close(frame);
        if (frame->state == FRAME_QUARANTINED) /* so far only what clients were cut off from */
                frame_set_state(frame, FRAME_GRANTED);
        return 0;
}

/* The reverse for the first @n pieces. Frames that are empty by that stay charged: they leave when
 * all buffers are there. */
static void take_back(struct account *account, struct buffer *buffer, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct buffer_piece *piece = &buffer->pieces[i];
                struct frame *frame = piece->frame;

                frame_remove_piece(frame, piece);
                if (frame->n_pieces && frame->n_pieces == frame->n_ended)
                        frame_set_state(frame, FRAME_QUARANTINED);
                if (frame->divided)
                        node_spaces_add(&account->partial, frame->node,
                                        range_of(piece->phys, piece->length_bytes));
        }
}

static int place_buffer(const struct restoring *restoring, struct account *account,
                        struct buffer *buffer)
{
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                int r = place_piece(restoring, account, &buffer->pieces[i]);

                if (r) {
                        take_back(account, buffer, i);
                        return r;
                }
        }
        return 0;
}

/* What the pool holds by now is all that buffers can lie in. */
static bool places_fit(const struct ledger_buffer *entry, const struct pool *pool)
{
        uint64_t bytes = 0;

        for (size_t i = 0; i < entry->n_places; i++) {
                const struct range *place = &entry->places[i];

                if (place->first > place->last || !range_on_granule(*place, GRANULE_BYTES) ||
                    !range_contains(pool->settings->window, *place) ||
                    place->last - place->first >= pool->bytes.held - bytes)
                        return false;
                bytes += range_size(*place);
        }
        return true;
}

/* Segments are counted by them. */
static bool limits_mean_something(const struct constraint *limits)
{
        enum limit limit;

        return constraint_check(limits, &limit) != PAR_REFUSED_INVALID;
}

/* The devices that it is for, as quarantine_prepare() notes them. Return: 0; -ENOMEM. */
static int know_devices(struct state *state, struct buffer *buffer,
                        const struct ledger_buffer *entry)
{
        buffer->unwatched = entry->unwatched;
        for (uint32_t i = 0; i < entry->n_devices; i++) {
                int r = watch_get(state, entry->devices[i], &buffer->watches[i]);

                if (r) {
                        quarantine_forget(state, buffer);
                        return r;
                }
                buffer->n_watches++;
        }
        return 0;
}

static void fill_in(struct buffer *buffer, uint32_t record, const struct ledger_buffer *entry)
{
        buffer->record = record;
        buffer->id = entry->id;
        buffer->seq = entry->seq;
        buffer->since_ns = entry->since_ns;
        buffer->dma_offset = entry->dma_offset;
        buffer->needs_below = entry->needs_below;
        buffer->n_exports = entry->exports;
        name_copy(buffer->label, sizeof(buffer->label), entry->label);
}

/* Where it belongs: to its client, or, where it is shared, to nobody but itself. Return: 0;
 * -ENOMEM. */
static int restore_holding(struct client *client, struct account *account,
                           const struct ledger_buffer *entry, struct share **ret_share,
                           struct holding **ret_holding)
{
        int r;

        if (!entry->shared)
                return client_holding(client, account, ret_holding);
        r = share_restore(client, account, entry->shared, ret_share);
        if (!r)
                *ret_holding = (*ret_share)->holding;
        return r;
}

static int restore_holder(void *data, uint32_t record, uint32_t session, uint64_t id, uint32_t seq)
{
        struct restoring *restoring = data;
        const struct buffer *buffer = state_buffer(restoring->state, id);
        struct client *client = client_of_record(restoring, session);

        if (!client || !buffer || !buffer->share)
                return NOT_WANTED;
        return holder_restore(client, buffer->share, record, seq);
}

DEFINE_CLEANUP(struct buffer, buffer_free)
DEFINE_CLEANUP(struct share, share_free)

static int restore_buffer(void *data, uint32_t record, const struct ledger_buffer *entry,
                          uint64_t revoked_ns)
{
        _cleanup_(buffer_freep) struct buffer *buffer = NULL;
        _cleanup_(share_freep) struct share *share = NULL;
        struct restoring *restoring = data;
        struct state *state = restoring->state;
        struct client *client = client_of_record(restoring, entry->session);
        struct account *account;
        struct holding *holding;
        struct pool *pool;
        int r;

        if (!client || entry->pool >= state->settings->n_pools || entry->id > state->last_buffer ||
            state_buffer(state, entry->id))
                return NOT_WANTED;
        pool = &state->pools[entry->pool];
        if (!places_fit(entry, pool) || !limits_mean_something(entry->limits))
                return NOT_WANTED;
        r = buffer_new(entry->places, entry->n_places, pool->settings->page_bytes, entry->limits,
                       &buffer);
        if (!r)
                r = client_account(client, pool, &account);
        if (!r)
                r = restore_holding(client, account, entry, &share, &holding);
        if (!r)
                r = know_devices(state, buffer, entry);
        if (r)
                return r;
        buffer->share = share;
        fill_in(buffer, record, entry);
        r = place_buffer(restoring, account, buffer);
        if (r) {
                if (r == NOT_WANTED && !revoked_ns)
                        client_note_lost(client, entry->id, buffer->size_bytes);
                quarantine_forget(state, buffer);
                return r;
        }

        holding_add(holding, buffer);
        state_list_buffer(state, buffer);
        if (share) {
                share->record = entry->share;
                share_begin(STEAL(share), buffer);
        } else if (!revoked_ns) {
                client_note_restored(client, buffer);
        } else if (!holding->ended_ns) {
                holding->ended_ns = revoked_ns;
        }
        (void)STEAL(buffer);
        return 0;
}

/* All buffers so far are of those from which their clients were cut off. */
static int revoke_again(void *data)
{
        struct restoring *restoring = data;
        struct state *state = restoring->state;
        unsigned steps = UINT_MAX;

        for (size_t i = 0; i < restoring->room; i++) {
                struct client *client = restoring->sessions[i].client;

                for (size_t j = 0; client && j < state->settings->n_pools; j++)
                        if (client->holdings[j])
                                holding_revoke(state, client->holdings[j],
                                               client->holdings[j]->ended_ns, &steps);
        }
        return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void settle_sessions(const struct restoring *restoring)
{
        struct state *state = restoring->state;

        for (size_t i = 0; i < restoring->room; i++) {
                const struct returning *returning = &restoring->sessions[i];

                if (!returning->client)
                        continue;
                if (returning->ended_ns)
                        client_end(state, returning->client, false, returning->ended_ns);
                else
                        client_await(state, returning->client, restoring->now_ns);
        }
}

static void log_result(const struct state *state, const struct ledger_found *found,
                       uint64_t n_aside)
{
        static const struct log_fields nothing = { 0 };

        if (found->faults || found->refused)
                state_log(state, LOG_ERR, &nothing,
                          "the ledger of the former worker: %" PRIu64
                          " records do not check, %" PRIu64 " contradict others",
                          found->faults, found->refused);
        if (n_aside)
                state_log(state, LOG_ERR, &nothing,
                          "%" PRIu64 " frames of which it is not known what clients have of them "
                          "stay in quarantine until an administrator releases them",
                          n_aside);
        if (found->sessions)
                state_log(state, LOG_NOTICE, &nothing,
                          "%" PRIu64 " sessions and %" PRIu64
                          " buffers of the former worker are here again",
                          found->sessions, found->buffers);
}

void state_keep_in(struct state *state, struct ledger *ledger)
{
        state->ledger = ledger;
        if (!ledger)
                return;
        state->restoring = true;
        state->last_owner = ledger_last_owner(ledger);
        state->last_buffer = ledger_last_buffer(ledger);
}

void state_ledger_is_lost(struct state *state)
{
        state->ledger_lost = true;
}

int state_restore(struct state *state, uint64_t now_ns)
{
        static const struct ledger_visitor visitor = {
                .session = restore_session,
                .buffer = restore_buffer,
                .between = revoke_again,
                .holder = restore_holder,
        };
        struct restoring restoring = { .state = state, .now_ns = now_ns };
        struct ledger_found found;
        uint64_t n_aside = 0;
        int r;

        if (!state->ledger)
                return 0;
        state->limits_bent = true;
        r = ledger_read(state->ledger, &visitor, &restoring, &found);
        if (!r && (state->ledger_lost || found.faults || found.refused))
                n_aside = aside_put_all(state);
        if (!r)
                r = send_away_empty(&restoring);
        state->restoring = false;
        if (!r) {
                log_result(state, &found, n_aside);
                shares_settle(state, now_ns); /* before a change is told: nobody may be left */
                catch_up(state, now_ns);
                settle_sessions(&restoring);
        }
        free(restoring.sessions);
        return r;
}
