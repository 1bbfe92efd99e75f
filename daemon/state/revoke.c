/* SPDX-License-Identifier: MIT */
/*
 * Cutting clients off from their buffers, and ending quarantines early: which buffers are meant,
 * and who may say so. What happens to them then is in holding.c.
 *
 * Selecting costs time for each client or each holding that ended, not for each buffer.
 */
#include "holder.h"
#include "macros.h"
#include "refusal.h"
#include "share.h"
#include "state_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

/**
 * struct target - a selection, checked
 * @pool: NULL: any
 * @name: "": any
 */
struct target {
        uint64_t buffer, client;
        const struct pool *pool;
        char name[LABEL_BYTES_MAX + 1];
};

/* What was done, for the answer and the log. */
struct tally {
        uint64_t buffers, bytes;
};

static int target_init(const struct state *state, const struct selection *which, struct target *ret,
                       struct refusal *refusal)
{
        const char *pool = which->pool && *which->pool ? which->pool : NULL;

        *ret = (struct target){ .buffer = which->buffer, .client = which->client };
        name_copy(ret->name, sizeof(ret->name), which->name);
        if (pool) {
                ret->pool = state_pool_named(state, pool);
                if (!ret->pool)
                        return refusal_set(refusal, PAR_REFUSED_INVALID, "there is no pool %.64s",
                                           pool);
        }
        if (!ret->buffer && !ret->client && !ret->pool && !ret->name[0])
                return refusal_set(refusal, PAR_REFUSED_INVALID,
                                   "say which: a buffer, a client or a pool");
        return 0;
}

/* But for the buffer's number. */
static bool matches(const struct target *target, const struct holding *holding)
{
        if (target->pool && holding->account->pool != target->pool)
                return false;
        if (target->client && target->client != holding->client_id &&
            target->client != holding->account->owner->id)
                return false;
        return !target->name[0] || !strcmp(target->name, holding->name);
}

static void say(const struct state *state, const struct client *asker, const struct target *target,
                const char *what, const struct tally *done)
{
        const struct log_fields about = {
                .pool = target->pool ? target->pool->settings->name : NULL,
                .client = target->name[0] ? target->name : NULL,
                .buffer = target->buffer,
        };
        char bytes[32];

        state_log(state, LOG_NOTICE, &about, "%s (uid %u, pid %u) %s: %s in %" PRIu64 " buffer%s",
                  asker->session_owner->name, asker->identity.uid, asker->identity.pid, what,
                  bytes_words(done->bytes, bytes), done->buffers, done->buffers == 1 ? "" : "s");
}

/* ---- revoke --------------------------------------------------------------------------------- */

/* One buffer out of those of a client, with a holding of its own; one that is shared from all who
 * have it. Return: 0; -ENOMEM. */
static int revoke_buffer(struct state *state, struct buffer *buffer, uint64_t now_ns,
                         struct tally *done)
{
        struct holding *holding = buffer->holding, *part = holding;
        unsigned steps = TICK_STEPS_MAX;
        int r;

        done->buffers = 1;
        done->bytes = buffer->size_bytes;
        if (buffer->share) {
                share_revoke(buffer->share, now_ns, &steps);
                return 0;
        }
        if (holding->n_buffers > 1) {
                r = holding_new(holding->client, holding->account, &part);
                if (r)
                        return r;
                holding_remove(holding, buffer);
                holding_add(part, buffer);
        }
        holding_revoke(state, part, now_ns, &steps);
        return 0;
}

/* All of a pool, with what nobody has. */
static void revoke_shares(struct state *state, const struct pool *pool, uint64_t now_ns,
                          struct tally *done, unsigned *steps)
{
        struct share *share, *next;

        LIST_FOREACH_SAFE (share, &state->shares, link, next) {
                if (share->holding->account->pool != pool)
                        continue;
                done->buffers++;
                done->bytes += share->buffer->size_bytes;
                share_revoke(share, now_ns, steps);
        }
}

/* Shared buffers are cut off from those who are meant; where a pool is meant, from everybody. */
static void revoke_shared(struct state *state, const struct target *target, uint64_t now_ns,
                          struct tally *done, unsigned *steps)
{
        struct client *client;

        if (!target->client && !target->name[0]) {
                revoke_shares(state, target->pool, now_ns, done, steps);
                return;
        }
        LIST_FOREACH (client, &state->clients, link)
                if ((!target->client || target->client == client_id(client)) &&
                    (!target->name[0] || !strcmp(target->name, client_name(client))))
                        holders_revoke(client, target->pool, now_ns, steps, &done->buffers,
                                       &done->bytes);
}

static void revoke_all(struct state *state, const struct target *target, uint64_t now_ns,
                       struct tally *done)
{
        unsigned steps = TICK_STEPS_MAX;
        struct client *client;

        LIST_FOREACH (client, &state->clients, link) {
                for (size_t i = 0; client->n_buffers && i < state->settings->n_pools; i++) {
                        struct holding *holding = client->holdings[i];

                        if (!holding || !holding->n_buffers || !matches(target, holding))
                                continue;
                        done->buffers += holding->n_buffers;
                        done->bytes += holding->bytes;
                        holding_revoke(state, holding, now_ns, &steps);
                }
        }
        revoke_shared(state, target, now_ns, done, &steps);
}

int state_revoke(struct state *state, struct client *asker, const struct selection *which,
                 uint64_t now_ns, uint64_t *ret_bytes, struct refusal *refusal)
{
        struct tally done = { 0 };
        struct buffer *buffer;
        struct target target;
        int r;

        if (!asker->is_admin)
                return refusal_set(refusal, PAR_REFUSED_DENIED,
                                   "only an administrator may revoke, and uid %u is none",
                                   asker->identity.uid);
        r = target_init(state, which, &target, refusal);
        if (r)
                return r;
        if (target.buffer) {
                buffer = state_buffer(state, target.buffer);
                if (buffer && (buffer->holding->client || buffer->share) &&
                    matches(&target, buffer->holding))
                        r = revoke_buffer(state, buffer, now_ns, &done);
                if (r)
                        return r;
        } else {
                revoke_all(state, &target, now_ns, &done);
        }
        if (!done.buffers)
                return refusal_set(refusal, PAR_REFUSED_GONE,
                                   "no connected client has such a buffer");
        say(state, asker, &target, "revoked", &done);
        *ret_bytes = done.bytes;
        state_changed(state, now_ns);
        return 0;
}

/* ---- the end of a quarantine ---------------------------------------------------------------- */

/* Whether this one may say that the devices of that one are quiet. */
static bool may_release(const struct client *asker, uint32_t uid)
{
        return asker->is_admin || uid == asker->identity.uid;
}

/* What clients of a former worker had is nobody's any more: an administrator ends that by pool. */
static void release_orphans(struct state *state, const struct target *target, uint64_t now_ns,
                            struct tally *done, unsigned *steps)
{
        struct pool *pool;

        if (!target->pool || target->client || target->name[0])
                return;
        pool = &state->pools[target->pool->index];
        done->buffers += pool->n_orphans;
        done->bytes += pool->n_orphans * pool->settings->page_bytes;
        state_orphans_leave(state, pool, now_ns, steps);
}

/* Return: whether some were left out because they are somebody else's. */
static bool release_all(struct state *state, const struct client *asker,
                        const struct target *target, uint64_t now_ns, struct tally *done)
{
        struct holding *holding, *next;
        unsigned steps = TICK_STEPS_MAX;
        bool denied = false;

        LIST_FOREACH_SAFE (holding, &state->ended, ended, next) {
                if (!holding_waits(holding) || !matches(target, holding))
                        continue;
                if (!may_release(asker, holding->uid)) {
                        denied = true;
                        continue;
                }
                done->buffers += holding->n_buffers;
                done->bytes += holding->bytes;
                holding_release(state, holding, now_ns, &steps);
        }
        if (asker->is_admin)
                release_orphans(state, target, now_ns, done, &steps);
        return denied;
}

/* The same for one buffer. */
static bool release_buffer(struct state *state, const struct client *asker,
                           const struct target *target, uint64_t now_ns, struct tally *done)
{
        struct buffer *buffer = state_buffer(state, target->buffer);

        if (!buffer || !holding_waits(buffer->holding) || !matches(target, buffer->holding))
                return false;
        if (!may_release(asker, buffer->holding->uid))
                return true;
        done->buffers = 1;
        done->bytes = buffer->size_bytes;
        holding_release_buffer(state, buffer, now_ns);
        return false;
}

int state_end_quarantine(struct state *state, struct client *asker, const struct selection *which,
                         uint64_t now_ns, uint64_t *ret_bytes, struct refusal *refusal)
{
        struct tally done = { 0 };
        struct target target;
        bool denied;
        int r;

        r = target_init(state, which, &target, refusal);
        if (r)
                return r;
        denied = target.buffer ? release_buffer(state, asker, &target, now_ns, &done)
                               : release_all(state, asker, &target, now_ns, &done);
        /* Names are for those who may know them: a stranger must not find out by guessing. */
        if (!done.buffers && denied && !target.name[0])
                return refusal_set(refusal, PAR_REFUSED_DENIED,
                                   "it was of another uid than %u, so only an administrator may",
                                   asker->identity.uid);
        if (!done.buffers)
                return refusal_set(refusal, PAR_REFUSED_GONE, "nothing of that is in quarantine");
        say(state, asker, &target, "released from quarantine", &done);
        *ret_bytes = done.bytes;
        state_changed(state, now_ns);
        return 0;
}

void state_reclaim(struct state *state, struct client *client, const char *name, uint64_t now_ns,
                   uint64_t *ret_bytes)
{
        struct target target = { 0 };
        struct holding *holding, *next;
        unsigned steps = TICK_STEPS_MAX;

        name_copy(target.name, sizeof(target.name),
                  name && *name ? name : client->session_owner->name);
        *ret_bytes = 0;
        LIST_FOREACH_SAFE (holding, &state->ended, ended, next) {
                if (!holding_waits(holding) || holding->uid != client->identity.uid ||
                    !matches(&target, holding))
                        continue;
                *ret_bytes += holding->bytes;
                holding_release(state, holding, now_ns, &steps);
        }
        state_changed(state, now_ns);
}
