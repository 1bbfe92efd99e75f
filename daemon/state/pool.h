/* SPDX-License-Identifier: MIT */
#pragma once

#include "due.h"
#include "frame.h"
#include "node_spaces.h"
#include "state.h"

#define POOLS_MAX       64 /* a bit each in a mask */
#define POOL_NOTE_BYTES 192

/**
 * struct pool - a named, disjoint set of frames
 * @index:   in the configuration
 * @free:    frames that nobody has
 * @all:     frames in service, whoever has them: what could be had if everybody gave back
 * @taking:  frames that the keeper was asked for and has not answered yet
 * @orphans: @n_orphans frames in quarantine that clients of a former worker had
 * @orphans_due: more of them leave
 * @refill:  when to ask again for frames that were lost
 * @note:    why it holds less than it should, or ""
 * @counters: since the start, but for its lost_to_system, which is kept above
 */
struct pool {
        const struct pool_settings *settings;
        uint32_t index;
        struct node_spaces free, all;
        struct state_bytes bytes;
        uint64_t unpinned_frames;
        uint64_t lost_to_system;
        bool filled_once;
        uint32_t taking;
        struct frame_list orphans;
        uint32_t n_orphans;
        struct due orphans_due;
        struct due refill;
        uint64_t refill_delay_ns;
        char note[POOL_NOTE_BYTES];
        struct pool_counters counters;
};

/* @pool is zeroed memory. */
void pool_init(struct pool *pool, const struct pool_settings *settings, uint32_t index);
void pool_deinit(struct pool *pool);

/* Bytes that it should hold and does not. */
uint64_t pool_missing_bytes(const struct pool *pool);

/* "filling", "ready", "short" */
const char *pool_state_name(const struct pool *pool);

/* Whether one of this identity may use it. */
bool pool_allows(const struct pool_settings *settings, const struct identity *identity);
