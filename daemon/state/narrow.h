/* SPDX-License-Identifier: MIT */
/*
 * A demand, narrowed by the devices that it names.
 */
#pragma once

#include "demand.h"

/**
 * narrow_by_devices() - narrow limits, nodes and reach
 * @names:  separated by commas, REQUEST_DEVICES_MAX at most; NULL or "": none
 * @demand: its limits, nodes, granularity_bytes, set_by and windows_of are narrowed
 * @reach:  in: as reach_init() has it; out: the memory that all of them see
 * @refusal: filled with a result above 0
 *
 * Return: 0; PAR_REFUSED_INVALID where there is no such device; PAR_REFUSED_NEVER_FITS where
 * nothing is left.
 */
int narrow_by_devices(const struct state *state, const char *names, struct demand *demand,
                      struct reach *reach, struct refusal *refusal);
