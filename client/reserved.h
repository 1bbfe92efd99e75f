/* SPDX-License-Identifier: MIT */
/*
 * What the system has reserved of the I/O addresses, by sysfs.
 */
#pragma once

#include "range.h"

#include <stdbool.h>
#include <stddef.h>

#define RESERVED_KIND_BYTES 32

/**
 * reserved_kind() - what an address that the IOMMU does not map is reserved for
 * @groups: NULL: /sys/kernel/iommu_groups; a folder like it
 * @window: addresses
 * @kind:   of a reserved region of some group that reaches into @window: "msi", "direct" ...
 *
 * A container does not tell its groups, so all of them are asked: on one machine they agree.
 *
 * Return: whether there is one.
 */
bool reserved_kind(const char *groups, struct range window, char kind[RESERVED_KIND_BYTES]);
