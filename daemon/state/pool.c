/* SPDX-License-Identifier: MIT */
/*
 * Owns the spaces of its frames; the frames themselves belong to the state.
 */
#include "pool.h"

void pool_init(struct pool *pool, const struct pool_settings *settings, uint32_t index)
{
        pool->settings = settings;
        pool->index = index;
        LIST_INIT(&pool->orphans);
        due_init(&pool->orphans_due, DUE_ORPHANS);
        due_init(&pool->refill, DUE_REFILL);
}

void pool_deinit(struct pool *pool)
{
        node_spaces_deinit(&pool->free);
        node_spaces_deinit(&pool->all);
}

uint64_t pool_missing_bytes(const struct pool *pool)
{
        uint64_t want = pool->settings->size_min_bytes;

        return want > pool->bytes.held ? want - pool->bytes.held : 0;
}

const char *pool_state_name(const struct pool *pool)
{
        if (!pool->filled_once)
                return "filling";
        return pool_missing_bytes(pool) ? "short" : "ready";
}

static bool in_group(const struct identity *identity, uint32_t gid)
{
        if (identity->gid == gid)
                return true;
        for (size_t i = 0; i < identity->n_groups; i++)
                if (identity->groups[i] == gid)
                        return true;
        return false;
}

bool pool_allows(const struct pool_settings *settings, const struct identity *identity)
{
        if (!settings->n_allow)
                return true;
        for (size_t i = 0; i < settings->n_allow; i++) {
                const struct principal *p = &settings->allow[i];

                if (p->is_group ? in_group(identity, p->id) : identity->uid == p->id)
                        return true;
        }
        return false;
}
