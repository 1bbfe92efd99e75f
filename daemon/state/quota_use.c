/* SPDX-License-Identifier: MIT */
/*
 * How much of quotas and claims is used, and was at most. Reads, changes nothing, and looks at one
 * sum for each.
 */
#include "state_private.h"

struct usage state_quota_usage(const struct state *state, const struct pool *pool, size_t quota)
{
        const struct quota_settings *settings = &pool->settings->quotas[quota];
        const struct user *user;

        if (settings->who.is_group)
                return pool->group_usages[quota];
        user = settings->each ? NULL : state_user(state, settings->who.id);
        return user ? user->of[pool->index] : (struct usage){ 0 };
}

void state_quota_use(const struct state *state, size_t pool, size_t quota, struct quota_use *ret)
{
        const struct pool *of = &state->pools[pool];
        const struct usage usage = state_quota_usage(state, of, quota);
        const struct peak *peak = &of->quota_peaks[quota];

        *ret = (struct quota_use){ .bytes = usage.bytes,
                                   .buffers = usage.n_buffers,
                                   .peak_bytes = peak->bytes,
                                   .peak_buffers = peak->n_buffers };
}

void state_claim_use(const struct state *state, size_t pool, size_t claim, struct quota_use *ret)
{
        const struct pool *of = &state->pools[pool];
        const struct usage *usage = &of->claim_usages[claim];
        const struct peak *peak = &of->claim_peaks[claim];

        *ret = (struct quota_use){ .bytes = usage->bytes,
                                   .buffers = usage->n_buffers,
                                   .peak_bytes = peak->bytes,
                                   .peak_buffers = peak->n_buffers };
}

uint32_t state_quota_users(const struct state *state, size_t pool, unsigned share)
{
        return crowd_users(&state->pools[pool].crowd, share);
}
