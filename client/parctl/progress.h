/* SPDX-License-Identifier: MIT */
/*
 * How far a pool is, as a line with a bar.
 */
#pragma once

#include "output.h"
#include "pools.h"

#define PROGRESS_BAR_BYTES 128

/**
 * progress_bar() - a bar and a percentage
 * @have, @want: in any unit; more than all is all, and all of nothing as well
 * @blocks: of the bar, at most 32
 * @utf8:   characters beyond ASCII may be used
 *
 * Return: @buffer.
 */
const char *progress_bar(uint64_t have, uint64_t want, size_t blocks, bool utf8,
                         char buffer[PROGRESS_BAR_BYTES]);

/* Whether a pool is on its way somewhere. */
bool progress_is_busy(const struct pool_view *pool);

/**
 * progress_line() - name, bar on a terminal, figures and state of a pool, and a newline
 * @name_width: characters that its name takes at least
 * @exact:      sizes in bytes
 */
void progress_line(const struct pool_view *pool, size_t name_width, bool exact,
                   const struct output *output);

/* A line for each pool that is busy; @only: this one, NULL: all. */
void progress_lines(const struct pools *pools, const char *only, bool exact,
                    const struct output *output);
