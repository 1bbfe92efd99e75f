/* SPDX-License-Identifier: MIT */
/*
 * Owns what is known of devices. Made when memory is granted for a device, where that may fail: who
 * dies only takes further references.
 */
#include "watch.h"

#include "quarantine.h"
#include "state_private.h"

#include <errno.h>
#include <stdlib.h>

static int watch_compare(const struct watch *a, const struct watch *b)
{
        return (a->device > b->device) - (a->device < b->device);
}

TREE_GENERATE(watch_tree, watch, by_device, watch_compare)

static struct watch *find(const struct state *state, uint32_t device)
{
        struct watch_tree tree = state->watches; /* the macros want a head that they may write */
        struct watch key = { .device = device };

        return RB_FIND(watch_tree, &tree, &key);
}

int watch_get(struct state *state, uint32_t device, struct watch **ret)
{
        struct watch *watch = find(state, device);

        if (!watch) {
                watch = calloc(1, sizeof(*watch));
                if (!watch)
                        return -ENOMEM;
                watch->device = device;
                LIST_INIT(&watch->waiting);
                (void)RB_INSERT(watch_tree, &state->watches, watch);
        }
        watch->refs++;
        *ret = watch;
        return 0;
}

void watch_ref(struct watch *watch)
{
        watch->refs++;
}

void watch_unref(struct state *state, struct watch *watch)
{
        assert(watch->refs);

        if (--watch->refs)
                return;
        assert(LIST_EMPTY(&watch->waiting));
        RB_REMOVE(watch_tree, &state->watches, watch);
        free(watch);
}

const struct watch *watch_noisy(const struct state *state)
{
        struct watch_tree tree = state->watches;
        struct watch *watch;

        RB_FOREACH (watch, watch_tree, &tree)
                if (!LIST_EMPTY(&watch->waiting) && watch->seen == SIGHT_MASTER)
                        return watch;
        return NULL;
}

void watches_free(struct state *state)
{
        struct watch *watch, *next;

        RB_FOREACH_SAFE (watch, watch_tree, &state->watches, next) {
                RB_REMOVE(watch_tree, &state->watches, watch);
                free(watch);
        }
}

void state_device_seen(struct state *state, uint32_t device, uint32_t round,
                       enum device_sight sight, uint64_t now_ns)
{
        struct watch *watch = find(state, device);

        if (!watch)
                return; /* nobody waits any more */
        watch->seen = sight;
        if (sight == SIGHT_QUIET)
                quarantine_quiet(state, watch, round, now_ns);
        state_changed(state, now_ns);
}
