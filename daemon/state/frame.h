/* SPDX-License-Identifier: MIT */
#pragma once

#include "due.h"
#include "lists.h"
#include "state.h"

struct account;
struct node_spaces;
struct pool;
struct shown;

enum frame_state {
        FRAME_FREE,
        FRAME_GRANTED,
        FRAME_REUSABLE,
        FRAME_LEAVING,
        FRAME_LINGERING,
        FRAME_QUARANTINED,
        FRAME_RETIRED,
        FRAME_STATES,
};

/* What is wrong with a frame. */
enum frame_fault {
        FRAME_SOUND,
        FRAME_MOVED,
        FRAME_PUNCHED,
        FRAME_POISONED, /* its memory failed: touching it kills */
};

/* A part of a buffer inside one frame. */
struct buffer_piece {
        RB_ENTRY(buffer_piece) by_phys; /* frame::pieces */
        struct buffer *buffer;
        struct frame *frame;
        uint64_t phys, length_bytes, frame_offset;
        bool zeroed, told_draining;
};

RB_HEAD(piece_tree, buffer_piece);
LIST_HEAD(shown_list, shown);
LIST_HEAD(frame_list, frame);

/**
 * struct frame - a page that pard holds
 * @name:       the keeper's
 * @phys:       where it is: the key by which it is found
 * @account:    to whom it is charged; NULL while it is free, and for what a former worker lent
 * @pieces:     of live buffers, by address
 * @n_pieces:   how many; @n_ended of them are of clients that are gone
 * @used:       some buffer was in it: no longer zero
 * @lent:       noted in the ledger
 * @in_service: its address is true; in pool::all
 * @divided:    smaller buffers were in it: while there are any the rest of it is in
 *              account::partial. Changes there are held until it leaves or is closed
 * @closed:     nothing more is granted from it, and it leaves with its last buffer: what no buffer
 *              lies in is in no space of its account
 * @exported:   a buffer in it was exported: it is not kept for its owner when it is empty
 * @unwanted:   its pool has no use for it any more
 * @comes_back: while it is leaving or lingering: the keeper takes it again
 * @given_up:   a former worker had it leave: it can do nothing else
 * @aside:      in quarantine, since what was known of it did not check; see aside.h
 * @told_owner_gone: the keeper knows that what its owner punched no longer matters
 * @fault:      why it is not in service, or leaves
 * @put_off:    what was told of it before it was known whose it is; FRAME_SOUND: nothing
 * @moved_to:   where that is FRAME_MOVED: the address, or UINT64_MAX
 * @holder:     why it lingers: enum keeper_holder
 * @lingers_since_ns: when that was heard first; 0: it does not
 * @due:        end of reuse or quarantine
 */
struct frame {
        struct frame_name name;
        struct pool *pool;
        uint64_t phys;
        unsigned node;
        int node_number;
        bool pinned, used, lent, told_owner_gone, in_service, divided, closed, unwanted;
        bool comes_back, exported, given_up, aside;
        enum frame_state state;
        enum frame_fault fault, put_off;
        uint64_t moved_to;
        struct account *account;
        struct piece_tree pieces;
        uint32_t n_pieces, n_ended;
        struct shown_list shown;
        int holder;
        uint64_t lingers_since_ns;
        struct due due;
        RB_ENTRY(frame) by_phys;   /* state::frames */
        RB_ENTRY(frame) in_pool;   /* pool::frames */
        LIST_ENTRY(frame) charged; /* account::frames, or pool::orphans */
};

RB_HEAD(frame_tree, frame);
RB_HEAD(pool_frame_tree, frame);

const char *frame_state_name(enum frame_state state);

/* The order of both trees: by address; at one address by slot. Return: below 0, 0, above 0. */
int frame_compare(const struct frame *a, const struct frame *b);

/**
 * frame_new() - a frame that is free and belongs to nobody
 *
 * Return: 0; -ENOMEM.
 */
int frame_new(struct pool *pool, const struct frame_news *news, struct frame **ret);
void frame_free(struct frame *frame); /* in no list or tree any more; NULL is fine */

struct range frame_range(const struct frame *frame);

/* Say whether a frame that leaves comes back; in any state. */
void frame_set_comes_back(struct frame *frame, bool comes_back);

/* Change the state and move the bytes from sum to sum, of pool and account. */
void frame_set_state(struct frame *frame, enum frame_state state);

/* Charge a frame that nobody is charged for to an account, in a state of its own; and the reverse.
 */
void frame_charge(struct frame *frame, struct account *account, enum frame_state state);
void frame_discharge(struct frame *frame);

/* Note that a piece of a buffer lies in it, or no longer does. */
void frame_add_piece(struct frame *frame, struct buffer_piece *piece);
void frame_remove_piece(struct frame *frame, struct buffer_piece *piece);

/* The first piece that ends at an address or above, and the one above a piece; NULL: none. */
struct buffer_piece *frame_piece_from(const struct frame *frame, uint64_t phys);
struct buffer_piece *frame_piece_next(const struct buffer_piece *piece);

/**
 * frame_hold_in() - make sure that the frame as a whole can be put into spaces and taken out again
 *
 * Return: 0; -ENOMEM, and nothing changed.
 */
int frame_hold_in(const struct frame *frame, struct node_spaces *spaces);
void frame_release_in(const struct frame *frame, struct node_spaces *spaces); /* unused */

/* Put it into spaces where it is held; take it out, which ends the hold. */
void frame_add_to(const struct frame *frame, struct node_spaces *spaces);
void frame_remove_from(const struct frame *frame, struct node_spaces *spaces);

/**
 * frame_hold_parts() - make sure that the frame can be divided among buffers of an account
 *
 * Return: 0; -ENOMEM, and nothing changed.
 */
int frame_hold_parts(const struct frame *frame, struct account *account);
void frame_release_parts(const struct frame *frame, struct account *account);

/* No part of the frame will be granted any more: where it is divided the hold ends. */
void frame_end_parts(struct frame *frame);

/* Close a frame that has buffers and is not closed yet. */
void frame_close(struct frame *frame);

/* Add or take away a state's bytes in a sum. */
void state_bytes_move(struct state_bytes *sum, enum frame_state from, enum frame_state to,
                      uint64_t bytes);
void state_bytes_add(struct state_bytes *sum, enum frame_state state, uint64_t bytes);
void state_bytes_sub(struct state_bytes *sum, enum frame_state state, uint64_t bytes);
