/* SPDX-License-Identifier: MIT */
/*
 * Owns the spaces of its frames; the frames themselves belong to the state. How much it should hold
 * is decided here, and nothing is done about it.
 */
#include "pool.h"

#include <string.h>

void pool_init(struct pool *pool, const struct pool_settings *settings, uint32_t index)
{
        pool->settings = settings;
        pool->index = index;
        pool->goal_bytes = settings->size_min_bytes;
        pool->shrink_from = UINT64_MAX;
        RB_INIT(&pool->frames);
        LIST_INIT(&pool->orphans);
        for (unsigned i = 0; i < BUFFER_CLASSES; i++)
                LIST_INIT(&pool->by_size[i]);
        due_init(&pool->orphans_due, DUE_ORPHANS);
        due_init(&pool->refill, DUE_REFILL);
        due_init(&pool->regrow, DUE_REGROW);
        due_init(&pool->shrink, DUE_SHRINK);
        due_init(&pool->drain.walk, DUE_DRAIN);
        due_init(&pool->turn, DUE_POOL_TURN);
        pool_forget_usages(pool);
}

void pool_deinit(struct pool *pool)
{
        node_spaces_deinit(&pool->free);
        node_spaces_deinit(&pool->all);
}

uint64_t pool_unmet_bytes(const struct pool *pool, unsigned claim)
{
        uint64_t claimed = pool->settings->claims[claim].bytes;
        uint64_t used = pool->claim_usages[claim].bytes;

        return claimed > used ? claimed - used : 0;
}

void pool_forget_usages(struct pool *pool)
{
        memset(pool->group_usages, 0, sizeof(pool->group_usages));
        memset(pool->claim_usages, 0, sizeof(pool->claim_usages));
        memset(pool->quota_peaks, 0, sizeof(pool->quota_peaks));
        memset(pool->claim_peaks, 0, sizeof(pool->claim_peaks));
        crowd_init(&pool->crowd, pool->settings);
        pool->claimed_bytes = 0;
        for (size_t i = 0; i < pool->settings->n_claims; i++)
                pool->claimed_bytes += pool->settings->claims[i].bytes;
        pool->unmet_bytes = pool->claimed_bytes;
}

uint64_t pool_missing_bytes(const struct pool *pool)
{
        return pool->goal_bytes > pool->bytes.held ? pool->goal_bytes - pool->bytes.held : 0;
}

uint64_t pool_in_runs(const struct pool *pool, uint64_t bytes)
{
        uint64_t run_bytes = pool->settings->run_min_bytes;
        uint64_t rest = run_bytes ? bytes % run_bytes : 0, sum;

        if (!rest || __builtin_add_overflow(bytes, run_bytes - rest, &sum))
                return bytes;
        return sum;
}

uint64_t pool_target_bytes(const struct pool *pool)
{
        const struct pool_settings *settings = pool->settings;
        const struct state_bytes *bytes = &pool->bytes;
        uint64_t target = bytes->granted + bytes->reusable + bytes->lingering + bytes->quarantined +
                          bytes->retired;

        /* Claims are at most size_min: that does not overflow. */
        if (__builtin_add_overflow(target + pool->unmet_bytes, settings->spare_bytes, &target))
                target = UINT64_MAX;
        if (target < pool->goal_bytes)
                target = pool->goal_bytes;
        target = pool_in_runs(pool, target);
        return target < settings->size_max_bytes ? target : settings->size_max_bytes;
}

uint64_t pool_coming_bytes(const struct pool *pool)
{
        return pool->bytes.held - pool->departing_bytes;
}

uint64_t pool_surplus_bytes(const struct pool *pool)
{
        uint64_t target = pool_target_bytes(pool), coming = pool_coming_bytes(pool);

        /* What somebody waits for is not there in one go, and not given back before it is. */
        if (coming <= target || (pool->taking && pool->for_demand))
                return 0;
        return coming - target;
}

uint64_t pool_room_bytes(const struct pool *pool)
{
        uint64_t max = pool->settings->size_max_bytes;

        return max > pool->bytes.held ? max - pool->bytes.held : 0;
}

const char *pool_state_name(const struct pool *pool)
{
        if (pool->taking && pool->aside_bytes)
                return "harvesting";
        if (!pool->filled_once)
                return "filling";
        if (pool->taking)
                return "growing";
        if (pool_draining_bytes(pool))
                return "draining";
        return pool_missing_bytes(pool) ? "short" : "ready";
}

bool identity_is_among(const struct identity *identity, const struct principal *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (principal_is(&list[i], identity))
                        return true;
        return false;
}

bool pool_allows(const struct pool_settings *settings, const struct identity *identity)
{
        return !settings->n_allow ||
               identity_is_among(identity, settings->allow, settings->n_allow);
}
