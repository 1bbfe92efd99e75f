/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says of a PCI device.
 */
#pragma once

#include <stdint.h>

/**
 * struct pci_device - as sysfs has it
 * @dma_mask_bits: address lines that its driver has asked for; 32 before there was one
 * @node:          NUMA node; -1: none
 * @iommu_group:   -1: none
 */
struct pci_device {
        unsigned dma_mask_bits;
        int node, iommu_group;
};

/**
 * pci_device_read() - look a device up
 * @root:    where /sys is: "" on a real machine
 * @address: in the form of sysfs, "0000:01:00.0"; anything else is not looked for
 *
 * Return: 0; -EINVAL where @address is none; -ENOENT where there is no such device; -EBADMSG where
 * there is something else than a number; other negative errno.
 */
int pci_device_read(const char *root, const char *address, struct pci_device *ret);

/**
 * pci_is_master() - whether a device may read and write memory by itself now
 * @root:   where /sys is: "" on a real machine
 * @device: as pci_address.h has it
 *
 * Reads its command register, which may take as long as a reset of the device does.
 *
 * Return: 1; 0: it may not, or there is no such device; -EIO where it does not answer; other
 * negative errno.
 */
int pci_is_master(const char *root, uint32_t device);
