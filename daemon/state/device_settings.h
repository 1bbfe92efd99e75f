/* SPDX-License-Identifier: MIT */
/*
 * What is known of a device: from the configuration, and from sysfs where it is a PCI device.
 */
#pragma once

#include "constraint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_WINDOWS_MAX        8   /* of one device */
#define PCI_ADDRESS_BYTES      13  /* "0000:01:00.0" and a NUL */
#define REQUEST_DEVICES_MAX    4   /* named in one request ... */
#define DEVICES_TEXT_BYTES_MAX 255 /* ... each with at most 63 bytes, and the commas */

/**
 * struct bus_window - memory that a device sees, and where it sees it
 * @cpu:       its physical addresses
 * @dma_first: the bus address of the first of them; all are there, cpu.first up to cpu.last
 *
 * The kernel's struct bus_dma_region.
 */
struct bus_window {
        struct range cpu;
        uint64_t dma_first;
};

/**
 * struct pci_facts - what sysfs says of a PCI device
 * @known:         it was there when pard looked
 * @dma_mask_bits: the highest address that its driver has asked for, 1 to 64; 64 is no limit
 * @node:          NUMA node that it is near to; -1: none
 * @iommu_group:   -1: none
 */
struct pci_facts {
        bool known;
        unsigned dma_mask_bits;
        int node, iommu_group;
};

/**
 * struct device_settings - a device as configured
 * @name:           owned
 * @limits:         its own limits, of bus addresses; size_bytes is not used
 * @min_align_mask: 2^n - 1: an offset in the buffer and its bus address are the same in these bits
 * @granularity_bytes: power of two; each segment begins on a multiple of it and is a multiple of it
 *                  long
 * @nodes:          bit n: memory of NUMA node n will do; 0: any
 * @windows:        @n_windows of them, which overlap neither in memory nor on the bus; the device
 *                  reaches nothing else. None: it sees all memory where the processor does
 * @pci:            its PCI address; "": it has none
 * @facts:          of @pci
 */
struct device_settings {
        char *name;
        struct constraint limits;
        uint64_t min_align_mask, granularity_bytes;
        uint64_t nodes;
        struct bus_window windows[BUS_WINDOWS_MAX];
        size_t n_windows;
        char pci[PCI_ADDRESS_BYTES];
        struct pci_facts facts;
};

/* What every segment starts on a multiple of, in bytes: the strictest of align, min_align_mask and
 * granularity. */
static inline uint64_t device_align_bytes(const struct device_settings *device)
{
        uint64_t align = device->limits.align_bytes;

        if (device->min_align_mask >= align)
                align = device->min_align_mask + 1;
        return device->granularity_bytes > align ? device->granularity_bytes : align;
}

/* The highest bus address that sysfs allows it. */
static inline uint64_t device_mask_last(const struct device_settings *device)
{
        return device->facts.known ? UINT64_MAX >> (64 - device->facts.dma_mask_bits) : UINT64_MAX;
}
