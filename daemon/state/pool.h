/* SPDX-License-Identifier: MIT */
#pragma once

#include "buffer.h"
#include "crowd.h"
#include "drain.h"
#include "due.h"
#include "frame.h"
#include "grow.h"
#include "node_spaces.h"
#include "state.h"
#include "usage.h"

#define POOLS_MAX       64 /* a bit each in a mask */
#define POOL_NOTE_BYTES 192

/* What goes back was free for shrink_delay, and for one part of it more at most. */
#define POOL_SHRINK_PARTS 4

struct holding;

RB_HEAD(holding_tree, holding);

/**
 * struct pool - a named, disjoint set of frames
 * @index:   in the configuration
 * @frames:  all of them, also those out of service
 * @free:    frames that nobody has
 * @all:     frames in service, whoever has them: what could be had if everybody gave back
 * @departing_bytes: of frames that are leaving and do not come back
 * @filled_once: the first take is over, or none was needed
 * @cannot_pin: the last take brought nothing, or too little, because pages cannot be pinned
 * @goal_bytes: what it holds also when nobody wants anything
 * @resized: an administrator has set the goal
 * @trim:    and did so while a take was under way: what it brings too much goes at once
 * @taking:  frames that the keeper was asked for and has not answered yet; 0: none
 * @taken, @aside_bytes: how far that is
 * @wish:    that question
 * @for_demand: it was asked for somebody who waits
 * @cancelled: the keeper was told to end it
 * @refill:  no more frames are asked for, for the goal and for spare, before this
 * @reason:  why the last take brought less than was asked for, or ""
 * @orphans: @n_orphans frames in quarantine that clients of a former worker had
 * @orphans_due: more of them leave
 * @quarantines: holdings that wait, by the end of their time
 * @note:    why it holds less than it should, or ""
 * @failures, @regrow: see grow.h
 * @rested_ns: when it has recovered from all of its harvests; that may be long ago
 * @tired, @tired_until_ns: it had so many of them that it asks for nothing until then
 * @shrink:  when what was not needed goes back, or the next part of shrink_delay begins
 * @idle_bytes: what was not needed in the last @n_idle parts of it, the latest first
 * @shrink_bytes: what goes back now
 * @shrink_from: where the search for what to give back goes on
 * @drain:   what is to be empty
 * @gap:     which of the windows beside that to take from
 * @held_window: what is kept there for somebody who waits, while the pool is held up
 * @turn:    end of that, or of the pause after it
 * @waiting: requests that wait and may go here
 * @by_size: its buffers by buffer_class()
 * @group_usages: what is charged to groups that have quotas, by the quotas' indexes
 * @claim_usages: what is charged to those who have claims, by the claims' indexes
 * @quota_peaks, @claim_peaks: of what counts for each, since these settings are in force. Of a
 *           quota of each user: of any one of them
 * @crowd:   whom that concerns
 * @claimed_bytes: all claims; @unmet_bytes: what of them is not in use: so much of what is free is
 *           kept for those who claimed it
 * @counters: since the start, but for its lost_to_system, which is kept above
 */
struct pool {
        const struct pool_settings *settings;
        uint32_t index, n_orphans;
        struct pool_frame_tree frames;
        struct node_spaces free, all;
        struct state_bytes bytes;
        uint64_t departing_bytes;
        uint64_t unpinned_frames;
        uint64_t lost_to_system;
        uint64_t goal_bytes;
        bool filled_once, resized, trim, cannot_pin;
        uint32_t taking, taken;
        uint64_t aside_bytes;
        struct take_wish wish;
        bool for_demand, cancelled, tired;
        struct frame_list orphans;
        struct due orphans_due;
        struct holding_tree quarantines;
        struct due refill;
        uint64_t refill_delay_ns;
        char reason[POOL_NOTE_BYTES], note[POOL_NOTE_BYTES];
        struct grow_failure failures[GROW_FAILURES_MAX];
        struct due regrow;
        uint64_t rested_ns, tired_until_ns;
        struct due shrink;
        uint64_t idle_bytes[POOL_SHRINK_PARTS];
        unsigned n_idle;
        uint64_t shrink_bytes, shrink_from;
        struct drain drain;
        unsigned gap;
        struct range held_window;
        struct due turn;
        uint64_t waiting;
        struct buffer_list by_size[BUFFER_CLASSES];
        struct usage group_usages[QUOTAS_MAX], claim_usages[CLAIMS_MAX];
        struct peak quota_peaks[QUOTAS_MAX], claim_peaks[CLAIMS_MAX];
        struct crowd crowd;
        uint64_t claimed_bytes, unmet_bytes;
        struct pool_counters counters;
};

/* @pool is zeroed memory. */
void pool_init(struct pool *pool, const struct pool_settings *settings, uint32_t index);
void pool_deinit(struct pool *pool);

/* What of a claim, by its index, is not in use. */
uint64_t pool_unmet_bytes(const struct pool *pool, unsigned claim);

/* Nobody has anything, as far as quotas and claims know: those of the settings are new. */
void pool_forget_usages(struct pool *pool);

/* Bytes that it should hold for its goal and does not. */
uint64_t pool_missing_bytes(const struct pool *pool);

/* What it wants to hold now: its goal, or what is in use, and beside it what is claimed and the
 * spare. */
uint64_t pool_target_bytes(const struct pool *pool);

/* What it will hold when everything that leaves has left or come back. */
uint64_t pool_coming_bytes(const struct pool *pool);

/* What it holds beyond the target; some of it may not be free yet. */
uint64_t pool_surplus_bytes(const struct pool *pool);

/* How much more it may hold. */
uint64_t pool_room_bytes(const struct pool *pool);

/* Rounded up to whole runs, where the pool wants frames in runs only. */
uint64_t pool_in_runs(const struct pool *pool, uint64_t bytes);

/* "filling", "growing", "harvesting", "draining", "ready", "short" */
const char *pool_state_name(const struct pool *pool);

/* Whether it is one of these users, or in one of these groups. */
bool identity_is_among(const struct identity *identity, const struct principal *list, size_t count);

/* Whether one of this identity may use it. */
bool pool_allows(const struct pool_settings *settings, const struct identity *identity);
