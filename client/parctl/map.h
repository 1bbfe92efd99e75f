/* SPDX-License-Identifier: MIT */
/*
 * What lies where: the physical memory that pard holds, as extents in one state each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a piece of memory is shown as. Draining is no state of a frame: it is what free, granted and
 * reusable frames are shown as that are to be emptied.
 */
enum map_state {
        MAP_FREE,
        MAP_GRANTED,
        MAP_REUSABLE,
        MAP_OTHER, /* a state that this parctl does not know */
        MAP_DRAINING,
        MAP_LEAVING,
        MAP_LINGERING,
        MAP_QUARANTINED,
        MAP_RETIRED,
        MAP_NOTHING, /* pard does not hold it */
};
#define MAP_STATES MAP_NOTHING

/**
 * struct map_extent - adjacent memory of one pool in one state
 * @first, @last: inclusive
 * @pool:     index into map::pools
 * @state:    of its frames, never MAP_DRAINING or MAP_NOTHING
 * @draining: it is to be emptied
 * @page_bytes: of its frames
 * @free_bytes: of it that nobody uses
 */
struct map_extent {
        uint64_t first, last;
        uint64_t page_bytes, free_bytes;
        uint32_t pool;
        enum map_state state;
        bool draining;
};

/**
 * struct map - extents in the order of their addresses
 * @extents: @n_extents of them; owned
 * @pools:   names of @n_pools pools; owned
 *
 * Zero it before use; map_deinit() afterwards.
 */
struct map {
        struct map_extent *extents;
        size_t n_extents, extents_room;
        char **pools;
        size_t n_pools;
};

void map_deinit(struct map *map);

/**
 * map_add() - add an extent, or the part of it that lies in a window
 * @extent: its pool is filled in; only its part from @first to @last is added
 * @pool:   its name; copied
 *
 * Return: 0; -ENOMEM.
 */
int map_add(struct map *map, const struct map_extent *extent, const char *pool, uint64_t first,
            uint64_t last);

/* Put the extents in order, and join those that belong together. */
void map_sort(struct map *map);

/* The state that pard calls so. */
enum map_state map_state_of(const char *name);

/* What people call it. */
const char *map_state_name(enum map_state state);

/* What an extent is shown as. */
enum map_state map_shown(const struct map_extent *extent);

/* Bytes that are shown as each state. Return: all of them together. */
uint64_t map_totals(const struct map *map, uint64_t totals[MAP_STATES]);
