/* SPDX-License-Identifier: MIT */
/*
 * Owns the users. Invariant, which check.c walks: a user's usage of a pool is the sum over the
 * accounts of his owners, a group quota's that over the accounts whose owners are of the group, a
 * claim's that over the accounts that it is for. Sums are changed where a frame is charged and
 * discharged and where a buffer is listed and unlisted, and nowhere else.
 */
#include "usage.h"

#include "state_private.h"

#include <errno.h>
#include <stdlib.h>

static int compare(const struct user *a, const struct user *b)
{
        if (a->uid != b->uid)
                return a->uid < b->uid ? -1 : 1;
        return 0;
}

TREE_GENERATE(user_tree, user, by_uid, compare)

/* ---- users ---------------------------------------------------------------------------------- */

struct user *state_user_from(const struct state *state, uint32_t uid)
{
        struct user_tree tree = state->users;
        struct user key = { .uid = uid };

        return RB_NFIND(user_tree, &tree, &key);
}

struct user *state_user(const struct state *state, uint32_t uid)
{
        struct user *user = state_user_from(state, uid);

        return user && user->uid == uid ? user : NULL;
}

int user_join(struct state *state, uint32_t uid, struct owner *owner)
{
        struct user *user = state_user(state, uid);

        if (!user) {
                user = calloc(1, sizeof(*user) + state->settings->n_pools * sizeof(user->of[0]));
                if (!user)
                        return -ENOMEM;
                user->uid = uid;
                LIST_INIT(&user->owners);
                RB_INSERT(user_tree, &state->users, user);
        }
        LIST_INSERT_HEAD(&user->owners, owner, of_user);
        owner->user = user;
        return 0;
}

void user_leave(struct state *state, struct owner *owner)
{
        struct user *user = owner->user;

        LIST_REMOVE(owner, of_user);
        if (!LIST_EMPTY(&user->owners))
                return;
        RB_REMOVE(user_tree, &state->users, user);
        free(user);
}

/* ---- who stands where ----------------------------------------------------------------------- */

bool identity_in_group(const struct identity *identity, uint32_t gid)
{
        if (identity->gid == gid)
                return true;
        for (size_t i = 0; i < identity->n_groups; i++)
                if (identity->groups[i] == gid)
                        return true;
        return false;
}

bool principal_is(const struct principal *who, const struct identity *identity)
{
        return who->is_group ? identity_in_group(identity, who->id) : identity->uid == who->id;
}

static void find_quotas(const struct pool_settings *pool, const struct identity *identity,
                        struct standing *standing)
{
        for (size_t i = 0; i < pool->n_quotas; i++) {
                const struct quota_settings *quota = &pool->quotas[i];

                if (quota->each) {
                        if (standing->user_quota == STANDING_NONE)
                                standing->user_quota = (uint8_t)i;
                } else if (principal_is(&quota->who, identity)) {
                        if (quota->who.is_group)
                                standing->group_quotas |= UINT64_C(1) << i;
                        else
                                standing->user_quota = (uint8_t)i;
                }
        }
}

static void find_claim(const struct pool_settings *pool, const struct identity *identity,
                       struct standing *standing)
{
        for (size_t i = 0; i < pool->n_claims; i++) {
                const struct claim_settings *claim = &pool->claims[i];

                if (!principal_is(&claim->who, identity))
                        continue;
                if (!claim->who.is_group) {
                        standing->claim = (uint8_t)i;
                        return;
                }
                if (standing->claim == STANDING_NONE)
                        standing->claim = (uint8_t)i;
        }
}

static struct standing find_standing(const struct pool_settings *pool,
                                     const struct identity *identity)
{
        struct standing standing = { .user_quota = STANDING_NONE, .claim = STANDING_NONE };

        find_quotas(pool, identity, &standing);
        find_claim(pool, identity, &standing);
        return standing;
}

/* ---- the sums ------------------------------------------------------------------------------- */

/* Unsigned sums: what is taken away is added as its complement. */
static void add(struct usage *usage, const struct usage *by)
{
        usage->bytes += by->bytes;
        usage->reusable_bytes += by->reusable_bytes;
        usage->leaving_bytes += by->leaving_bytes;
        usage->quarantined_bytes += by->quarantined_bytes;
        usage->lingering_bytes += by->lingering_bytes;
        usage->n_buffers += by->n_buffers;
}

static struct usage negative(struct usage usage)
{
        return (struct usage){ -usage.bytes,           -usage.reusable_bytes,
                               -usage.leaving_bytes,   -usage.quarantined_bytes,
                               -usage.lingering_bytes, -usage.n_buffers };
}

static void note_peak(struct peak *peak, const struct usage *usage)
{
        if (usage->bytes > peak->bytes)
                peak->bytes = usage->bytes;
        if (usage->n_buffers > peak->n_buffers)
                peak->n_buffers = usage->n_buffers;
}

/* What of the claim is not used changes with it. */
static void add_to_claim(struct pool *pool, unsigned claim, const struct usage *by)
{
        pool->unmet_bytes -= pool_unmet_bytes(pool, claim);
        add(&pool->claim_usages[claim], by);
        pool->unmet_bytes += pool_unmet_bytes(pool, claim);
        note_peak(&pool->claim_peaks[claim], &pool->claim_usages[claim]);
}

static void add_to_groups(const struct account *account, const struct usage *by)
{
        const struct standing *standing = &account->owner->standings[account->pool->index];
        struct pool *pool = account->pool;
        uint64_t quotas = standing->group_quotas;

        for (; quotas; quotas &= quotas - 1) {
                unsigned quota = (unsigned)__builtin_ctzll(quotas);

                add(&pool->group_usages[quota], by);
                note_peak(&pool->quota_peaks[quota], &pool->group_usages[quota]);
        }
        if (standing->claim != STANDING_NONE)
                add_to_claim(pool, standing->claim, by);
}

/* What all owners of a user have of a pool has changed from @before to @usage. */
static void user_changed(struct pool *pool, const struct standing *standing,
                         const struct usage *before, const struct usage *usage)
{
        if (standing->user_quota == STANDING_NONE)
                return;
        note_peak(&pool->quota_peaks[standing->user_quota], usage);
        if (pool->settings->quotas[standing->user_quota].each)
                crowd_move(&pool->crowd, crowd_place(&pool->crowd, before),
                           crowd_place(&pool->crowd, usage));
}

static void change(const struct account *account, const struct usage *by)
{
        const struct owner *owner = account->owner;
        const uint32_t index = account->pool->index;
        struct usage *usage = &owner->user->of[index];
        const struct usage before = *usage;

        add(usage, by);
        user_changed(account->pool, &owner->standings[index], &before, usage);
        add_to_groups(account, by);
}

static struct usage of_frame(const struct account *account, enum frame_state state)
{
        const uint64_t bytes = account->pool->settings->page_bytes;

        return (struct usage){ .bytes = bytes,
                               .reusable_bytes = state == FRAME_REUSABLE ? bytes : 0,
                               .leaving_bytes = state == FRAME_LEAVING ? bytes : 0,
                               .quarantined_bytes = state == FRAME_QUARANTINED ? bytes : 0,
                               .lingering_bytes = state == FRAME_LINGERING ? bytes : 0 };
}

void usage_add_frame(const struct account *account, enum frame_state state)
{
        const struct usage by = of_frame(account, state);

        change(account, &by);
}

void usage_remove_frame(const struct account *account, enum frame_state state)
{
        const struct usage by = negative(of_frame(account, state));

        change(account, &by);
}

static bool is_told_apart(enum frame_state state)
{
        return state == FRAME_REUSABLE || state == FRAME_LEAVING || state == FRAME_QUARANTINED ||
               state == FRAME_LINGERING;
}

void usage_move_frame(const struct account *account, enum frame_state from, enum frame_state to)
{
        if (from == to || (!is_told_apart(from) && !is_told_apart(to)))
                return;
        usage_remove_frame(account, from);
        usage_add_frame(account, to);
}

void usage_add_buffer(const struct account *account)
{
        const struct usage one = { .n_buffers = 1 };

        change(account, &one);
}

void usage_remove_buffer(const struct account *account)
{
        const struct usage less = negative((struct usage){ .n_buffers = 1 });

        change(account, &less);
}

struct usage account_usage(const struct account *account)
{
        const struct state_bytes *bytes = &account->bytes;

        return (struct usage){ bytes->held,        bytes->reusable,  bytes->leaving,
                               bytes->quarantined, bytes->lingering, account->n_buffers };
}

/* ---- changes of who is what ----------------------------------------------------------------- */

static void join_group(struct identity *identity, uint32_t gid)
{
        if (gid != IDENTITY_NO_GROUP && !identity_in_group(identity, gid) &&
            identity->n_groups < CLIENT_GROUPS_MAX)
                identity->groups[identity->n_groups++] = gid;
}

/* A group that one of the sessions has does not end for what they share when another lacks it. */
static void join(struct identity *all, const struct identity *identity)
{
        join_group(all, identity->gid);
        for (size_t i = 0; i < identity->n_groups; i++)
                join_group(all, identity->groups[i]);
}

void owner_identify(struct state *state, struct owner *owner, const struct identity *identity)
{
        if (owner->is_uid)
                join(&owner->identity, identity);
        else
                owner->identity = *identity;
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct account *account = owner->accounts[i];
                struct usage all = { 0 }, none;

                if (account) {
                        all = account_usage(account);
                        none = negative(all);
                        add_to_groups(account, &none);
                        state->limits_bent |= all.bytes != 0;
                }
                owner->standings[i] = find_standing(state->pools[i].settings, &owner->identity);
                if (account)
                        add_to_groups(account, &all);
        }
}

static void rebuild_owner(struct state *state, struct owner *owner)
{
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct account *account = owner->accounts[i];

                owner->standings[i] = find_standing(state->pools[i].settings, &owner->identity);
                if (account) {
                        const struct usage all = account_usage(account);

                        add_to_groups(account, &all);
                }
        }
}

/* All owners of a user have the same quota of his. */
static void rebuild_user(struct state *state, const struct user *user)
{
        static const struct usage nothing = { 0 };

        for (size_t i = 0; i < state->settings->n_pools; i++)
                user_changed(&state->pools[i], &LIST_FIRST(&user->owners)->standings[i], &nothing,
                             &user->of[i]);
}

void usages_rebuild(struct state *state)
{
        struct owner *owner;
        struct user *user;

        for (size_t i = 0; i < state->settings->n_pools; i++)
                pool_forget_usages(&state->pools[i]);
        for (owner = state_owner_after(state, 0); owner;
             owner = state_owner_after(state, owner->id))
                rebuild_owner(state, owner);
        RB_FOREACH (user, user_tree, &state->users)
                rebuild_user(state, user);
}
