/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. The rows stand in a fixed order: pard as a whole, quotas and claims of the pools,
 * users by their uids. A cursor is the place of the row that comes next, so a list goes on where it
 * was, whatever has changed meanwhile.
 */
#include "limit_list.h"

#include "quota.h"
#include "state_private.h"

#include <stdio.h>

enum part { PART_WHOLE, PART_QUOTAS, PART_CLAIMS, PART_USERS, PARTS };

/* Rows of a user that are of no pool. */
enum { USER_SESSIONS, USER_WAITING, USER_ROWS };

/* Rows of a quota: by enum quota_kind. */
#define QUOTA_ROWS 3

/**
 * struct place - a row's
 * @part: enum part
 * @at:   pool and entry, or uid
 * @row:  of that
 */
struct place {
        unsigned part;
        uint64_t at;
        unsigned row;
};

/* 4 bits of part, 44 of at, 16 of row. */
static struct place place_of(uint64_t cursor)
{
        return (struct place){ (unsigned)(cursor >> 60), cursor >> 16 & 0xfffffffffff,
                               (unsigned)(cursor & 0xffff) };
}

static uint64_t cursor_of(const struct place *place)
{
        return (uint64_t)place->part << 60 | place->at << 16 | place->row;
}

static bool may_see(const struct client *asker, const struct principal *who)
{
        return !asker || asker->is_admin || principal_is(who, &asker->identity);
}

/* Of a quota. Return: whether there is such a limit. */
static bool fill_quota(const struct pool *pool, const struct quota_settings *quota,
                       const struct usage *usage, unsigned kind, struct limit_report *ret)
{
        static const char *const names[QUOTA_ROWS] = { [QUOTA_OF_BYTES] = "bytes",
                                                       [QUOTA_OF_FRAMES] = "frames",
                                                       [QUOTA_OF_BUFFERS] = "buffers" };
        const uint64_t most[QUOTA_ROWS] = { quota->bytes, quota->frames, quota->buffers };
        const uint64_t used[QUOTA_ROWS] = { usage->bytes, usage->bytes / pool->settings->page_bytes,
                                            usage->n_buffers };

        if (most[kind] == QUOTA_NONE)
                return false;
        *ret = (struct limit_report){ .pool = pool->settings->name,
                                      .limit = names[kind],
                                      .set_by = "quota",
                                      .used = used[kind],
                                      .most = most[kind] };
        snprintf(ret->whom, sizeof(ret->whom), "%s", quota->name);
        return true;
}

/* ---- the parts: each fills in the row at a place, or finds that there is none --------------- */

enum found {
        FOUND_ROW,
        FOUND_NONE,    /* but perhaps in the next row */
        FOUND_NO_MORE, /* nor in those behind it, of the same at */
        FOUND_END,     /* of this part */
};

static enum found find_whole(const struct state *state, const struct client *asker,
                             struct place *place, struct limit_report *ret)
{
        (void)asker;
        if (place->row || place->at)
                return FOUND_END;
        *ret = (struct limit_report){ .limit = "sessions",
                                      .set_by = "max_clients",
                                      .whom = "everybody",
                                      .used = state->n_clients,
                                      .most = state->settings->max_clients };
        return FOUND_ROW;
}

static enum found find_quota(const struct state *state, const struct client *asker,
                             struct place *place, struct limit_report *ret)
{
        size_t index = place->at;
        const struct pool *pool = &state->pools[index];
        const unsigned i = place->row / QUOTA_ROWS;
        const struct quota_settings *quota;
        struct usage usage;

        if (index >= state->settings->n_pools)
                return FOUND_END;
        if (i >= pool->settings->n_quotas)
                return FOUND_NO_MORE;
        quota = &pool->settings->quotas[i];
        if (quota->each || !may_see(asker, &quota->who))
                return FOUND_NONE;
        usage = state_quota_usage(state, pool, i);
        return fill_quota(pool, quota, &usage, place->row % QUOTA_ROWS, ret) ? FOUND_ROW
                                                                             : FOUND_NONE;
}

static enum found find_claim(const struct state *state, const struct client *asker,
                             struct place *place, struct limit_report *ret)
{
        const struct pool *pool = &state->pools[place->at];
        const struct claim_settings *claim;

        if (place->at >= state->settings->n_pools)
                return FOUND_END;
        if (place->row >= pool->settings->n_claims)
                return FOUND_NO_MORE;
        claim = &pool->settings->claims[place->row];
        if (!may_see(asker, &claim->who))
                return FOUND_NONE;
        *ret = (struct limit_report){ .pool = pool->settings->name,
                                      .limit = "claim",
                                      .set_by = "claim",
                                      .used = pool->claim_usages[place->row].bytes,
                                      .most = claim->bytes };
        snprintf(ret->whom, sizeof(ret->whom), "%s", claim->name);
        return FOUND_ROW;
}

/* What every user may have, each for himself. */
static enum found find_each(const struct state *state, const struct user *user, unsigned row,
                            struct limit_report *ret)
{
        const size_t index = row / QUOTA_ROWS;
        const struct pool *pool = &state->pools[index];
        unsigned quota;

        if (index >= state->settings->n_pools)
                return FOUND_NO_MORE;
        quota = LIST_FIRST(&user->owners)->standings[index].user_quota;
        if (quota == STANDING_NONE || !pool->settings->quotas[quota].each ||
            !fill_quota(pool, &pool->settings->quotas[quota], &user->of[index], row % QUOTA_ROWS,
                        ret))
                return FOUND_NONE;
        return FOUND_ROW;
}

static enum found find_of_user(const struct state *state, const struct user *user, unsigned row,
                               struct limit_report *ret)
{
        const struct state_settings *settings = state->settings;

        if (row >= USER_ROWS)
                return find_each(state, user, row - USER_ROWS, ret);
        if (identity_is_admin(state, &LIST_FIRST(&user->owners)->identity))
                return FOUND_NONE;
        if (row == USER_SESSIONS)
                *ret = (struct limit_report){ .limit = "sessions",
                                              .set_by = "max_clients_per_user",
                                              .used = user->n_clients,
                                              .most = settings->max_clients_per_user };
        else
                *ret = (struct limit_report){ .limit = "waiting",
                                              .set_by = "max_waiting",
                                              .used = waiting_uid_count(state, user->uid),
                                              .most = waiting_uid_most(state) };
        return FOUND_ROW;
}

static enum found find_user(const struct state *state, const struct client *asker,
                            struct place *place, struct limit_report *ret)
{
        const struct user *user = NULL;
        enum found found;

        if (place->at <= UINT32_MAX)
                user = state_user_from(state, (uint32_t)place->at);
        if (!user)
                return FOUND_END;
        if (user->uid != place->at) {
                place->at = user->uid;
                place->row = 0;
        }
        if (asker && !asker->is_admin && asker->identity.uid != user->uid)
                return FOUND_NO_MORE;
        found = find_of_user(state, user, place->row, ret);
        if (found == FOUND_ROW)
                snprintf(ret->whom, sizeof(ret->whom), "uid %u", user->uid);
        return found;
}

bool state_next_limit(const struct state *state, const struct client *asker, uint64_t *cursor,
                      struct limit_report *ret)
{
        static enum found (*const finds[PARTS])(const struct state *, const struct client *,
                                                struct place *, struct limit_report *) = {
                [PART_WHOLE] = find_whole,
                [PART_QUOTAS] = find_quota,
                [PART_CLAIMS] = find_claim,
                [PART_USERS] = find_user,
        };
        struct place place = place_of(*cursor);

        while (place.part < PARTS) {
                enum found found = finds[place.part](state, asker, &place, ret);

                if (found == FOUND_ROW || found == FOUND_NONE)
                        place.row++;
                else if (found == FOUND_NO_MORE)
                        place = (struct place){ place.part, place.at + 1, 0 };
                else
                        place = (struct place){ place.part + 1, 0, 0 };
                if (found == FOUND_ROW) {
                        *cursor = cursor_of(&place);
                        return true;
                }
        }
        return false;
}
