/* SPDX-License-Identifier: MIT */
/*
 * What pools lack, and what came of asking for it. One take at a time for each pool: for its goal
 * and the spare ahead of demand here, for somebody who waits in grow.c. A take that brought less
 * than it should is not repeated before a delay that doubles.
 */
#include "macros.h"
#include "refusal.h"
#include "state_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#define REFILL_DELAY_FIRST_NS NS_PER_S

/* How long a harvest may hold up the news that the pools are filled. */
#define FILLED_MAX_NS (5 * NS_PER_S)

void state_take(struct state *state, struct pool *pool, const struct take_wish *wish,
                bool for_demand)
{
        assert(!pool->taking && wish->count);

        pool->taking = wish->count;
        pool->taken = 0;
        pool->aside_bytes = 0;
        pool->wish = *wish;
        pool->for_demand = for_demand;
        pool->cancelled = false;
        state->taking_told = false;
        state->ops->take(state->data, wish);
}

/* For the goal and the spare, anywhere in the pool's window. */
static void refill(struct state *state, struct pool *pool)
{
        uint64_t page_bytes = pool->settings->page_bytes, bytes;
        uint64_t target = pool_target_bytes(pool), coming = pool_coming_bytes(pool);
        struct range gaps[DRAIN_WINDOWS_MAX + 1];
        size_t n_gaps;

        if (coming >= target || pool->taking || pool->tired || due_is_set(&pool->refill))
                return;
        bytes = target - coming;
        if (bytes > pool_room_bytes(pool))
                bytes = pool_room_bytes(pool);
        n_gaps = pool_gaps(pool, pool->settings->window, page_bytes, gaps);
        if (bytes < page_bytes || !n_gaps)
                return;
        bytes /= page_bytes;
        state_take(state, pool,
                   &(struct take_wish){
                           .pool = pool->index,
                           .count = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
                           .window = gaps[pool->gap % n_gaps],
                           .run_bytes = pool->settings->run_min_bytes,
                   },
                   false);
}

void state_refill_later(struct state *state, struct pool *pool, uint64_t now_ns)
{
        if (pool->refill_delay_ns < REFILL_DELAY_FIRST_NS)
                pool->refill_delay_ns = REFILL_DELAY_FIRST_NS;
        if (!due_is_set(&pool->refill))
                due_set(&state->dues, &pool->refill, now_ns + pool->refill_delay_ns);
}

static bool is_drained_whole(const struct pool *pool)
{
        struct range gaps[DRAIN_WINDOWS_MAX + 1];

        return !pool_gaps(pool, pool->settings->window, pool->settings->page_bytes, gaps);
}

/* Why the pool holds less than it should. */
static void write_note(struct pool *pool)
{
        char held[32], want[32];
        const char *why = pool->reason;

        pool->note[0] = '\0';
        if (!pool_missing_bytes(pool))
                return;
        if (is_drained_whole(pool))
                why = "all of its addresses are drained";
        else if (pool->tired && !why[0])
                why = "it had to look for pages often lately, and pauses";
        else if (!why[0])
                why = "pages were lost to the system";
        snprintf(pool->note, sizeof(pool->note), "%s of %s: %.140s",
                 bytes_words(pool->bytes.held, held), bytes_words(pool->goal_bytes, want), why);
}

/* What was said may no longer be so, and what is drained is no news of the keeper's. */
static void settle_note(struct pool *pool)
{
        if (!pool_missing_bytes(pool))
                pool->note[0] = '\0';
        else if (pool->drain.n_windows && !pool->departing_bytes && is_drained_whole(pool))
                write_note(pool);
}

void state_pools_settle(struct state *state, uint64_t now_ns)
{
        if (!state->started)
                return;
        for (size_t i = state->settings->n_pools; i-- > 0;) {
                struct pool *pool = &state->pools[state->preferred[i]];

                refill(state, pool);
                settle_note(pool);
                state_shrink_settle(state, pool, now_ns);
        }
}

/* ---- the first filling ---------------------------------------------------------------------- */

static void tell_filled(struct state *state)
{
        due_cancel(&state->dues, &state->filling);
        state->taking_told = true;
        state->ops->filled(state->data);
}

static void tell_when_filled(struct state *state)
{
        if (state->taking_told)
                return;
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (state->pools[i].taking)
                        return;
        tell_filled(state);
}

void state_filling_due(struct state *state)
{
        tell_filled(state);
        state->taking_told = false; /* again, when the rest is over */
}

int state_start(struct state *state, uint64_t now_ns)
{
        int r;

        r = state_restore(state, now_ns);
        if (r)
                return r;
        state->started = true;
        /* The narrow ranges first: what they cannot use is good enough for the wide ones. */
        state_pools_settle(state, now_ns);
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (!state->pools[i].taking)
                        state->pools[i].filled_once = true;
        due_set(&state->dues, &state->filling, now_ns + FILLED_MAX_NS);
        tell_when_filled(state);
        state_changed(state, now_ns);
        return 0;
}

/* ---- what came ------------------------------------------------------------------------------ */

static const char *runs_words(const struct pool *pool, char *to, size_t room)
{
        char run[32];

        to[0] = '\0';
        if (pool->wish.run_bytes > pool->settings->page_bytes)
                snprintf(to, room, " in runs of %s", bytes_words(pool->wish.run_bytes, run));
        return to;
}

static void words_for_no_memory(const struct pool *pool, const struct take_result *result, char *to,
                                size_t room)
{
        const struct pool_settings *settings = pool->settings;
        char page[32], runs[64];

        bytes_words(settings->page_bytes, page);
        runs_words(pool, runs, sizeof(runs));
        if (result->seen.first <= result->seen.last &&
            !range_contains(pool->wish.window, result->seen))
                snprintf(to, room,
                         "the other %s pages that the system has lie between 0x%llx and 0x%llx",
                         page, (unsigned long long)result->seen.first,
                         (unsigned long long)result->seen.last);
        else
                snprintf(to, room, "the system has no more %s pages%s", page, runs);
}

/* Why a take brought less than was asked for. */
static void write_reason(struct pool *pool, const struct take_result *result)
{
        char held[32], max[32], where[64], runs[64];
        char *to = pool->reason;
        size_t room = sizeof(pool->reason);

        range_words(pool->wish.window, where, sizeof(where));
        bytes_words(result->held_bytes, held);
        bytes_words(pool->settings->harvest_max_bytes, max);
        switch (result->r) {
        case 0: to[0] = '\0'; return;
        case -EPERM:
                snprintf(to, room,
                         "pages cannot be pinned here; pin = \"optional\" takes them all the same");
                return;
        case -EUSERS:
                snprintf(to, room,
                         "the system has more %s pages, but not for pard: the hugetlb limit of its "
                         "cgroup",
                         bytes_words(pool->settings->page_bytes, held));
                return;
        case -ENOMEM:
                if (result->held_bytes)
                        snprintf(to, room, "held %s and found no more %s", held, where);
                else
                        words_for_no_memory(pool, result, to, room);
                return;
        case -EDQUOT:
                if (result->held_bytes)
                        snprintf(to, room,
                                 "held %s and found no more %s; keep_free forbids taking more",
                                 held, where);
                else
                        snprintf(to, room, "keep_free forbids taking more from the system");
                return;
        case -EFBIG:
                if (result->held_bytes)
                        snprintf(to, room, "held %s (harvest_max) and found no more %s", held,
                                 where);
                else
                        snprintf(to, room,
                                 "no more is to be found %s%s without a harvest, and harvest_max "
                                 "is %s",
                                 where, runs_words(pool, runs, sizeof(runs)), max);
                return;
        case -ECANCELED: snprintf(to, room, "looking for more was interrupted"); return;
        default: snprintf(to, room, "%s", strerror(-result->r)); return;
        }
}

/* What is to be learned from the end of a take. */
static void learn(struct state *state, struct pool *pool, const struct take_result *result,
                  uint64_t now_ns)
{
        char before[POOL_NOTE_BYTES];

        if (result->r == -ECANCELED && pool->cancelled)
                return; /* as we wished, for somebody else */
        pool->cannot_pin = result->r == -EPERM;
        write_reason(pool, result);
        memcpy(before, pool->note, sizeof(before));
        write_note(pool);
        if (pool->note[0] && strcmp(before, pool->note) != 0)
                state_log(state, LOG_WARNING, &(struct log_fields){ .pool = pool->settings->name },
                          "pool %s: %s", pool->settings->name, pool->note);
        if (result->r)
                grow_failed(state, pool, result, now_ns);
        else
                grow_succeeded(state, pool);
        if (pool->for_demand)
                return;
        pool->refill_delay_ns =
                result->r ? grow_delay_ns(pool->refill_delay_ns, pool->wish.count, result) : 0;
        if (result->r)
                state_refill_later(state, pool, now_ns);
}

void state_taken(struct state *state, uint32_t pool_index, const struct take_result *result,
                 uint64_t now_ns)
{
        struct pool *pool;

        if (pool_index >= state->settings->n_pools || !state->pools[pool_index].taking)
                return;
        pool = &state->pools[pool_index];
        pool->taking = 0;
        pool->aside_bytes = 0;
        pool->filled_once = true;
        pool->counters.grown_frames += result->got;
        pool->counters.harvests += result->harvested;
        if (result->harvested)
                grow_harvested(state, pool, now_ns);
        learn(state, pool, result, now_ns);
        if (pool->trim)
                state_shrink_now(state, pool, pool_surplus_bytes(pool), now_ns);
        pool->trim = false;
        state_came(state, pool); /* or the news that nothing comes */
        state->prospects_changed = true;
        tell_when_filled(state);
        state_changed(state, now_ns);
}

void state_taking(struct state *state, uint32_t pool_index, uint32_t got, uint64_t held_bytes,
                  uint64_t now_ns)
{
        struct pool *pool;

        (void)now_ns;
        if (pool_index >= state->settings->n_pools || !state->pools[pool_index].taking)
                return;
        pool = &state->pools[pool_index];
        pool->taken = got < pool->taking ? got : pool->taking;
        pool->aside_bytes = held_bytes;
}
