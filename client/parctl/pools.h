/* SPDX-License-Identifier: MIT */
/*
 * The pools as they are now, for commands that act on one of them or wait for it.
 */
#pragma once

#include "ask.h"

#include <stddef.h>
#include <stdint.h>

/**
 * struct pool_view - what there is to know of a pool; sizes in bytes
 * @name, @state, @note: owned
 * @in_use: held, and not free
 * @granted, @quarantined: of that
 * @taking, @taken: of what is being taken: how much is wanted, and how much of that is there
 * @held_aside: what a harvest holds meanwhile
 * @draining: held in frames that are to be drained
 */
struct pool_view {
        char *name, *state, *note;
        uint64_t size_min, size_max, goal, spare, held, in_use, granted, quarantined;
        uint64_t taking, taken, held_aside, draining;
};

/* @views: @n of them, in pard's order; owned. Zero it before use, pools_deinit() afterwards. */
struct pools {
        struct pool_view *views;
        size_t n;
};

/**
 * pools_ask() - ask for all of them
 * @ret: what it had is forgotten
 *
 * Complains where it fails. Return: 0, or the exit status.
 */
int pools_ask(struct ask *ask, struct pools *ret);
void pools_deinit(struct pools *pools);

/* A pool by its name; NULL, with a complaint that names those that there are. */
const struct pool_view *pools_find(const struct pools *pools, const char *name);

/**
 * pools_check() - whether pard has a pool of this name
 * @name: NULL: nothing is asked
 *
 * Return: 0, or the exit status: EXIT_USAGE where it has not, with a complaint.
 */
int pools_check(struct ask *ask, const char *name);
