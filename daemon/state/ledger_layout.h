/* SPDX-License-Identifier: MIT */
/*
 * How the ledger's records lie in memory that outlives the worker: tables of fixed records, found
 * by their numbers. The next worker, which may be of another version, reads what this one wrote.
 *
 * Whoever counts the version up freezes this one as ledger_former_layout.h and writes what turns
 * its records into the new ones (ledger_former.c). In all versions a ledger lies in one half of the
 * memory, and its head begins with @magic and @version.
 *
 * A record counts exactly while its @word is not 0. That is written last, with release order, after
 * everything else; and made 0 first. A record that was only half written is therefore none.
 */
#pragma once

#include "constraint.h"
#include "range.h"

#include <stdatomic.h>
#include <stdint.h>

#define LEDGER_MAGIC   UINT64_C(0x7372656b6e617262)
#define LEDGER_VERSION 3u

#define LEDGER_NONE UINT32_MAX /* no record */

/* No session or buffer was ever given a number above this one: counting on from such a number would
 * begin again at 0. */
#define LEDGER_NUMBER_MAX (UINT64_MAX / 2)

/* Names and labels with their NUL. */
#define LEDGER_TEXT_BYTES 64

/* Groups of a session. */
#define LEDGER_GROUPS 64

/* PCI devices of a buffer. */
#define LEDGER_DEVICES 4

/* Users and groups that may open a buffer. */
#define LEDGER_RIGHTS 8

/* Places of a buffer that lie in its own record, and in each extent. */
#define LEDGER_PLACES_INSIDE 2
#define LEDGER_PLACES_EXTENT 7

/**
 * struct ledger_head - at the beginning
 * @magic, @version: LEDGER_MAGIC, LEDGER_VERSION; @magic is written last of the whole head
 * @slots:    records of frames, by the keeper's slots
 * @rooms:    sessions, buffers, extents, shares, holders: how many of each there is room for
 * @used:     of these: records at this number and above were never used
 * @last_owner, @last_buffer: the numbers given last, so that none is given twice
 */
struct ledger_head {
        _Atomic uint64_t magic;
        uint32_t version, slots;
        uint32_t rooms[5];
        _Atomic uint32_t used[5];
        _Atomic uint64_t last_owner, last_buffer;
};

/* How every record of a table begins. @link: the next record without a use, while @word is 0. */
struct ledger_begin {
        _Atomic uint32_t word;
        uint32_t link;
};

/**
 * struct ledger_session_record - a session, or one that ended and left memory behind
 * @token:    with which its client comes back
 * @id:       number in lists
 * @groups:   @n_groups of them; quotas and claims may be theirs
 * @ended_ns: when it ended; 0: it has not. Not in @sum: it is written later
 * @references: buffers that refer to it, and 1 while it is an owner. Not in @sum: counted anew
 */
struct ledger_session_record {
        struct ledger_begin begin;
        uint64_t token, id, since_ns;
        uint32_t uid, gid, pid, n_groups;
        char name[LEDGER_TEXT_BYTES];
        uint32_t groups[LEDGER_GROUPS];
        uint64_t sum;
        _Atomic uint64_t ended_ns;
        uint64_t references;
};

/* ledger_buffer_record.begin.word */
enum ledger_buffer_state {
        LEDGER_UNUSED,
        LEDGER_GRANTED,
        LEDGER_REVOKED, /* its client was cut off */
};

/**
 * struct ledger_buffer_record - a buffer
 * @session:  record of its session
 * @seq:      the request that it answers
 * @revoked_ns: when. Not in @sum: it is written later
 * @extent:   record with the rest of the places; LEDGER_NONE: these are all
 * @places:   contiguous memory, in the buffer's order
 * @devices:  @n_devices PCI devices that it is for; @unwatched: and for something else
 * @share:    record of its sharing; LEDGER_NONE: it is its session's alone
 * @exports:  dma-bufs that were made of it. Not in @sum: it is written later
 */
struct ledger_buffer_record {
        struct ledger_begin begin;
        uint32_t session, seq, pool, n_places;
        uint64_t id, since_ns, dma_offset, needs_below;
        struct constraint limits;
        struct range places[LEDGER_PLACES_INSIDE];
        char label[LEDGER_TEXT_BYTES];
        uint32_t extent, n_devices;
        uint32_t devices[LEDGER_DEVICES], unwatched, share;
        uint64_t sum;
        uint64_t revoked_ns, exports;
};

struct ledger_extent_record {
        struct ledger_begin begin;
        uint32_t extent, filler; /* the next one; LEDGER_NONE */
        struct range places[LEDGER_PLACES_EXTENT];
        uint64_t sum;
};

/* Who else may open a buffer. */
struct ledger_right {
        uint32_t is_group, id;
};

/**
 * struct ledger_share_record - what a buffer has that several sessions may have; counts with it
 * @name:      "": none
 * @lasting:   it stays when no session has it
 * @rights:    @n_rights of them
 * @removed:   name and @lasting count no longer. Not in @sum, like all that follows: it is written
 *             later
 * @has_token: @token opens it
 * @left:      a session of @left_uid and @left_name died and left it in use; @left_uid UINT32_MAX
 *             and @left_name "": of several
 * @ended_ns:  when it was given up, with the last session that had it; 0: it was not
 */
struct ledger_share_record {
        struct ledger_begin begin;
        uint32_t lasting, n_rights;
        struct ledger_right rights[LEDGER_RIGHTS];
        char name[LEDGER_TEXT_BYTES];
        uint64_t sum;
        _Atomic uint32_t removed, has_token;
        uint64_t token[2];
        _Atomic uint64_t ended_ns;
        _Atomic uint32_t left;
        uint32_t left_uid, left_pid, filler;
        char left_name[LEDGER_TEXT_BYTES];
};

/**
 * struct ledger_holder_record - a session has a shared buffer
 * @session, @buffer: their records. The buffer's may not count yet: then this one does not either
 * @seq:     the request by which it has it
 */
struct ledger_holder_record {
        struct ledger_begin begin;
        uint32_t session, buffer, seq, filler;
        uint64_t sum;
};

enum ledger_frame_mark {
        LEDGER_EXPORTED = 1, /* dma-bufs were made of memory in it */
        LEDGER_CLOSED = 2,   /* nothing more is granted from it */
        LEDGER_LOST = 4,     /* its page is elsewhere: another frame may be where it was */
};

/* The other bits of the marks of a frame that is lost: the lowest ones of the number of the buffer
 * that was granted last before that. */
#define LEDGER_LOST_AT_SHIFT 3
#define LEDGER_LOST_AT_MASK  (UINT32_MAX >> LEDGER_LOST_AT_SHIFT)

/**
 * struct ledger_frame_record - to whom a frame is charged that clients have seen
 * @generation: of the frame in this slot; another: the record is of a former one
 * @session:    record of its session; LEDGER_NONE: it is the uid's
 * @marks:      enum ledger_frame_mark, and when it was lost. Not in @sum: it is written later
 * @aside:      it is charged to nobody, since what was said of it did not check
 */
struct ledger_frame_record {
        uint32_t generation, session, uid, sum, marks, aside;
};

_Static_assert(sizeof(struct ledger_head) == 72 && sizeof(struct ledger_session_record) == 392 &&
                       sizeof(struct ledger_buffer_record) == 264 &&
                       sizeof(struct ledger_extent_record) == 136 &&
                       sizeof(struct ledger_share_record) == 264 &&
                       sizeof(struct ledger_holder_record) == 32 &&
                       sizeof(struct ledger_frame_record) == 24 && sizeof(struct constraint) == 56,
               "the same for every compiler; whoever changes it changes the version");
