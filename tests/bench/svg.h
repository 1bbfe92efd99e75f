/* SPDX-License-Identifier: MIT */
/*
 * A picture as SVG text. Coordinates are in tenths of a pixel and integers, so that the same
 * picture is the same text everywhere.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where a text begins, has its middle, or ends. */
enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };

struct svg_point {
        int x, y;
};

/**
 * svg_begin() - begin a picture
 * @file:   borrowed until svg_end()
 * @width:  of it
 * @height: of it
 * @title:  for who cannot see it; plain text without < > &
 * @style:  rules of CSS
 */
void svg_begin(FILE *file, int width, int height, const char *title, const char *style);
void svg_end(FILE *file);

/* A text of one line; @class names rules. No < > &. */
void svg_text(FILE *file, const char *class, enum svg_anchor anchor, struct svg_point at,
              const char *text);

void svg_rect(FILE *file, const char *class, struct svg_point at, int width, int height);

/* Straight lines from point to point. */
void svg_line(FILE *file, const char *class, const struct svg_point *points, size_t n_points);

/* A dot with a radius. */
void svg_dot(FILE *file, const char *class, struct svg_point at, int radius);
