/* SPDX-License-Identifier: MIT */
/*
 * A terminal that is redrawn in place.
 */
#pragma once

#include "output.h"

/* Take the terminal's other screen; nothing scrolls away on the first one. */
void screen_enter(FILE *stream);

/* Give it back as it was. */
void screen_leave(FILE *stream);

/**
 * screen_draw() - show a text instead of what is there
 * @head: one line above it
 * @text: lines; those that the terminal has no room for are counted in its last one. Where a line
 * is too long, its end is not shown
 * @terminal: as large as it is now
 */
void screen_draw(const struct output *terminal, const char *head, const char *text);
