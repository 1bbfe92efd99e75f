/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Goes through the extents in order, once, so that a picture takes no more memory
 * than one row of it.
 */
#include "map_rows.h"

#include <assert.h>
#include <string.h>

static uint64_t row_bytes(struct map_shape shape)
{
        return shape.block_bytes * shape.blocks;
}

/* The last address of a row; addresses end before numbers do. */
static uint64_t row_last(struct map_shape shape, uint64_t first)
{
        uint64_t last;

        return __builtin_add_overflow(first, row_bytes(shape) - 1, &last) ? UINT64_MAX : last;
}

static uint64_t pool_bit(uint32_t pool)
{
        return UINT64_C(1) << (pool < 63 ? pool : 63);
}

bool map_walk_next(struct map_walk *walk, struct map_row *ret)
{
        const struct map *map = walk->map;
        const struct map_extent *extents = map->extents;
        uint64_t first, last;

        while (walk->at < map->n_extents && walk->started && extents[walk->at].last < walk->next)
                walk->at++;
        if (walk->at == map->n_extents || walk->done)
                return false;
        first = extents[walk->at].first;
        if (walk->started && first < walk->next)
                first = walk->next;
        first -= first % row_bytes(walk->shape);
        last = row_last(walk->shape, first);
        *ret = (struct map_row){ .first = first, .begin = walk->at, .end = walk->at };
        if (walk->started && first > walk->next)
                ret->gap_bytes = extents[walk->at].first - walk->held_last - 1;
        for (; ret->end < map->n_extents && extents[ret->end].first <= last; ret->end++) {
                const struct map_extent *extent = &extents[ret->end];

                ret->pools |= pool_bit(extent->pool);
                if (!walk->started || extent->last > walk->held_last)
                        walk->held_last = extent->last < last ? extent->last : last;
                walk->started = true;
        }
        ret->title = map->n_pools > 1 && ret->pools != walk->pools;
        walk->pools = ret->pools;
        walk->done = last == UINT64_MAX;
        walk->next = last + 1;
        return true;
}

/* What a block is shown as that has so many bytes in each state. */
static enum map_state choose(const uint64_t bytes[MAP_STATES])
{
        static const enum map_state urgent[] = {
                MAP_RETIRED, MAP_QUARANTINED, MAP_LINGERING, MAP_LEAVING, MAP_DRAINING,
        };
        static const enum map_state others[] = { MAP_GRANTED, MAP_REUSABLE, MAP_OTHER, MAP_FREE };
        enum map_state most = MAP_GRANTED;

        for (size_t i = 0; i < sizeof(urgent) / sizeof(urgent[0]); i++)
                if (bytes[urgent[i]])
                        return urgent[i];
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                if (bytes[others[i]] > bytes[most])
                        most = others[i];
        return bytes[most] ? most : MAP_NOTHING;
}

void map_row_blocks(const struct map *map, struct map_shape shape, const struct map_row *row,
                    enum map_state ret[MAP_BLOCKS_MAX])
{
        uint64_t first = row->first;
        size_t begin = row->begin;

        for (unsigned i = 0; i < shape.blocks; i++, first += shape.block_bytes) {
                const uint64_t last = first + (shape.block_bytes - 1);
                uint64_t bytes[MAP_STATES] = { 0 };

                /* Beyond the last of all addresses. */
                if (first < row->first || last < first) {
                        ret[i] = MAP_NOTHING;
                        continue;
                }
                while (begin < row->end && map->extents[begin].last < first)
                        begin++;
                for (size_t k = begin; k < row->end && map->extents[k].first <= last; k++) {
                        const struct map_extent *extent = &map->extents[k];
                        const uint64_t from = extent->first > first ? extent->first : first;
                        const uint64_t to = extent->last < last ? extent->last : last;

                        if (from <= to)
                                bytes[map_shown(extent)] += to - from + 1;
                }
                ret[i] = choose(bytes);
        }
}

/* How many lines the picture has; counts no further than @enough. */
static size_t count_lines(const struct map *map, struct map_shape shape, size_t enough)
{
        struct map_walk walk = { .map = map, .shape = shape };
        struct map_row row;
        size_t lines = 0;

        while (lines <= enough && map_walk_next(&walk, &row))
                lines += 1u + (row.gap_bytes != 0) + row.title;
        return lines;
}

struct map_shape map_fit(const struct map *map, size_t width, size_t lines_max)
{
        struct map_shape shape = { .block_bytes = MAP_BLOCK_LIMIT };
        const size_t sixteens = width / 16 < MAP_BLOCKS_MAX / 16 ? width / 16 : MAP_BLOCKS_MAX / 16;

        shape.blocks = sixteens ? 16 * (unsigned)sixteens : 16;
        for (size_t i = 0; i < map->n_extents; i++)
                if (map->extents[i].page_bytes >= MAP_BLOCK_BYTES &&
                    map->extents[i].page_bytes < shape.block_bytes)
                        shape.block_bytes = map->extents[i].page_bytes;
        if (!map->n_extents)
                shape.block_bytes = UINT64_C(2) << 20;
        while (shape.block_bytes < MAP_BLOCK_LIMIT &&
               count_lines(map, shape, lines_max) > lines_max)
                shape.block_bytes *= 2;
        return shape;
}
