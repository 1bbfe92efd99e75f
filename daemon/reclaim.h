/* SPDX-License-Identifier: MIT */
/*
 * What an earlier pard has left with the service manager: can this one go on with it?
 */
#pragma once

#include "config.h"
#include "parking.h"
#include "takeover.h"

/**
 * struct reclaim - what this pard goes on with
 * @takeover: what is known of it; its ledger_fd is that of struct parked, borrowed
 * @frames:   takeover.head.n_parked descriptors; the array is owned, they are consumed by
 *            keeper_run()
 */
struct reclaim {
        struct takeover takeover;
        int *frames;
};

/**
 * reclaim_parked() - see whether it is whole, and goes with the configuration
 * @parked: borrowed
 * @config: that this pard has read; what it changes must be what may change while pard runs
 * @name:   of that, for messages; borrowed
 * @ret:    reclaim_deinit() it
 *
 * Logs why not. Return: 0; -ENOENT where nothing is parked; negative errno where what is parked
 * cannot be gone on with.
 */
int reclaim_parked(const struct parked *parked, const struct config *config, const char *name,
                   struct reclaim *ret);
void reclaim_deinit(struct reclaim *reclaim);
