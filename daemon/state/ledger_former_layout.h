/* SPDX-License-Identifier: MIT */
/*
 * How the ledger of version 2 lies in memory, frozen: see ledger_layout.h for what is not said
 * here. With the next version this is replaced by what is in ledger_layout.h now.
 */
#pragma once

#include "ledger_layout.h"

#define LEDGER_FORMER_VERSION (LEDGER_VERSION - 1)
_Static_assert(LEDGER_FORMER_VERSION == 2, "this is version 2");

#define FORMER_TEXT_BYTES    64
#define FORMER_DEVICES       4
#define FORMER_RIGHTS        8
#define FORMER_PLACES_INSIDE 2
#define FORMER_PLACES_EXTENT 7

enum former_table {
        FORMER_SESSIONS,
        FORMER_BUFFERS,
        FORMER_EXTENTS,
        FORMER_SHARES,
        FORMER_HOLDERS,
        FORMER_TABLES,
};

/* Of 16 parts of the memory beside the frames' records, for each table. */
#define FORMER_PARTS           \
        {                      \
                1, 10, 3, 1, 1 \
        }

/* Followed by the frames' records, then by the tables. */
struct former_head {
        _Atomic uint64_t magic;
        uint32_t version, slots;
        uint32_t rooms[FORMER_TABLES];
        _Atomic uint32_t used[FORMER_TABLES];
        _Atomic uint64_t last_owner, last_buffer;
};

/* Of the session's groups it says nothing. */
struct former_session {
        struct ledger_begin begin;
        uint64_t token, id, since_ns;
        uint32_t uid, gid, pid, filler;
        char name[FORMER_TEXT_BYTES];
        uint64_t sum;
        _Atomic uint64_t ended_ns;
        uint64_t references;
};

struct former_buffer {
        struct ledger_begin begin;
        uint32_t session, seq, pool, n_places;
        uint64_t id, since_ns, dma_offset, needs_below;
        struct constraint limits;
        struct range places[FORMER_PLACES_INSIDE];
        char label[FORMER_TEXT_BYTES];
        uint32_t extent, n_devices;
        uint32_t devices[FORMER_DEVICES], unwatched, share;
        uint64_t sum;
        uint64_t revoked_ns, exports;
};

struct former_extent {
        struct ledger_begin begin;
        uint32_t extent, filler;
        struct range places[FORMER_PLACES_EXTENT];
        uint64_t sum;
};

struct former_right {
        uint32_t is_group, id;
};

/* What follows @sum is not in it. */
struct former_share {
        struct ledger_begin begin;
        uint32_t lasting, n_rights;
        struct former_right rights[FORMER_RIGHTS];
        char name[FORMER_TEXT_BYTES];
        uint64_t sum;
        _Atomic uint32_t removed, has_token;
        uint64_t token[2];
        _Atomic uint64_t ended_ns;
        _Atomic uint32_t left;
        uint32_t left_uid, left_pid, filler;
        char left_name[FORMER_TEXT_BYTES];
};

struct former_holder {
        struct ledger_begin begin;
        uint32_t session, buffer, seq, filler;
        uint64_t sum;
};

/* @marks: not in @sum; 1: exported, 2: closed */
struct former_frame {
        uint32_t generation, session, uid, sum, marks, aside;
};

_Static_assert(sizeof(struct former_head) == 72 && sizeof(struct former_session) == 136 &&
                       sizeof(struct former_buffer) == 264 && sizeof(struct former_extent) == 136 &&
                       sizeof(struct former_share) == 264 && sizeof(struct former_holder) == 32 &&
                       sizeof(struct former_frame) == 24 && sizeof(struct ledger_begin) == 8 &&
                       sizeof(struct constraint) == 56 && sizeof(struct range) == 16,
               "as it was written");
