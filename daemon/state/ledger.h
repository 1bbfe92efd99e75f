/* SPDX-License-Identifier: MIT */
/*
 * The ledger: what the next worker must know of who holds what, in memory that the keeper has made
 * and keeps. Whatever can fail happens before a commit; what is written then cannot.
 *
 * Not thread-safe. A ledger without memory (NULL) is allowed everywhere and keeps nothing.
 */
#pragma once

#include "constraint.h"
#include "ledger_layout.h"
#include "range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger;

/**
 * ledger_open() - use memory as a ledger
 * @memory: borrowed until ledger_free(), aligned for any object. All zero: it becomes an empty
 *          ledger. Otherwise another process has left one there
 * @bytes:  of it; as many as it was made with
 * @slots:  the keeper's
 * @ret:    owned by the caller
 *
 * Followed by ledger_read(), unless the memory was zero; before that nothing may be added.
 *
 * Return: 0; -EPROTO: of another version, or not a ledger at all; -ENOSPC: @bytes is too little to
 * begin with; -ENOMEM.
 */
int ledger_open(void *memory, size_t bytes, uint32_t slots, struct ledger **ret);
void ledger_free(struct ledger *ledger); /* the memory stays as it is; NULL is fine */

/**
 * struct ledger_session - what is kept of a session
 * @name:   shorter than LEDGER_TEXT_BYTES
 * @groups: @n_groups of them, at most LEDGER_GROUPS
 */
struct ledger_session {
        uint64_t token, id, since_ns;
        uint32_t uid, gid, pid;
        const char *name;
        const uint32_t *groups;
        size_t n_groups;
};

/**
 * ledger_add_session() - a session begins
 * @ret: number of its record; LEDGER_NONE without a ledger
 *
 * Return: 0; -ENOSPC.
 */
int ledger_add_session(struct ledger *ledger, const struct ledger_session *session, uint32_t *ret);

/* It has ended. Its record stays as long as it is an owner, or a buffer refers to it. */
void ledger_end_session(struct ledger *ledger, uint32_t session, uint64_t now_ns);

/* It is no owner any more. LEDGER_NONE is fine, here and in what follows. */
void ledger_drop_session(struct ledger *ledger, uint32_t session);

/**
 * struct ledger_share - what is kept of a buffer that several sessions may have
 * @name:     shorter than LEDGER_TEXT_BYTES; "": none
 * @rights:   @n_rights, LEDGER_RIGHTS at most
 * @removed, @token, @left, @ended_ns: when it is read; see struct ledger_share_record. @token:
 * NULL: none
 */
struct ledger_share {
        const char *name;
        bool lasting, removed, left;
        const struct ledger_right *rights;
        size_t n_rights;
        const uint64_t *token;
        uint32_t left_uid, left_pid;
        const char *left_name;
        uint64_t ended_ns;
};

/**
 * struct ledger_buffer - what is kept of a buffer
 * @label:  shorter than LEDGER_TEXT_BYTES
 * @places: @n_places > 0 of them
 * @share:  record of ledger_add_share(), which is this buffer's from now on; LEDGER_NONE: none
 * @shared: when it is read: what that says; NULL: there is none
 * @devices: @n_devices; see struct ledger_buffer_record, also for the rest
 */
struct ledger_buffer {
        uint32_t session, seq, pool;
        uint64_t id, since_ns, dma_offset, needs_below;
        const struct constraint *limits;
        const char *label;
        const struct range *places;
        size_t n_places;
        uint32_t devices[LEDGER_DEVICES], n_devices, exports;
        bool unwatched;
        uint32_t share;
        const struct ledger_share *shared;
};

/* Whether there is room for one more buffer, for one that is shared, and for one more session that
 * has such a one; true without a ledger. */
bool ledger_has_room(const struct ledger *ledger);
bool ledger_has_room_to_share(const struct ledger *ledger);
bool ledger_has_room_to_open(const struct ledger *ledger);

/**
 * ledger_hold_buffer() - have room for a buffer
 * @ret: number of its record
 *
 * Followed by ledger_commit_buffer() or ledger_drop_buffer().
 *
 * Return: 0; -ENOSPC, and nothing changed.
 */
int ledger_hold_buffer(struct ledger *ledger, size_t n_places, uint32_t *ret);

/* From here on it is granted, whatever happens to this process. */
void ledger_commit_buffer(struct ledger *ledger, uint32_t number,
                          const struct ledger_buffer *buffer);

/* So many dma-bufs were made of it by now. */
void ledger_export_buffer(struct ledger *ledger, uint32_t number, uint32_t exports);

/* Its client is cut off from it, but the memory is not free yet. */
void ledger_revoke_buffer(struct ledger *ledger, uint32_t number, uint64_t now_ns);

/* It is no more. */
void ledger_drop_buffer(struct ledger *ledger, uint32_t number);

/**
 * ledger_add_share() - what is to be kept of a buffer that several sessions may have
 * @ret: number of its record; LEDGER_NONE without a ledger
 *
 * Followed by ledger_commit_buffer() for its buffer, or ledger_drop_share().
 *
 * Return: 0; -ENOSPC.
 */
int ledger_add_share(struct ledger *ledger, const struct ledger_share *share, uint32_t *ret);
void ledger_drop_share(struct ledger *ledger, uint32_t share);

/* Its name and that it lasts count no longer. LEDGER_NONE is fine, here and in what follows. */
void ledger_remove_share(struct ledger *ledger, uint32_t share);

/* It has this token from now on; NULL: none. */
void ledger_set_token(struct ledger *ledger, uint32_t share, const uint64_t token[2]);

/* A session died and left it in use; @name: NULL: nobody did any more. */
void ledger_leave_share(struct ledger *ledger, uint32_t share, uint32_t uid, uint32_t pid,
                        const char *name);

/* The last session that had it is gone, and it is given up. */
void ledger_end_share(struct ledger *ledger, uint32_t share, uint64_t now_ns);

/**
 * ledger_add_holder() - a session has a shared buffer
 * @session, @buffer: records; the buffer's may only be held yet
 * @seq:     of its request
 * @ret:     number of the record; LEDGER_NONE without a ledger
 *
 * Dropped before its session and its buffer are.
 *
 * Return: 0; -ENOSPC.
 */
int ledger_add_holder(struct ledger *ledger, uint32_t session, uint32_t buffer, uint32_t seq,
                      uint32_t *ret);
void ledger_drop_holder(struct ledger *ledger, uint32_t holder);

/**
 * ledger_charge_frame() - to whom a frame is charged, before any client hears of it
 * @session: LEDGER_NONE: to the uid
 */
void ledger_charge_frame(struct ledger *ledger, uint32_t slot, uint32_t generation,
                         uint32_t session, uint32_t uid);

/* A frame is kept aside: clients have seen it, and it is not known what they have of it. */
void ledger_put_aside(struct ledger *ledger, uint32_t slot, uint32_t generation);

/* dma-bufs were made of memory in a frame that is charged to somebody. */
void ledger_export_frame(struct ledger *ledger, uint32_t slot);

/* Nothing more is granted from a frame that is charged to somebody. */
void ledger_close_frame(struct ledger *ledger, uint32_t slot);

/* Its page is elsewhere. No buffer that is granted from now on lies in it; the first time counts.
 */
void ledger_lose_frame(struct ledger *ledger, uint32_t slot);

/* ---- what another process has left ---------------------------------------------------------- */

/**
 * struct ledger_found - what is wrong with it
 * @faults:  records that count and do not check: wrong sums, or what they refer to is not there.
 *           They are given up
 * @refused: records that check, and that a visitor did not want
 */
struct ledger_found {
        uint64_t sessions, buffers;
        uint64_t faults, refused;
};

/**
 * struct ledger_visitor - who reads it
 * @session: a session. @ended_ns: 0: it goes on. @record: stays its number
 * @buffer:  a buffer of a session that was visited. @revoked_ns: 0: it was not. Those that were
 *           come before all others; what it is given is borrowed for the call
 * @between: after the revoked buffers
 * @holder:  of a shared buffer, by its number, and of a session, by its record: after all buffers
 *
 * Return of each: 0; positive: not wanted, its record is dropped; negative errno, which ends it.
 */
struct ledger_visitor {
        int (*session)(void *data, uint32_t record, const struct ledger_session *session,
                       uint64_t ended_ns);
        int (*buffer)(void *data, uint32_t record, const struct ledger_buffer *buffer,
                      uint64_t revoked_ns);
        int (*between)(void *data);
        int (*holder)(void *data, uint32_t record, uint32_t session, uint64_t buffer, uint32_t seq);
};

/**
 * ledger_read() - visit all that counts, and make what does not count ready for use
 * @ret: what was found
 *
 * Takes time for each record that was ever used at once.
 *
 * Return: 0; -ENOMEM; what a visitor returned. After a failure nothing may be added.
 */
int ledger_read(struct ledger *ledger, const struct ledger_visitor *visitor, void *data,
                struct ledger_found *ret);

/* To whom the frame in a slot is charged. Return: whether that is known. */
bool ledger_frame_charged(const struct ledger *ledger, uint32_t slot, uint32_t generation,
                          uint32_t *ret_session, uint32_t *ret_uid);

/* Whether the frame in a slot was put aside. */
bool ledger_frame_aside(const struct ledger *ledger, uint32_t slot, uint32_t generation);

/* Whether dma-bufs were made of memory in the frame of a slot, which is charged to somebody. */
bool ledger_frame_exported(const struct ledger *ledger, uint32_t slot);

/* Whether it was closed, likewise. */
bool ledger_frame_closed(const struct ledger *ledger, uint32_t slot);

/**
 * ledger_frame_lost() - whether the page of the frame in a slot is elsewhere
 * @ret_last_buffer: buffers with higher numbers lie in another frame. It is too high by a multiple
 *                   of 2^29 where so many buffers were granted since
 */
bool ledger_frame_lost(const struct ledger *ledger, uint32_t slot, uint32_t generation,
                       uint64_t *ret_last_buffer);

/* Numbers of owners and buffers up to these were given already. */
uint64_t ledger_last_owner(const struct ledger *ledger);
uint64_t ledger_last_buffer(const struct ledger *ledger);

/* Bytes of memory that a ledger for so many needs. */
size_t ledger_bytes(uint32_t slots, uint32_t sessions, uint32_t buffers, uint32_t extents);
