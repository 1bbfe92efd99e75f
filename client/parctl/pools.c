/* SPDX-License-Identifier: MIT */
/*
 * Owns copies of what pard said: a reply lives only until the next.
 */
#include "pools.h"

#include "complain.h"
#include "exits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pools_deinit(struct pools *pools)
{
        for (size_t i = 0; i < pools->n; i++) {
                free(pools->views[i].name);
                free(pools->views[i].state);
                free(pools->views[i].note);
        }
        free(pools->views);
        *pools = (struct pools){ 0 };
}

static bool copy(struct pool_view *view, const Wire__Pool *pool)
{
        const Wire__StateBytes none = WIRE__STATE_BYTES__INIT;
        const Wire__StateBytes *bytes = pool->bytes ? pool->bytes : &none;

        *view = (struct pool_view){
                .name = strdup(pool->pool),
                .state = strdup(pool->state),
                .note = strdup(pool->note),
                .size_min = pool->size_min,
                .size_max = pool->size_max,
                .goal = pool->goal,
                .spare = pool->spare,
                .held = bytes->held,
                .in_use = bytes->held - bytes->free,
                .granted = bytes->granted,
                .quarantined = bytes->quarantined,
                .taking = pool->taking,
                .taken = pool->taken,
                .held_aside = pool->held_aside,
                .draining = pool->draining,
        };
        return view->name && view->state && view->note;
}

static bool add(struct pools *pools, const Wire__Pool *pool)
{
        struct pool_view *grown = reallocarray(pools->views, pools->n + 1, sizeof(*grown));

        if (!grown)
                return false;
        pools->views = grown;
        return copy(&grown[pools->n++], pool);
}

static int add_all(struct pools *pools, const Wire__PoolList *list)
{
        for (size_t i = 0; i < list->n_pools; i++) {
                if (add(pools, list->pools[i]))
                        continue;
                complain("out of memory");
                return EXIT_OTHER;
        }
        return 0;
}

int pools_ask(struct ask *ask, struct pools *ret)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;

        pools_deinit(ret);
        request.body_case = WIRE__REQUEST__BODY_POOLS;
        request.pools = &list;
        do {
                const Wire__Reply *reply;
                int status;

                status = ask_for(ask, &request, WIRE__REPLY__BODY_POOLS, &reply);
                if (!status)
                        status = add_all(ret, reply->pools);
                if (status)
                        return status;
                list.cursor = reply->pools->next_cursor;
        } while (list.cursor);
        return 0;
}

const struct pool_view *pools_find(const struct pools *pools, const char *name)
{
        char known[512] = "";
        size_t at = 0;

        for (size_t i = 0; i < pools->n; i++) {
                if (strcmp(pools->views[i].name, name) == 0)
                        return &pools->views[i];
                if (at < sizeof(known))
                        at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s",
                                               i ? ", " : "", pools->views[i].name);
        }
        complain("pard has no pool \"%s\", but: %s", name, known);
        return NULL;
}

int pools_check(struct ask *ask, const char *name)
{
        struct pools pools = { 0 };
        int status;

        if (!name)
                return 0;
        status = pools_ask(ask, &pools);
        if (!status && !pools_find(&pools, name))
                status = EXIT_USAGE;
        pools_deinit(&pools);
        return status;
}
