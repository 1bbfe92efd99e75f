/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says of a PCI device.
 */
#pragma once

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
