/* SPDX-License-Identifier: MIT */
/*
 * Where the registers and memories of PCI devices are (their BARs), and the windows of bridges.
 */
#pragma once

#include "range.h"

/**
 * bars_each() - call a function for each of them
 * @devices: NULL: /sys/bus/pci/devices; a folder like it. Where it is not there, there are none
 * @each:    with @data
 */
void bars_each(const char *devices, void (*each)(void *data, struct range bar), void *data);
