/* SPDX-License-Identifier: MIT */
/*
 * The limits there are and how much of each is used, for lists and metrics.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct client;
struct state;

#define LIMIT_WHOM_BYTES 80

/**
 * struct limit_report - one limit
 * @pool:   NULL: of pard as a whole
 * @whom:   "everybody", "uid 1000", "group:radio"
 * @limit:  "sessions", "waiting", "bytes", "frames", "buffers"; "claim": kept for @whom, in bytes
 * @set_by: key or section of the configuration
 * @used:   by @whom, beyond @most only where that was lowered, and for a claim
 */
struct limit_report {
        const char *pool, *limit, *set_by;
        char whom[LIMIT_WHOM_BYTES];
        uint64_t used, most;
};

/**
 * state_next_limit() - the list of limits
 * @asker:  is told of those of his own, administrators of all; NULL: of all
 * @cursor: 0 at first, moves on with each row
 *
 * Those of users are listed for users who are connected or have something.
 *
 * Return: whether there was another row.
 */
bool state_next_limit(const struct state *state, const struct client *asker, uint64_t *cursor,
                      struct limit_report *ret);
