/* SPDX-License-Identifier: MIT */
/*
 * What the system has reserved of the I/O addresses, by sysfs.
 */
#pragma once

#include "mapper.h"

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

/**
 * reserved_usable() - what is usable of a device's addresses, where the container does not say it
 * @devices: NULL: /sys/bus/pci/devices; a folder like it
 * @device:  its address there, such as "0000:00:03.0"
 * @last:    the highest address that it reaches; the IOMMU has to reach as far
 * @facts:   its ranges are set; none, where it fails
 *
 * Return: 0; -ENOENT where it is no such device, or has no IOMMU; -EINVAL where its list is not
 * understood; -EOVERFLOW where there are more ranges than MAPPER_RANGES_MAX; another negative
 * errno.
 */
int reserved_usable(const char *devices, const char *device, uint64_t last,
                    struct mapper_facts *facts);
