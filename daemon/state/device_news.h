/* SPDX-License-Identifier: MIT */
/*
 * What the keeper sees of devices that state_ops.watch() asked for.
 */
#pragma once

#include <stdint.h>

struct state;

enum device_sight {
        SIGHT_NOT_YET,
        SIGHT_QUIET,  /* not bus master, or not there at all */
        SIGHT_MASTER, /* it may read and write memory */
        SIGHT_FAILED, /* it cannot be looked at now */
};

/**
 * state_device_seen() - a device was looked at
 * @device: as watch() named it; one that nobody waits for is passed over
 * @round:  of the last watch() before the look
 * @sight:  not SIGHT_NOT_YET. After SIGHT_QUIET it is looked at no more, but for a later round
 */
void state_device_seen(struct state *state, uint32_t device, uint32_t round,
                       enum device_sight sight, uint64_t now_ns);
