/* SPDX-License-Identifier: MIT */
/*
 * Other settings while clients go on: what an administrator wants a pool to hold, and a
 * configuration that was read again. Buffers that are there stay; those who wait are looked at
 * again, because they may be allowed less, or more.
 */
#include "refusal.h"
#include "state_private.h"

#include <string.h>
#include <syslog.h>

int state_admin_pool(struct state *state, const struct client *asker, const char *name,
                     struct pool **ret, struct refusal *refusal)
{
        if (!client_is_admin(state, asker))
                return refusal_set(refusal, PAR_REFUSED_DENIED, "this is for administrators only");
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                if (name && !strcmp(state->pools[i].settings->name, name)) {
                        *ret = &state->pools[i];
                        return 0;
                }
        }
        return refusal_set(refusal, PAR_REFUSED_INVALID, "there is no pool %.64s",
                           name ? name : "");
}

static int refuse_size(const struct pool_settings *settings, uint64_t bytes,
                       struct refusal *refusal)
{
        char want[32], min[32], max[32];

        bytes_words(bytes, want);
        bytes_words(settings->size_min_bytes, min);
        bytes_words(settings->size_max_bytes, max);
        return refusal_set(refusal, PAR_REFUSED_INVALID,
                           "%s is not between size_min (%s) and size_max (%s) of pool %.64s", want,
                           min, max, settings->name);
}

/* A take that is for what the pool has by now is ended; what it found goes back when it ends. */
static void stop_taking(struct state *state, struct pool *pool)
{
        if (!pool->taking || pool->for_demand)
                return;
        pool->trim = true;
        if (pool->cancelled || pool_coming_bytes(pool) < pool_target_bytes(pool))
                return;
        pool->cancelled = true;
        state->ops->cancel(state->data, pool->index);
}

int state_resize(struct state *state, struct client *asker, const char *pool_name, uint64_t bytes,
                 uint64_t now_ns, struct refusal *refusal)
{
        const struct pool_settings *settings;
        struct pool *pool;
        uint64_t rounded;
        char words[32];
        int r;

        r = state_admin_pool(state, asker, pool_name, &pool, refusal);
        if (r)
                return r;
        settings = pool->settings;
        if (!align_up(bytes, settings->page_bytes, &rounded) ||
            rounded < settings->size_min_bytes || rounded > settings->size_max_bytes)
                return refuse_size(settings, bytes, refusal);

        pool->goal_bytes = rounded;
        pool->resized = true;
        state_log(state, LOG_NOTICE, &(struct log_fields){ .pool = settings->name },
                  "pool %s: is to hold %s", settings->name, bytes_words(rounded, words));
        state_grow_anew(state, pool);
        stop_taking(state, pool);
        state_shrink_now(state, pool, pool_surplus_bytes(pool), now_ns);
        state_changed(state, now_ns);
        return 0;
}

static void pool_reconfigure(struct state *state, struct pool *pool, uint64_t now_ns)
{
        const struct pool_settings *settings = pool->settings;
        uint64_t over, spare;

        if (!pool->resized || pool->goal_bytes < settings->size_min_bytes)
                pool->goal_bytes = settings->size_min_bytes;
        if (pool->goal_bytes > settings->size_max_bytes)
                pool->goal_bytes = settings->size_max_bytes;
        if (pool->goal_bytes == settings->size_min_bytes)
                pool->resized = false;
        state_grow_anew(state, pool);

        /* What is too much goes at once, but for what is claimed; what is only not needed when its
         * time has come. */
        over = pool_coming_bytes(pool);
        over = over > settings->size_max_bytes ? over - settings->size_max_bytes : 0;
        spare = pool->bytes.free > pool->unmet_bytes ? pool->bytes.free - pool->unmet_bytes : 0;
        if (over > spare)
                over = spare;
        due_cancel(&state->dues, &pool->shrink);
        state_shrink_now(state, pool, over, now_ns);
}

void state_reconfigure(struct state *state, const struct state_settings *settings, uint64_t now_ns)
{
        struct client *client;

        assert(settings->n_pools == state->settings->n_pools);

        state->settings = settings;
        for (size_t i = 0; i < settings->n_pools; i++)
                state->pools[i].settings = &settings->pools[i];
        usages_rebuild(state);
        state->limits_bent = true;
        for (size_t i = 0; i < settings->n_pools; i++)
                pool_reconfigure(state, &state->pools[i], now_ns);
        LIST_FOREACH (client, &state->clients, link)
                client_reconfigure(client);
        waiters_reconfigure(state, now_ns);
        state->prospects_changed = true;
        state_changed(state, now_ns);
}
