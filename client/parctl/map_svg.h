/* SPDX-License-Identifier: MIT */
/*
 * The map as a picture for a browser or a document.
 */
#pragma once

#include "map_text.h"

/**
 * map_svg() - write the map as SVG
 * @style: as for a terminal
 *
 * Light or dark, as its reader prefers.
 *
 * Return: 0; -EIO where the stream fails.
 */
int map_svg(const struct map *map, const struct map_style *style, FILE *stream);
