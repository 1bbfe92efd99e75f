/* SPDX-License-Identifier: MIT */
/*
 * A frame and the sums that it counts in. Whatever changes a frame's state goes through
 * frame_set_state(), frame_charge() and frame_discharge(), so that the sums of its pool and of its
 * account always add up to what is held.
 */
#include "frame.h"

#include "account.h"
#include "pool.h"

#include <errno.h>
#include <stdlib.h>

static int compare_pieces(const struct buffer_piece *a, const struct buffer_piece *b)
{
        return a->phys < b->phys ? -1 : a->phys > b->phys;
}

TREE_GENERATE(piece_tree, buffer_piece, by_phys, compare_pieces)

int frame_compare(const struct frame *a, const struct frame *b)
{
        if (a->phys != b->phys)
                return a->phys < b->phys ? -1 : 1;
        if (a->name.slot != b->name.slot)
                return a->name.slot < b->name.slot ? -1 : 1;
        return 0;
}

const char *frame_state_name(enum frame_state state)
{
        static const char *const names[FRAME_STATES] = {
                [FRAME_FREE] = "free",           [FRAME_GRANTED] = "granted",
                [FRAME_REUSABLE] = "reusable",   [FRAME_LEAVING] = "leaving",
                [FRAME_LINGERING] = "lingering", [FRAME_QUARANTINED] = "quarantined",
                [FRAME_RETIRED] = "retired",
        };

        assert(state < FRAME_STATES);
        return names[state];
}

int frame_new(struct pool *pool, const struct frame_news *news, struct frame **ret)
{
        struct frame *frame;

        frame = calloc(1, sizeof(*frame));
        if (!frame)
                return -ENOMEM;

        frame->name = news->name;
        frame->pool = pool;
        frame->phys = news->phys;
        frame->node_number = news->node;
        frame->node = node_index(news->node);
        frame->pinned = news->pinned;
        frame->state = FRAME_FREE;
        RB_INIT(&frame->pieces);
        LIST_INIT(&frame->shown);
        due_init(&frame->due, DUE_FRAME);
        *ret = frame;
        return 0;
}

void frame_free(struct frame *frame)
{
        if (!frame)
                return;
        assert(RB_EMPTY(&frame->pieces) && LIST_EMPTY(&frame->shown) && !frame->account);
        free(frame);
}

struct range frame_range(const struct frame *frame)
{
        return range_of(frame->phys, frame->pool->settings->page_bytes);
}

static uint64_t *bytes_of(struct state_bytes *sum, enum frame_state state)
{
        switch (state) {
        case FRAME_FREE: return &sum->free;
        case FRAME_GRANTED: return &sum->granted;
        case FRAME_REUSABLE: return &sum->reusable;
        case FRAME_LEAVING: return &sum->leaving;
        case FRAME_LINGERING: return &sum->lingering;
        case FRAME_QUARANTINED: return &sum->quarantined;
        case FRAME_RETIRED: return &sum->retired;
        case FRAME_STATES: break;
        }
        abort();
}

void state_bytes_add(struct state_bytes *sum, enum frame_state state, uint64_t bytes)
{
        *bytes_of(sum, state) += bytes;
        sum->held += bytes;
}

void state_bytes_sub(struct state_bytes *sum, enum frame_state state, uint64_t bytes)
{
        assert(*bytes_of(sum, state) >= bytes);
        *bytes_of(sum, state) -= bytes;
        sum->held -= bytes;
}

void state_bytes_move(struct state_bytes *sum, enum frame_state from, enum frame_state to,
                      uint64_t bytes)
{
        state_bytes_sub(sum, from, bytes);
        state_bytes_add(sum, to, bytes);
}

static uint64_t departing_bytes(const struct frame *frame)
{
        return frame->state == FRAME_LEAVING && !frame->comes_back
                       ? frame->pool->settings->page_bytes
                       : 0;
}

void frame_set_comes_back(struct frame *frame, bool comes_back)
{
        frame->pool->departing_bytes -= departing_bytes(frame);
        frame->comes_back = comes_back;
        frame->pool->departing_bytes += departing_bytes(frame);
}

void frame_set_state(struct frame *frame, enum frame_state state)
{
        uint64_t bytes = frame->pool->settings->page_bytes;

        frame->pool->departing_bytes -= departing_bytes(frame);
        state_bytes_move(&frame->pool->bytes, frame->state, state, bytes);
        if (frame->account) {
                state_bytes_move(&frame->account->bytes, frame->state, state, bytes);
                usage_move_frame(frame->account, frame->state, state);
        }
        frame->state = state;
        frame->pool->departing_bytes += departing_bytes(frame);
}

void frame_charge(struct frame *frame, struct account *account, enum frame_state state)
{
        assert(!frame->account);

        frame_set_state(frame, state);
        frame->account = account;
        state_bytes_add(&account->bytes, state, frame->pool->settings->page_bytes);
        usage_add_frame(account, state);
        LIST_INSERT_HEAD(&account->frames, frame, charged);
}

void frame_discharge(struct frame *frame)
{
        struct account *account = frame->account;

        if (!account)
                return;
        state_bytes_sub(&account->bytes, frame->state, frame->pool->settings->page_bytes);
        usage_remove_frame(account, frame->state);
        LIST_REMOVE(frame, charged);
        frame->account = NULL;
}

void frame_add_piece(struct frame *frame, struct buffer_piece *piece)
{
        RB_INSERT(piece_tree, &frame->pieces, piece);
        frame->n_pieces++;
}

void frame_remove_piece(struct frame *frame, struct buffer_piece *piece)
{
        RB_REMOVE(piece_tree, &frame->pieces, piece);
        frame->n_pieces--;
}

struct buffer_piece *frame_piece_from(const struct frame *frame, uint64_t phys)
{
        struct buffer_piece *piece = RB_ROOT(&frame->pieces), *found = NULL;

        while (piece) {
                if (piece->phys + (piece->length_bytes - 1) < phys) {
                        piece = RB_RIGHT(piece, by_phys);
                } else {
                        found = piece;
                        piece = RB_LEFT(piece, by_phys);
                }
        }
        return found;
}

struct buffer_piece *frame_piece_next(const struct buffer_piece *piece)
{
        return RB_NEXT(piece_tree, NULL, (struct buffer_piece *)(uintptr_t)piece);
}

int frame_hold_in(const struct frame *frame, struct node_spaces *spaces)
{
        return node_spaces_hold(spaces, frame->node, frame_range(frame),
                                frame->pool->settings->page_bytes);
}

void frame_release_in(const struct frame *frame, struct node_spaces *spaces)
{
        node_spaces_release(spaces, frame->node, frame_range(frame),
                            frame->pool->settings->page_bytes);
}

void frame_add_to(const struct frame *frame, struct node_spaces *spaces)
{
        node_spaces_add(spaces, frame->node, frame_range(frame));
}

void frame_remove_from(const struct frame *frame, struct node_spaces *spaces)
{
        node_spaces_remove(spaces, frame->node, frame_range(frame));
        frame_release_in(frame, spaces);
}

int frame_hold_parts(const struct frame *frame, struct account *account)
{
        return node_spaces_hold(&account->partial, frame->node, frame_range(frame), GRANULE_BYTES);
}

void frame_release_parts(const struct frame *frame, struct account *account)
{
        node_spaces_release(&account->partial, frame->node, frame_range(frame), GRANULE_BYTES);
}

void frame_end_parts(struct frame *frame)
{
        if (!frame->divided)
                return;
        frame_release_parts(frame, frame->account);
        frame->divided = false;
}

void frame_close(struct frame *frame)
{
        assert(frame->n_pieces && !frame->closed);

        if (frame->divided)
                node_spaces_clear(&frame->account->partial, frame->node, frame_range(frame));
        frame_end_parts(frame);
        frame->closed = true;
}
