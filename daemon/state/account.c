/* SPDX-License-Identifier: MIT */
/*
 * Owners and their accounts. An owner lives as long as a session uses it or a frame is charged to
 * it, so what a dead client left is still somebody's.
 */
#include "account.h"

#include "pool.h"

#include <errno.h>
#include <stdlib.h>

int owner_new(size_t n_pools, struct owner **ret)
{
        struct owner *owner;

        owner = calloc(1, sizeof(*owner) + n_pools * sizeof(owner->accounts[0]));
        if (!owner)
                return -ENOMEM;
        owner->standings = calloc(n_pools, sizeof(owner->standings[0]));
        if (!owner->standings) {
                free(owner);
                return -ENOMEM;
        }
        owner->n_pools = n_pools;
        owner->record = LEDGER_NONE;
        due_init(&owner->leak, DUE_LEAK);
        *ret = owner;
        return 0;
}

static void account_free(struct account *account)
{
        if (!account)
                return;
        assert(LIST_EMPTY(&account->frames));
        node_spaces_deinit(&account->partial);
        node_spaces_deinit(&account->empty);
        free(account);
}

void owner_free(struct owner *owner)
{
        if (!owner)
                return;
        for (size_t i = 0; i < owner->n_pools; i++)
                account_free(owner->accounts[i]);
        free(owner->standings);
        free(owner);
}

bool owner_is_done(const struct owner *owner)
{
        if (owner->n_clients || owner->n_holdings)
                return false;
        for (size_t i = 0; i < owner->n_pools; i++)
                if (owner->accounts[i] && !LIST_EMPTY(&owner->accounts[i]->frames))
                        return false;
        return true;
}

void owner_bytes(const struct owner *owner, struct state_bytes *ret, uint64_t *ret_buffers)
{
        *ret = (struct state_bytes){ 0 };
        *ret_buffers = 0;
        for (size_t i = 0; i < owner->n_pools; i++) {
                const struct account *account = owner->accounts[i];

                if (!account)
                        continue;
                ret->held += account->bytes.held;
                ret->free += account->bytes.free;
                ret->granted += account->bytes.granted;
                ret->reusable += account->bytes.reusable;
                ret->leaving += account->bytes.leaving;
                ret->lingering += account->bytes.lingering;
                ret->quarantined += account->bytes.quarantined;
                ret->retired += account->bytes.retired;
                *ret_buffers += account->n_buffers;
        }
}

int owner_account(struct owner *owner, struct pool *pool, struct account **ret)
{
        struct account *account = owner->accounts[pool->index];

        if (!account) {
                account = calloc(1, sizeof(*account));
                if (!account)
                        return -ENOMEM;
                account->owner = owner;
                account->pool = pool;
                LIST_INIT(&account->frames);
                owner->accounts[pool->index] = account;
        }
        *ret = account;
        return 0;
}
