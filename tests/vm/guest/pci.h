/* SPDX-License-Identifier: MIT */
/*
 * A PCI device through sysfs, without a kernel driver and without an IOMMU. Takes root.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * struct pci_device - one device with its first register window mapped
 * @address:        such as "0000:00:03.0"
 * @registers:      BAR 0
 * @register_bytes: its size
 */
struct pci_device {
        char address[16];
        volatile unsigned char *registers;
        size_t register_bytes;
};

/**
 * pci_open() - take the first device of a kind from the kernel, and let it do DMA
 * @vendor, @device: the ids
 * @ret:             pci_close() it
 *
 * A kernel driver is unbound; it stays so.
 *
 * Return: 0; -ENODEV where there is none; another negative errno.
 */
int pci_open(uint16_t vendor, uint16_t device, struct pci_device *ret);

/* No more DMA, and no registers; a zeroed struct is fine. */
void pci_close(struct pci_device *pci);

/* Registers, little-endian as the processor is. */
static inline uint32_t pci_read32(const struct pci_device *pci, size_t at)
{
        return *(const volatile uint32_t *)(pci->registers + at);
}

static inline uint64_t pci_read64(const struct pci_device *pci, size_t at)
{
        return *(const volatile uint64_t *)(pci->registers + at);
}

static inline void pci_write32(const struct pci_device *pci, size_t at, uint32_t value)
{
        *(volatile uint32_t *)(pci->registers + at) = value;
}

static inline void pci_write64(const struct pci_device *pci, size_t at, uint64_t value)
{
        *(volatile uint64_t *)(pci->registers + at) = value;
}
