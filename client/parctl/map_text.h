/* SPDX-License-Identifier: MIT */
/*
 * The map for a terminal.
 */
#pragma once

#include "map_rows.h"
#include "output.h"

/**
 * struct map_style - how to draw
 * @block_bytes: a block's size; 0: so that it fits
 * @rows:        lines of the picture at most, where @block_bytes is 0
 * @bytes:       sizes exactly
 * @bare:        without title, scale and legend
 */
struct map_style {
        uint64_t block_bytes;
        size_t rows;
        bool bytes, bare;
};

#define MAP_TEXT_FRAME \
        6 /* lines that title, scale, legend and the prompt take beside the picture */

/* Draw it, within output->width. */
void map_text(const struct map *map, const struct map_style *style, const struct output *output);

/* What a state looks like where there are letters alone, for --help. */
char map_letter(enum map_state state);
