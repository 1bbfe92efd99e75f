/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; compares. What counts is what is charged, in whole frames, until the frames are
 * really gone: who keeps references to what he freed has it still.
 */
#include "quota.h"

#include "macros.h"
#include "refusal.h"
#include "state_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- quotas --------------------------------------------------------------------------------- */

/* What the client itself has in use; of memory that it shares with others of its uid nobody knows
 * who will give back. */
static struct usage own_usage(const struct client *client, const struct pool *pool)
{
        const struct account *account = client_account_of(client, pool);
        const struct holding *holding = client->holdings[pool->index];
        struct usage own = { 0 };

        if (account && !account->owner->is_uid)
                own.bytes = account->bytes.granted;
        if (holding)
                own.n_buffers = holding->n_buffers;
        return own;
}

/* Return: whether it goes beyond. */
static bool goes_beyond(uint64_t most, uint64_t used, uint64_t wanted)
{
        return most != QUOTA_NONE && (used > most || wanted > most - used) && wanted;
}

static bool check_one(const struct quota_settings *quota, const struct usage *usage,
                      const struct usage *own, uint64_t page_bytes, uint64_t frames,
                      struct quota_excess *ret)
{
        const struct quota_excess kinds[] = {
                { .kind = QUOTA_OF_BYTES,
                  .most = quota->bytes,
                  .used = usage->bytes,
                  .wanted = frames * page_bytes,
                  .own = own->bytes },
                { .kind = QUOTA_OF_FRAMES,
                  .most = quota->frames,
                  .used = usage->bytes / page_bytes,
                  .wanted = frames,
                  .own = own->bytes / page_bytes },
                { .kind = QUOTA_OF_BUFFERS,
                  .most = quota->buffers,
                  .used = usage->n_buffers,
                  .wanted = 1,
                  .own = own->n_buffers },
        };

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                if (goes_beyond(kinds[i].most, kinds[i].used, kinds[i].wanted)) {
                        *ret = kinds[i];
                        ret->quota = quota;
                        ret->usage = *usage;
                        return true;
                }
        }
        return false;
}

int quota_check(const struct client *client, const struct pool *pool, uint64_t frames,
                struct quota_excess *ret)
{
        const struct pool_settings *settings = pool->settings;
        const struct owner *owner = client_owner(client, pool);
        const struct standing *standing = &owner->standings[pool->index];
        const struct usage own = own_usage(client, pool);
        uint64_t quotas = standing->group_quotas;
        bool beyond = false;

        if (standing->user_quota != STANDING_NONE)
                beyond = check_one(&settings->quotas[standing->user_quota],
                                   &owner->user->of[pool->index], &own, settings->page_bytes,
                                   frames, ret);
        for (; quotas && !beyond; quotas &= quotas - 1) {
                unsigned i = (unsigned)__builtin_ctzll(quotas);

                beyond = check_one(&settings->quotas[i], &pool->group_usages[i], &own,
                                   settings->page_bytes, frames, ret);
        }
        if (!beyond)
                return 0;
        ret->pool = pool;
        return PAR_REFUSED_QUOTA;
}

uint64_t quota_frames_least(const struct client *client, const struct pool *pool,
                            const struct demand *demand)
{
        const struct account *account = client_account_of(client, pool);
        uint64_t page_bytes = pool->settings->page_bytes;
        uint64_t frames = (demand->want.size_bytes - 1) / page_bytes + 1;

        /* The frame that is kept for it may be one of them. */
        if (frames > 1 && account && account->reusable && !demand->share.wanted)
                frames--;
        return frames;
}

/* 2: waiting may help; 1: only what is the client's own stands against it; 0: never. */
static int prospects(const struct quota_excess *excess)
{
        return quota_may_help_to_wait(excess) ? 2 : excess->wanted <= excess->most;
}

bool quota_is_laxer(const struct quota_excess *excess, const struct quota_excess *than)
{
        return prospects(excess) > prospects(than);
}

uint64_t quota_bars(const struct state *state, const struct client *client,
                    const struct demand *demand, uint64_t pools, struct quota_excess *ret)
{
        uint64_t barred = 0;

        for (; pools; pools &= pools - 1) {
                const struct pool *pool = &state->pools[__builtin_ctzll(pools)];
                struct quota_excess excess;

                if (!quota_check(client, pool, quota_frames_least(client, pool, demand), &excess))
                        continue;
                if (!barred || quota_is_laxer(&excess, ret))
                        *ret = excess;
                barred |= UINT64_C(1) << pool->index;
        }
        return barred;
}

bool quota_counts(const struct quota_excess *excess, const struct client *client,
                  const struct account *account)
{
        const struct pool *pool = excess->pool;
        const size_t index = (size_t)(excess->quota - pool->settings->quotas);

        if (excess->quota->who.is_group && !excess->quota->each)
                return account->owner->standings[pool->index].group_quotas >> index & 1;
        return account->owner->user == client_owner(client, pool)->user;
}

bool quota_may_help_to_wait(const struct quota_excess *excess)
{
        return excess->wanted <= excess->most && excess->own <= excess->most - excess->wanted;
}

/* Whether so much less in use would be enough. */
static bool would_do_without(const struct quota_excess *excess, uint64_t bytes)
{
        uint64_t less = bytes;

        if (excess->kind == QUOTA_OF_BUFFERS)
                return false;
        if (excess->kind == QUOTA_OF_FRAMES)
                less /= excess->pool->settings->page_bytes;
        less = less < excess->used ? less : excess->used;
        return !goes_beyond(excess->most, excess->used - less, excess->wanted);
}

bool quota_is_leaving(const struct quota_excess *excess)
{
        return would_do_without(excess, excess->usage.leaving_bytes);
}

bool quota_is_coming(const struct quota_excess *excess)
{
        return would_do_without(excess, excess->usage.leaving_bytes + excess->usage.reusable_bytes);
}

static const char *amount_words(enum quota_kind kind, uint64_t amount, char *to)
{
        if (kind == QUOTA_OF_BYTES)
                return bytes_words(amount, to);
        snprintf(to, 32, "%" PRIu64 " %s%s", amount, kind == QUOTA_OF_FRAMES ? "frame" : "buffer",
                 amount == 1 ? "" : "s");
        return to;
}

void quota_words(const struct quota_excess *excess, char *to, size_t room)
{
        char most[32], used[32];

        snprintf(to, room, "quota \"%.64s\" of pool %.64s allows %s, of which %s %s in use",
                 excess->quota->name, excess->pool->settings->name,
                 amount_words(excess->kind, excess->most, most),
                 amount_words(excess->kind, excess->used, used), excess->used == 1 ? "is" : "are");
}

/* What the quota leaves, in bytes. */
static uint64_t left_bytes(const struct quota_excess *excess)
{
        uint64_t left = excess->most > excess->used ? excess->most - excess->used : 0, bytes;

        if (excess->kind == QUOTA_OF_BYTES)
                return left;
        if (excess->kind == QUOTA_OF_BUFFERS ||
            __builtin_mul_overflow(left, excess->pool->settings->page_bytes, &bytes))
                return left ? UINT64_MAX : 0;
        return bytes;
}

/* What will not come back by itself. */
static void append_what_holds_up(const struct usage *usage, struct refusal *ret)
{
        char bytes[32];

        if (usage->quarantined_bytes)
                refusal_append(ret,
                               "; %s of it in quarantine: parctl release or par_reclaim() would "
                               "end that",
                               bytes_words(usage->quarantined_bytes, bytes));
        if (usage->lingering_bytes)
                refusal_append(ret, "; %s lingering: parctl frames tells who refers to it",
                               bytes_words(usage->lingering_bytes, bytes));
}

int quota_explain(const struct client *client, const struct demand *demand,
                  const struct quota_excess *excess, struct refusal *ret)
{
        char what[DEMAND_WORDS_BYTES], quota[256], own[32], wanted[32], hint[160];
        const bool never = excess->wanted > excess->most;
        const struct state *state = client->state;
        uint64_t left = left_bytes(excess);
        int r;

        demand_words(demand, what, sizeof(what));
        quota_words(excess, quota, sizeof(quota));
        amount_words(excess->kind, excess->own, own);
        amount_words(excess->kind, excess->wanted, wanted);
        if (never)
                snprintf(hint, sizeof(hint), "; it takes %s and can never be had", wanted);
        else if (!quota_may_help_to_wait(excess))
                snprintf(hint, sizeof(hint),
                         "; it takes %s, and %s are this client's own: to wait would not help",
                         wanted, own);
        else
                snprintf(hint, sizeof(hint), "; it takes %s: to wait may help", wanted);
        r = refusal_set(ret, never ? PAR_REFUSED_NEVER_FITS : PAR_REFUSED_QUOTA, "%.303s: %.250s%s",
                        what, quota, hint);
        append_what_holds_up(&excess->usage, ret);
        ret->growing = !ret->permanent && quota_is_coming(excess);
        ret->limit = excess->kind == QUOTA_OF_BUFFERS ? LIMIT_NONE : LIMIT_SIZE;
        snprintf(ret->limit_set_by, sizeof(ret->limit_set_by), "quota \"%.40s\" of pool %.30s",
                 excess->quota->name, excess->pool->settings->name);
        refusal_figures(state, client, demand, UINT64_C(1) << excess->pool->index, ret);
        if (ret->free_in_window_bytes > left)
                ret->free_in_window_bytes = left;
        if (ret->largest_run_bytes > left)
                ret->largest_run_bytes = left;
        return r;
}

/* ---- claims --------------------------------------------------------------------------------- */

static unsigned claim_of(const struct client *client, const struct pool *pool)
{
        return client_owner(client, pool)->standings[pool->index].claim;
}

uint64_t claims_kept_bytes(const struct client *client, const struct pool *pool)
{
        unsigned own = claim_of(client, pool);

        if (own == STANDING_NONE)
                return pool->unmet_bytes;
        return pool->unmet_bytes - pool_unmet_bytes(pool, own);
}

uint64_t claims_left_bytes(const struct client *client, const struct pool *pool)
{
        uint64_t kept = claims_kept_bytes(client, pool);

        return pool->bytes.free > kept ? pool->bytes.free - kept : 0;
}

uint64_t claims_of_others_bytes(const struct client *client, const struct pool *pool)
{
        unsigned own = claim_of(client, pool);

        if (own == STANDING_NONE)
                return pool->claimed_bytes;
        return pool->claimed_bytes - pool->settings->claims[own].bytes;
}
