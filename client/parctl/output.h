/* SPDX-License-Identifier: MIT */
/*
 * Where a command prints, and what can be shown there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OUTPUT_NO_END SIZE_MAX /* width of what is no terminal: lines may have any length */

/**
 * struct output - where a command prints
 * @stream:   borrowed
 * @width:    characters of a line; OUTPUT_NO_END where that is no terminal
 * @height:   lines of the terminal; 0 where there is none
 * @terminal: somebody looks at it
 * @color:    it may have colours
 * @utf8:     it may have characters beyond ASCII
 */
struct output {
        FILE *stream;
        size_t width, height;
        bool terminal, color, utf8;
};

/**
 * output_of() - what a stream can show
 * @stream: standard output, or standard error
 * @plain:  the user wants neither colours nor other characters than ASCII
 *
 * A terminal has colours unless $NO_COLOR is there or $TERM says that it is a dumb one, and
 * characters beyond ASCII where it has colours and the locale is one of UTF-8.
 */
struct output output_of(FILE *stream, bool plain);
