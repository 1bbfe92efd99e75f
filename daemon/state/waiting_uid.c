/* SPDX-License-Identifier: MIT */
/*
 * Owns an entry for each uid that waits, and for a while after that: whoever cancels and asks again
 * has not become another. Searching the line costs time for each entry in it, so a uid has a share
 * of it, and not a place for each session that it cares to open.
 */
#include "waiting_uid.h"

#include "macros.h"
#include "refusal.h"
#include "state_private.h"

#include <errno.h>
#include <stdlib.h>

/* So many times max_waiting requests of one uid may wait. */
#define WAITING_UID_SHARE 8

/* From one holding up of a pool to the next: half of the time at most, as a turn is 10 s. */
#define WAITING_UID_AGAIN_NS (20 * NS_PER_S)

static int compare(const struct waiting_uid *a, const struct waiting_uid *b)
{
        if (a->uid != b->uid)
                return a->uid < b->uid ? -1 : 1;
        return 0;
}

TREE_GENERATE(waiting_uid_tree, waiting_uid, by_uid, compare)

static struct waiting_uid *find(const struct state *state, uint32_t uid)
{
        struct waiting_uid_tree tree = state->waiting_uids;
        struct waiting_uid key = { .uid = uid };

        return RB_FIND(waiting_uid_tree, &tree, &key);
}

uint32_t waiting_uid_count(const struct state *state, uint32_t uid)
{
        const struct waiting_uid *of = find(state, uid);

        return of ? of->n : 0;
}

uint64_t waiting_uid_most(const struct state *state)
{
        return (uint64_t)state->settings->max_waiting * WAITING_UID_SHARE;
}

int waiting_uid_check(const struct state *state, const struct client *client,
                      struct refusal *refusal)
{
        const struct waiting_uid *of = find(state, client->identity.uid);

        if (!of || client->is_admin || of->n < waiting_uid_most(state))
                return 0;
        return refusal_set(refusal, PAR_REFUSED_QUOTA,
                           "%u requests of uid %u wait already, and %u times max_waiting (%u) is "
                           "the most of one uid",
                           of->n, of->uid, WAITING_UID_SHARE, state->settings->max_waiting);
}

int waiting_uid_add(struct state *state, uint32_t uid, struct waiting_uid **ret)
{
        struct waiting_uid *of = find(state, uid);

        if (!of) {
                of = calloc(1, sizeof(*of));
                if (!of)
                        return -ENOMEM;
                of->uid = uid;
                due_init(&of->again, DUE_WAITING_UID);
                RB_INSERT(waiting_uid_tree, &state->waiting_uids, of);
        }
        of->n++;
        *ret = of;
        return 0;
}

static void settle(struct state *state, struct waiting_uid *of)
{
        if (of->n || due_is_set(&of->again))
                return;
        RB_REMOVE(waiting_uid_tree, &state->waiting_uids, of);
        free(of);
}

void waiting_uid_remove(struct state *state, struct waiting_uid *of)
{
        of->n--;
        settle(state, of);
}

void waiting_uid_holds(struct state *state, struct waiting_uid *of, uint64_t pools, uint64_t now_ns)
{
        of->had |= pools;
        due_set(&state->dues, &of->again, now_ns + WAITING_UID_AGAIN_NS);
}

void waiting_uid_was_served(struct waiting_uid *of, uint64_t pools)
{
        of->had &= ~pools;
}

void waiting_uid_due(struct state *state, struct waiting_uid *of)
{
        due_cancel(&state->dues, &of->again);
        of->had = 0;
        state->turns_changed = true;
        settle(state, of);
}

void waiting_uids_deinit(struct state *state)
{
        struct waiting_uid *of, *next;

        RB_FOREACH_SAFE (of, waiting_uid_tree, &state->waiting_uids, next) {
                RB_REMOVE(waiting_uid_tree, &state->waiting_uids, of);
                free(of);
        }
}
