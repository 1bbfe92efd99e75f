/* SPDX-License-Identifier: MIT */
/*
 * Owns the extents. After map_sort() they are in order and as few as possible. They may overlap
 * where memory changed while it was asked for: nothing here relies on the contrary.
 */
#include "map.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
        [MAP_FREE] = "free",           [MAP_GRANTED] = "granted",
        [MAP_REUSABLE] = "reusable",   [MAP_OTHER] = "other",
        [MAP_DRAINING] = "draining",   [MAP_LEAVING] = "leaving",
        [MAP_LINGERING] = "lingering", [MAP_QUARANTINED] = "quarantined",
        [MAP_RETIRED] = "retired",     [MAP_NOTHING] = "not held",
};

void map_deinit(struct map *map)
{
        for (size_t i = 0; i < map->n_pools; i++)
                free(map->pools[i]);
        free(map->pools);
        free(map->extents);
        *map = (struct map){ 0 };
}

/* The index of a pool; -ENOMEM. */
static int find_pool(struct map *map, const char *name, uint32_t *ret)
{
        char **pools, *copy;

        for (size_t i = 0; i < map->n_pools; i++) {
                if (strcmp(map->pools[i], name) != 0)
                        continue;
                *ret = (uint32_t)i;
                return 0;
        }
        pools = reallocarray(map->pools, map->n_pools + 1, sizeof(*pools));
        if (!pools)
                return -ENOMEM;
        map->pools = pools;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        *ret = (uint32_t)map->n_pools;
        pools[map->n_pools++] = copy;
        return 0;
}

/* Memory that is free in the part of an extent that is left: none where all is used, and so on. */
static uint64_t part_of(uint64_t free_bytes, uint64_t bytes, uint64_t part_bytes)
{
        if (free_bytes == bytes)
                return part_bytes;
        return (uint64_t)((double)free_bytes / (double)bytes * (double)part_bytes);
}

int map_add(struct map *map, const struct map_extent *extent, const char *pool, uint64_t first,
            uint64_t last)
{
        struct map_extent added = *extent;
        int r;

        if (extent->last < first || extent->first > last || extent->first > extent->last)
                return 0;
        if (map->n_extents == map->extents_room) {
                const size_t room = map->extents_room ? 2 * map->extents_room : 64;
                struct map_extent *grown = reallocarray(map->extents, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                map->extents = grown;
                map->extents_room = room;
        }
        r = find_pool(map, pool, &added.pool);
        if (r)
                return r;
        added.first = extent->first > first ? extent->first : first;
        added.last = extent->last < last ? extent->last : last;
        if (added.first != extent->first || added.last != extent->last)
                added.free_bytes = part_of(extent->free_bytes, extent->last - extent->first + 1,
                                           added.last - added.first + 1);
        map->extents[map->n_extents++] = added;
        return 0;
}

static int compare(const void *a, const void *b)
{
        const struct map_extent *x = a, *y = b;

        return (x->first > y->first) - (x->first < y->first);
}

static bool belong_together(const struct map_extent *x, const struct map_extent *y)
{
        return x->last + 1 == y->first && x->pool == y->pool && x->state == y->state &&
               x->draining == y->draining && x->page_bytes == y->page_bytes;
}

void map_sort(struct map *map)
{
        size_t kept = 0;

        if (!map->n_extents)
                return;
        qsort(map->extents, map->n_extents, sizeof(*map->extents), compare);
        for (size_t i = 1; i < map->n_extents; i++) {
                struct map_extent *before = &map->extents[kept];

                if (belong_together(before, &map->extents[i])) {
                        before->last = map->extents[i].last;
                        before->free_bytes += map->extents[i].free_bytes;
                } else {
                        map->extents[++kept] = map->extents[i];
                }
        }
        map->n_extents = kept + 1;
}

enum map_state map_state_of(const char *name)
{
        for (size_t i = 0; i < MAP_STATES; i++)
                if (i != MAP_DRAINING && strcmp(names[i], name) == 0)
                        return (enum map_state)i;
        return MAP_OTHER;
}

const char *map_state_name(enum map_state state)
{
        assert(state < ARRAY_SIZE(names));
        return names[state];
}

enum map_state map_shown(const struct map_extent *extent)
{
        switch (extent->state) {
        case MAP_FREE:
        case MAP_GRANTED:
        case MAP_REUSABLE: return extent->draining ? MAP_DRAINING : extent->state;
        default: return extent->state;
        }
}

uint64_t map_totals(const struct map *map, uint64_t totals[MAP_STATES])
{
        uint64_t all = 0;

        memset(totals, 0, MAP_STATES * sizeof(*totals));
        for (size_t i = 0; i < map->n_extents; i++) {
                const struct map_extent *extent = &map->extents[i];
                const uint64_t bytes = extent->last - extent->first + 1;

                totals[map_shown(extent)] += bytes;
                all += bytes;
        }
        return all;
}
