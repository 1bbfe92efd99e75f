/* SPDX-License-Identifier: MIT */
/*
 * How far a pool is, as a line with a bar.
 */
#pragma once

#include "output.h"
#include "pools.h"

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
