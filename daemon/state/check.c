/* SPDX-License-Identifier: MIT */
/*
 * Walks every invariant of the state. Called after each change in debug, sanitizer and fuzz builds:
 * the sums each time, everything while it is small and now and then when it is large.
 */
#undef NDEBUG /* to check is all that this file does */

#include "state_private.h"

#define WALK_ALWAYS_BELOW 256 /* frames and buffers */
#define WALK_EVERY        256 /* changes, above that */

static uint64_t sum(const struct state_bytes *b)
{
        return b->free + b->granted + b->reusable + b->leaving + b->lingering + b->quarantined +
               b->retired;
}

static void check_sums(const struct state *state)
{
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool *pool = &state->pools[i];

                assert(sum(&pool->bytes) == pool->bytes.held);
                assert(node_spaces_bytes(&pool->free) == pool->bytes.free);
                assert(node_spaces_bytes(&pool->all) <= pool->bytes.held);
        }
}

/* What it is about to hold, and what it must not. */
static void check_pool(const struct state *state, const struct pool *pool)
{
        const struct pool_settings *settings = pool->settings;
        const struct drain *drain = &pool->drain;
        uint64_t bit = UINT64_C(1) << pool->index;

        assert(pool->goal_bytes >= settings->size_min_bytes &&
               pool->goal_bytes <= settings->size_max_bytes);
        assert(!pool->taking || (pool->wish.count == pool->taking && pool->taken <= pool->taking));
        assert(pool->taking || !pool->aside_bytes);
        assert(due_is_set(&pool->turn) == ((state->held_up | state->open) >> pool->index & 1));
        assert(!(state->held_up & state->open & bit));
        for (size_t i = 0; i < drain->n_windows; i++) {
                struct range window = drain->windows[i];

                assert(window.first <= window.last &&
                       range_on_granule(window, settings->page_bytes));
                assert(!node_spaces_bytes_in(&pool->free, window) || due_is_set(&drain->walk));
                for (size_t j = 0; j < i; j++)
                        assert(!range_overlaps(window, drain->windows[j]));
        }
}

/* What its account may have of it, in parts. */
static uint64_t partial_bytes(const struct frame *frame)
{
        const struct space *space = frame->account->partial.of[frame->node];

        return space ? space_bytes_in(space, frame_range(frame)) : 0;
}

static void check_pieces(const struct frame *frame)
{
        const struct buffer_piece *piece;
        uint64_t granted_bytes = 0, from = frame->phys;
        uint32_t n = 0, ended = 0;

        for (piece = frame_piece_from(frame, 0); piece; piece = frame_piece_next(piece)) {
                assert(piece->frame == frame && piece->phys >= from);
                from = piece->phys + piece->length_bytes;
                assert(range_contains(frame_range(frame),
                                      range_of(piece->phys, piece->length_bytes)));
                assert(piece->buffer->holding->account == frame->account);
                granted_bytes += piece->length_bytes;
                ended += piece->buffer->ended;
                n++;
        }
        assert(n == frame->n_pieces && ended == frame->n_ended);
        assert(!frame->divided || (frame->account && !frame->closed));
        assert(!n || frame->divided || frame->closed ||
               granted_bytes == frame->pool->settings->page_bytes);
        assert(frame->in_service || !frame->divided);
        if (frame->account && frame->in_service) /* or another frame has its page by now */
                assert(partial_bytes(frame) ==
                       (n && frame->divided ? frame->pool->settings->page_bytes - granted_bytes
                                            : 0));
}

static void check_frame(const struct state *state, const struct frame *frame)
{
        bool free_there = frame->pool->free.of[frame->node] &&
                          space_contains(frame->pool->free.of[frame->node], frame_range(frame));

        assert(state->slots[frame->name.slot] == frame);
        assert(free_there == (frame->state == FRAME_FREE) || !frame->in_service);
        check_pieces(frame);
        switch (frame->state) {
        case FRAME_FREE:
                assert(!frame->account && !frame->n_pieces && !frame->used && !frame->exported);
                break;
        case FRAME_GRANTED:
                assert(frame->account && frame->n_pieces > frame->n_ended && frame->lent);
                break;
        case FRAME_REUSABLE:
                assert(frame->account->reusable == frame && !frame->n_pieces && !frame->exported);
                assert(space_contains(frame->account->empty.of[frame->node], frame_range(frame)));
                break;
        case FRAME_QUARANTINED:
                assert(frame->n_pieces == frame->n_ended);
                assert(frame->n_pieces || !frame->account);
                break;
        case FRAME_RETIRED: assert(!frame->in_service && frame->closed && frame->n_pieces); break;
        case FRAME_LEAVING:
        case FRAME_LINGERING: assert(!frame->n_pieces); break;
        case FRAME_STATES: assert(false);
        }
}

static void check_frames(const struct state *state)
{
        uint64_t bytes[POOLS_MAX] = { 0 }, departing[POOLS_MAX] = { 0 };

        for (const struct frame *frame = state_frame_from(state, 0); frame;
             frame = state_frame_next(state, frame)) {
                check_frame(state, frame);
                if (!bytes[frame->pool->index]) /* the lowest: looking up all costs too much */
                        assert(state_pool_frame_from(frame->pool, frame) == frame);
                history_check(&state->history, frame->phys, frame->pool->settings->page_bytes);
                bytes[frame->pool->index] += frame->pool->settings->page_bytes;
                if (frame->state == FRAME_LEAVING && !frame->comes_back)
                        departing[frame->pool->index] += frame->pool->settings->page_bytes;
        }
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                assert(bytes[i] == state->pools[i].bytes.held);
                assert(departing[i] == state->pools[i].departing_bytes);
        }
}

static void check_account(const struct account *account)
{
        struct state_bytes bytes = { 0 };
        const struct frame *frame;

        LIST_FOREACH (frame, &account->frames, charged)
                state_bytes_add(&bytes, frame->state, account->pool->settings->page_bytes);
        assert(bytes.held == account->bytes.held && sum(&account->bytes) == bytes.held);
        assert(bytes.granted == account->bytes.granted);
        assert(bytes.lingering == account->bytes.lingering);
        assert(node_spaces_bytes(&account->empty) == account->bytes.reusable);
}

static void check_owners(const struct state *state)
{
        for (const struct owner *owner = state_owner_after(state, 0); owner;
             owner = state_owner_after(state, owner->id))
                for (size_t i = 0; i < owner->n_pools; i++)
                        if (owner->accounts[i])
                                check_account(owner->accounts[i]);
}

static uint64_t count_by_size(const struct pool *pool)
{
        const struct buffer *buffer;
        uint64_t n = 0;

        for (unsigned size_class = 0; size_class < BUFFER_CLASSES; size_class++) {
                LIST_FOREACH (buffer, &pool->by_size[size_class], by_size) {
                        assert(buffer->size_bytes >> size_class == 1);
                        assert(buffer->holding->account->pool == pool);
                        n++;
                }
        }
        return n;
}

static void check_buffers(const struct state *state)
{
        uint64_t n = 0;

        for (const struct buffer *buffer = state_buffer_after(state, 0); buffer;
             buffer = state_buffer_after(state, buffer->id)) {
                uint64_t bytes = 0;

                for (size_t i = 0; i < buffer->n_pieces; i++)
                        bytes += buffer->pieces[i].length_bytes;
                assert(bytes == buffer->size_bytes);
                n++;
        }
        assert(n == state->n_buffers);
        for (size_t i = 0; i < state->settings->n_pools; i++)
                n -= count_by_size(&state->pools[i]);
        assert(n == 0);
}

/* @is_ended: in state::ended. */
static void check_holding(const struct holding *holding, bool is_ended)
{
        const struct buffer *buffer;
        uint64_t n = 0, bytes = 0;

        assert(!holding->client == is_ended);
        assert(!holding->cut_off || (is_ended && holding->revoked));
        assert(is_ended == due_is_set(&holding->due));
        LIST_FOREACH (buffer, &holding->buffers, held) {
                assert(buffer->holding == holding && buffer->ended == holding->quarantined);
                bytes += buffer->size_bytes;
                n++;
        }
        LIST_FOREACH (buffer, &holding->fresh, held) {
                assert(buffer->holding == holding && !buffer->ended && holding->quarantined);
                bytes += buffer->size_bytes;
                n++;
        }
        assert(n == holding->n_buffers && bytes == holding->bytes);
        quarantine_check(holding);
}

static void check_clients(const struct state *state)
{
        const struct holding *holding;
        const struct client *client;

        LIST_FOREACH (holding, &state->ended, ended)
                check_holding(holding, true);
        LIST_FOREACH (client, &state->clients, link) {
                uint64_t n = 0;

                for (size_t i = 0; i < state->settings->n_pools; i++) {
                        if (!client->holdings[i])
                                continue;
                        assert(client->holdings[i]->client == client);
                        check_holding(client->holdings[i], false);
                        n += client->holdings[i]->n_buffers;
                }
                assert(n + holders_count(client) == client->n_buffers);
                LIST_FOREACH (holding, &client->revoked, by_client)
                        assert(holding->cut_off == client);
        }
}

static void check_orphans(const struct pool *pool)
{
        const struct frame *frame;
        uint32_t n = 0;

        LIST_FOREACH (frame, &pool->orphans, charged) {
                assert(frame->state == FRAME_QUARANTINED && !frame->account && frame->lent);
                n++;
        }
        assert(n == pool->n_orphans);
}

static void check_waiters(const struct state *state)
{
        uint64_t n = 0, held_up = 0, waiting[POOLS_MAX] = { 0 };
        const struct waiter *waiter;

        TAILQ_FOREACH (waiter, &state->waiters, link) {
                n++;
                assert(!(waiter->reach & ~waiter->pools) && !(waiter->holds & ~waiter->reach));
                assert(waiter->ripe || !waiter->holds);
                assert(!(waiter->holds & held_up)); /* one for each pool */
                held_up |= waiter->holds;
                for (size_t i = 0; i < state->settings->n_pools; i++)
                        waiting[i] += waiter->reach >> i & 1;
        }
        assert(n == state->n_waiters && held_up == state->held_up);
        for (size_t i = 0; i < state->settings->n_pools; i++)
                assert(waiting[i] == state->pools[i].waiting);
}

void state_check(const struct state *state)
{
        check_sums(state);
        check_waiters(state);
        check_frames(state);
        check_owners(state);
        usages_check(state);
        check_clients(state);
        shares_check(state);
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                check_pool(state, &state->pools[i]);
                check_orphans(&state->pools[i]);
        }
        check_buffers(state);
        io_index_check(&state->io);
}

void state_check_after_change(const struct state *state)
{
        uint64_t changes = state->grants + state->refusals;

        check_sums(state);
        if (state->n_slots + state->n_buffers <= WALK_ALWAYS_BELOW || changes % WALK_EVERY == 0)
                state_check(state);
}
