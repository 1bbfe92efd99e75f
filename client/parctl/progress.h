/* SPDX-License-Identifier: MIT */
/*
 * How far a pool is, as a line with a bar.
 */
#pragma once

#include "output.h"
#include "pools.h"

/**
 * progress_line() - name, bar on a terminal, figures and state of a pool, and a newline
 * @name_width: characters that its name takes at least
 * @exact:      sizes in bytes
 */
void progress_line(const struct pool_view *pool, size_t name_width, bool exact,
                   const struct output *output);

/**
 * progress_lines() - a line for each pool that is busy
 * @only:       this one; NULL: all
 * @with_short: those as well that are short, with the reason
 */
void progress_lines(const struct pools *pools, const char *only, bool with_short, bool exact,
                    const struct output *output);
