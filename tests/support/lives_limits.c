/* SPDX-License-Identifier: MIT */
#include "lives_limits.h"

#include "macros.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

/* Quotas: of the first uid, of each other one, of the group. Claims: of the first uid, and of the
 * group, on which the other draws. */
static struct quota_settings quotas[4][3];
static struct claim_settings claims[4][2];

static char *name_of(const char *name)
{
        return (char *)(uintptr_t)name;
}

static uint64_t some(uint64_t (*rnd)(uint64_t), uint64_t most)
{
        return rnd(2) ? QUOTA_NONE : rnd(most);
}

static void change_pool(struct pool_settings *pool, struct quota_settings *quota,
                        struct claim_settings *claim, uint64_t (*rnd)(uint64_t))
{
        uint64_t frames = pool->size_min_bytes / PAGE;

        quota[0] = (struct quota_settings){ .name = name_of("uid:1000"), .who = { false, 1000 } };
        quota[1] = (struct quota_settings){ .name = name_of("user:*"), .each = true };
        quota[2] =
                (struct quota_settings){ .name = name_of("gid:500"), .who = { true, LIVES_GROUP } };
        for (size_t i = 0; i < 3; i++) {
                quota[i].bytes = some(rnd, 40 * PAGE);
                quota[i].frames = some(rnd, 40);
                quota[i].buffers = some(rnd, 60);
        }
        claim[0] = (struct claim_settings){ .name = name_of("uid:1000"), .who = { false, 1000 } };
        claim[1] =
                (struct claim_settings){ .name = name_of("gid:500"), .who = { true, LIVES_GROUP } };
        claim[0].bytes = rnd(frames / 2 + 1) * PAGE;
        claim[1].bytes = rnd(frames / 2 + 1) * PAGE;
        pool->quotas = quota;
        pool->claims = claim;
        pool->n_quotas = rnd(2) ? 3 : 0;
        pool->n_claims = rnd(2) ? 2 : 0;
}

void lives_limits_change(struct world *world, uint64_t (*rnd)(uint64_t below))
{
        for (size_t i = 0; i < world->settings.n_pools; i++)
                change_pool(&world->pools[i], quotas[i], claims[i], rnd);
}

void lives_limits_remove(struct world *world)
{
        for (size_t i = 0; i < world->settings.n_pools; i++)
                world->pools[i].n_quotas = world->pools[i].n_claims = 0;
}

/* Two of three sessions are of the group: those of the second uid have others, too; for those of
 * the first one it is the primary group, and they have no others. */
static bool is_member(unsigned number)
{
        return number / 2 % 3 != 0;
}

/* Whose it is in reports is told by the process, whose number is the client's. */
static struct identity identity_of(unsigned number)
{
        const uint32_t uid = LIVES_UID + number % 2;
        struct identity identity = { .uid = uid, .gid = uid, .pid = number };

        if (is_member(number) && uid == LIVES_UID) {
                identity.gid = LIVES_GROUP;
        } else if (is_member(number)) {
                identity.groups[identity.n_groups++] = uid;
                identity.groups[identity.n_groups++] = LIVES_GROUP;
        }
        return identity;
}

struct client *lives_limits_client(struct world *world, unsigned number)
{
        const struct identity identity = identity_of(number);
        struct client *client;

        assert_int_equal(client_new(world->state, &identity, "c", ++world->last_token, world,
                                    world->now_ns, &client),
                         0);
        return client;
}

struct client *lives_limits_resume(struct world *world, unsigned number, uint64_t token)
{
        const struct identity identity = identity_of(number);
        struct client *client = NULL;
        int r;

        r = client_resume(world->state, &identity, token, world, world->now_ns, &client);
        assert_true(r == 0 || r == PAR_REFUSED_GONE);
        return client;
}

static size_t pool_named(const struct world *world, const char *name)
{
        size_t i = 0;

        while (strcmp(world->pools[i].name, name) != 0)
                i++;
        return i;
}

/* Whether any session that a uid has is of the group. */
static bool is_member_uid(const struct lives_sessions *sessions, uint32_t uid)
{
        for (size_t i = 0; i < sessions->count; i++)
                if (LIVES_UID + sessions->numbers[i] % 2 == uid && is_member(sessions->numbers[i]))
                        return true;
        return false;
}

static void count_frame(const struct lives_sessions *sessions, const struct holder_report *holder,
                        size_t pool, struct lives_count *ret)
{
        const bool second = holder->uid == LIVES_UID + 1;

        if (!holder->known || (holder->uid != LIVES_UID && !second))
                return;
        ret->of[pool][second]++;
        if (holder->pid) {
                ret->of_group[pool] += is_member(holder->pid);
                ret->of_group_claim[pool] += second && is_member(holder->pid);
        } else {
                /* Of sessions that ended it may have more groups. */
                ret->of_group[pool] += is_member_uid(sessions, holder->uid);
                ret->of_group_claim[pool] += second;
        }
}

void lives_limits_count(struct world *world, const struct client *root,
                        const struct lives_sessions *sessions, struct lives_count *ret)
{
        struct frame_report frame;
        unsigned steps = UINT_MAX;
        uint64_t cursor = 0;

        *ret = (struct lives_count){ 0 };
        while (state_next_frame(world->state, root, RANGE_ALL, NULL, &cursor, &steps, &frame)) {
                size_t pool = pool_named(world, frame.pool);

                if (strcmp(frame.state, "free") == 0)
                        ret->free[pool]++;
                else
                        count_frame(sessions, &frame.holder, pool, ret);
        }
}

static void check_quota(const struct quota_settings *quota, uint64_t frames)
{
        assert_true(frames <= quota->frames);
        assert_true(quota->bytes == QUOTA_NONE || frames * PAGE <= quota->bytes);
}

static uint64_t unmet(const struct claim_settings *claim, uint64_t frames)
{
        return claim->bytes > frames * PAGE ? claim->bytes - frames * PAGE : 0;
}

/* What others claimed and do not use is there. */
static void check_claims(const struct pool_settings *pool, size_t i, bool second, bool member,
                         const struct lives_count *after)
{
        uint64_t kept = 0;

        if (second)
                kept += unmet(&pool->claims[0], after->of[i][0]);
        if (!second || !member)
                kept += unmet(&pool->claims[1], after->of_group_claim[i]);
        assert_true(after->free[i] * PAGE >= kept);
}

void lives_limits_check(struct world *world, unsigned number, const struct lives_sessions *sessions,
                        const struct lives_count *before, const struct lives_count *after)
{
        const bool second = number % 2;

        for (size_t i = 0; i < world->settings.n_pools; i++) {
                const struct pool_settings *pool = &world->pools[i];
                const bool member = pool->isolation == ISOLATE_UID
                                            ? is_member_uid(sessions, LIVES_UID + second)
                                            : is_member(number);

                if (after->of[i][second] <= before->of[i][second])
                        continue;
                if (pool->n_quotas) {
                        check_quota(&pool->quotas[second], after->of[i][second]);
                        if (member)
                                check_quota(&pool->quotas[2], after->of_group[i]);
                }
                if (pool->n_claims)
                        check_claims(pool, i, second, member, after);
        }
}
