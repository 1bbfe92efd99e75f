/* SPDX-License-Identifier: MIT */
/*
 * Owns the sums by uid. Invariant: those of a payer are the sums of its owners' accounts; frame.c
 * changes both in the same step.
 */
#include "payer.h"

#include "state_private.h"

#include <errno.h>
#include <stdlib.h>

static int payer_compare(const struct payer *a, const struct payer *b)
{
        return (a->uid > b->uid) - (a->uid < b->uid);
}

TREE_GENERATE(payer_tree, payer, by_uid, payer_compare)

static struct payer *find(struct state *state, uint32_t uid)
{
        struct payer key = { .uid = uid };

        return RB_FIND(payer_tree, &state->payers, &key);
}

int payer_get(struct state *state, uint32_t uid, struct payer **ret)
{
        struct payer *payer = find(state, uid);

        if (!payer) {
                payer = calloc(1,
                               sizeof(*payer) + state->settings->n_pools * sizeof(payer->bytes[0]));
                if (!payer)
                        return -ENOMEM;
                payer->uid = uid;
                (void)RB_INSERT(payer_tree, &state->payers, payer);
        }
        payer->n_owners++;
        *ret = payer;
        return 0;
}

void payer_put(struct state *state, struct payer *payer)
{
        assert(payer->n_owners);

        if (--payer->n_owners)
                return;
        RB_REMOVE(payer_tree, &state->payers, payer);
        free(payer);
}

const struct payer *payer_next(const struct state *state, const struct payer *after)
{
        struct payer_tree tree = state->payers; /* the macros want a head that they may write */

        if (!after)
                return RB_MIN(payer_tree, &tree);
        return RB_NEXT(payer_tree, &tree, (struct payer *)(uintptr_t)after);
}

uint64_t payer_counted_bytes(const struct payer *payer, const struct pool *pool)
{
        const struct state_bytes *bytes = &payer->bytes[pool->index];

        return bytes->lingering ? bytes->held : bytes->held - bytes->leaving;
}
