/* SPDX-License-Identifier: MIT */
/*
 * Limits that contradict one another: refusals that name both, and who set them. No memory is
 * looked at, and none could help.
 */
#pragma once

#include "demand.h"

/*
 * Each fills the refusal.
 *
 * Return: its result: PAR_REFUSED_INVALID where a request contradicts itself or means nothing,
 * otherwise PAR_REFUSED_NEVER_FITS.
 */

/* The limits' addresses are none: first is above last. */
int conflict_window(const struct demand *demand, struct refusal *refusal);

/* The nodes so far are none that will do for the device. */
int conflict_nodes(const struct demand *demand, const struct device_settings *device,
                   struct refusal *refusal);

/* Two devices see no memory in common, or see it at different addresses: @loss. */
int conflict_reach(const struct device_settings *one, const struct device_settings *other,
                   enum reach_loss loss, struct refusal *refusal);

/* constraint_check() says @r for the limits, because of @limit. */
int conflict_constraint(const struct demand *demand, int r, enum limit limit,
                        struct refusal *refusal);

/* The limits' addresses lie outside the bus windows, which are in @hull. */
int conflict_bus(const struct demand *demand, struct range hull, struct refusal *refusal);

/* Multiples of the limit on the bus are none in memory, and cannot be told apart. */
int conflict_offset(const struct demand *demand, enum limit limit, struct refusal *refusal);

/* Each bus window is too small. */
int conflict_room(const struct demand *demand, struct refusal *refusal);
