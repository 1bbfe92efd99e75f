/* SPDX-License-Identifier: MIT */
/*
 * Texts in lines that are no longer than a terminal is wide.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

/**
 * folded_print() - print a text, and end its line
 * @text:   a "\n" in it starts another line
 * @at:     characters that the line has already
 * @indent: blanks that further lines start with
 * @width:  characters of a line; OUTPUT_NO_END: any number. A longer word has a line of its own
 */
void folded_print(FILE *stream, const char *text, size_t at, size_t indent, size_t width);
