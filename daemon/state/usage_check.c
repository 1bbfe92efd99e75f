/* SPDX-License-Identifier: MIT */
/*
 * Counts again what users and groups have, from the accounts, and compares that with the sums and
 * with the quotas.
 */
#undef NDEBUG /* to check is all that this file does */

#include "state_private.h"

static bool is_same(const struct usage *a, const struct usage *b)
{
        return a->bytes == b->bytes && a->reusable_bytes == b->reusable_bytes &&
               a->leaving_bytes == b->leaving_bytes &&
               a->quarantined_bytes == b->quarantined_bytes &&
               a->lingering_bytes == b->lingering_bytes && a->n_buffers == b->n_buffers;
}

static void count(struct usage *usage, const struct account *account)
{
        const struct usage of = account_usage(account);

        usage->bytes += of.bytes;
        usage->reusable_bytes += of.reusable_bytes;
        usage->leaving_bytes += of.leaving_bytes;
        usage->quarantined_bytes += of.quarantined_bytes;
        usage->lingering_bytes += of.lingering_bytes;
        usage->n_buffers += of.n_buffers;
}

static bool is_within(const struct pool_settings *pool, size_t quota, const struct usage *usage)
{
        const struct quota_settings *settings = &pool->quotas[quota];

        return usage->bytes <= settings->bytes && usage->n_buffers <= settings->buffers &&
               usage->bytes / pool->page_bytes <= settings->frames;
}

static void check_standing(const struct pool_settings *pool, const struct standing *standing)
{
        assert(standing->user_quota == STANDING_NONE ||
               (standing->user_quota < pool->n_quotas &&
                !pool->quotas[standing->user_quota].who.is_group));
        assert(standing->claim == STANDING_NONE || standing->claim < pool->n_claims);
        for (uint64_t quotas = standing->group_quotas; quotas; quotas &= quotas - 1) {
                assert((size_t)__builtin_ctzll(quotas) < pool->n_quotas);
                assert(pool->quotas[__builtin_ctzll(quotas)].who.is_group);
        }
}

/* One pool, over all owners. */
static void check_pool(const struct state *state, size_t index)
{
        const struct pool *pool = &state->pools[index];
        struct usage groups[QUOTAS_MAX] = { 0 }, claims[CLAIMS_MAX] = { 0 };
        const struct owner *owner;
        uint64_t unmet_bytes = 0;

        for (owner = state_owner_after(state, 0); owner;
             owner = state_owner_after(state, owner->id)) {
                const struct standing *standing = &owner->standings[index];
                const struct account *account = owner->accounts[index];

                check_standing(pool->settings, standing);
                if (standing->user_quota != STANDING_NONE)
                        assert(state->limits_bent || is_within(pool->settings, standing->user_quota,
                                                               &owner->user->of[index]));
                if (!account)
                        continue;
                for (uint64_t quotas = standing->group_quotas; quotas; quotas &= quotas - 1)
                        count(&groups[__builtin_ctzll(quotas)], account);
                if (standing->claim != STANDING_NONE)
                        count(&claims[standing->claim], account);
        }
        for (size_t i = 0; i < pool->settings->n_quotas; i++) {
                assert(is_same(&groups[i], &pool->group_usages[i]));
                assert(state->limits_bent || is_within(pool->settings, i, &groups[i]));
        }
        for (unsigned i = 0; i < pool->settings->n_claims; i++) {
                assert(is_same(&claims[i], &pool->claim_usages[i]));
                unmet_bytes += pool_unmet_bytes(pool, i);
        }
        assert(unmet_bytes == pool->unmet_bytes && unmet_bytes <= pool->claimed_bytes);
}

static void check_user(const struct state *state, const struct user *user)
{
        struct usage of[POOLS_MAX] = { 0 };
        const struct owner *owner;
        uint32_t n_clients = 0;

        assert(!LIST_EMPTY(&user->owners));
        LIST_FOREACH (owner, &user->owners, of_user) {
                assert(owner->uid == user->uid && owner->user == user);
                n_clients += owner->client != NULL;
                for (size_t i = 0; i < state->settings->n_pools; i++)
                        if (owner->accounts[i])
                                count(&of[i], owner->accounts[i]);
        }
        assert(n_clients == user->n_clients);
        for (size_t i = 0; i < state->settings->n_pools; i++)
                assert(is_same(&of[i], &user->of[i]));
}

/* Counts the user where he is in the crowds. */
static void count_user(const struct state *state, const struct user *user,
                       uint32_t users[POOLS_MAX][QUOTA_SHARES])
{
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool *pool = &state->pools[i];
                const uint8_t quota = LIST_FIRST(&user->owners)->standings[i].user_quota;
                unsigned place;

                if (quota == STANDING_NONE)
                        continue;
                assert(pool->quota_peaks[quota].bytes >= user->of[i].bytes);
                assert(pool->quota_peaks[quota].n_buffers >= user->of[i].n_buffers);
                if (!pool->settings->quotas[quota].each)
                        continue;
                place = crowd_place(&pool->crowd, &user->of[i]);
                if (place)
                        users[i][place - 1]++;
        }
}

void usages_check(const struct state *state)
{
        uint32_t users[POOLS_MAX][QUOTA_SHARES] = { 0 };
        uint64_t uid = 0;

        for (size_t i = 0; i < state->settings->n_pools; i++)
                check_pool(state, i);
        while (uid <= UINT32_MAX) {
                const struct user *user = state_user_from(state, (uint32_t)uid);

                if (!user)
                        break;
                check_user(state, user);
                count_user(state, user, users);
                uid = (uint64_t)user->uid + 1;
        }
        for (size_t i = 0; i < state->settings->n_pools; i++)
                for (unsigned j = 0; j < QUOTA_SHARES; j++)
                        assert(users[i][j] == state->pools[i].crowd.users[j]);
}
