/* SPDX-License-Identifier: MIT */
/*
 * A line of text that is put together where printf() may not be called: in a signal handler.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * struct line - a text that grows
 * @text: always terminated; borrowed
 * @room: of @text, at least 1
 * @length: without the terminator, below @room; what does not fit is left out
 */
struct line {
        char *text;
        size_t room, length;
};

/* An empty line in @text, which has room for @room bytes, at least 1. */
struct line line_begin(char *text, size_t room);

void line_add(struct line *line, const char *text);
void line_add_number(struct line *line, uint64_t number);
void line_add_hex(struct line *line, uint64_t number); /* with 0x */

/* "1 byte", "2 bytes" */
void line_add_bytes(struct line *line, uint64_t bytes);
