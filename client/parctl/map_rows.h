/* SPDX-License-Identifier: MIT */
/*
 * The map as a picture: rows of blocks, each block a piece of memory, rows without memory left out.
 */
#pragma once

#include "map.h"

#define MAP_BLOCKS_MAX  256u                /* in a row */
#define MAP_BLOCK_BYTES (UINT64_C(1) << 12) /* the smallest block */
#define MAP_BLOCK_LIMIT (UINT64_C(1) << 50) /* the largest */

/**
 * struct map_shape - how the picture is cut
 * @block_bytes: MAP_BLOCK_BYTES to MAP_BLOCK_LIMIT
 * @blocks:      in a row, 1 to MAP_BLOCKS_MAX
 *
 * Rows start at multiples of their length.
 */
struct map_shape {
        uint64_t block_bytes;
        unsigned blocks;
};

/**
 * struct map_row - one row
 * @first:     address of its first block
 * @gap_bytes: memory that is not held between the row before and this one, where rows are left out
 *             in between; 0: none is
 * @pools:     bit n: it has memory of pool n; the last bit stands for all from there on
 * @title:     other pools than in the row before, and there are several
 * @begin, @end: the extents that reach into it; the second is the first that does not
 */
struct map_row {
        uint64_t first;
        uint64_t gap_bytes;
        uint64_t pools;
        bool title;
        size_t begin, end;
};

/**
 * struct map_walk - going through the rows
 *
 * Fill in @map and @shape, zero the rest.
 */
struct map_walk {
        const struct map *map;
        struct map_shape shape;
        size_t at;          /* the first extent that may reach into further rows */
        uint64_t next;      /* address after the row before */
        uint64_t held_last; /* last held address up to there */
        uint64_t pools;     /* of the row before */
        bool started, done;
};

/* The next row. Return: whether there is one. */
bool map_walk_next(struct map_walk *walk, struct map_row *ret);

/**
 * map_row_blocks() - what each block of a row is shown as
 * @ret: shape->blocks of them
 *
 * Several states in one block: the most urgent of retired, quarantined, lingering, leaving and
 * draining; where there is none of these, what there is most of. A block is MAP_NOTHING only where
 * pard holds nothing of it.
 */
void map_row_blocks(const struct map *map, struct map_shape shape, const struct map_row *row,
                    enum map_state ret[MAP_BLOCKS_MAX]);

/**
 * map_fit() - how to cut the picture so that it is no longer than @lines_max
 * @width:     characters, or whatever a block takes one of, of a row; at least one block is taken
 *             for 16 of them
 * @lines_max: rows, with a line each for gaps and titles; >= 1
 *
 * Blocks are a power of two of bytes, at least the smallest page; in a row there are as many
 * sixteens of them as have room. Less than three lines are not promised.
 */
struct map_shape map_fit(const struct map *map, size_t width, size_t lines_max);
