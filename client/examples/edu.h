/* SPDX-License-Identifier: MIT */
/*
 * QEMU's edu device, as its data sheet (docs/specs/edu.rst of QEMU) has it: 4 KiB of memory of its
 * own, and an engine that copies between that and the machine's. It drives 28 address lines: higher
 * bits of an address are lost without a word.
 */
#pragma once

#include "pci.h"

#define EDU_DMA_BITS  28
#define EDU_BYTES     4095u /* of its own memory: QEMU 7.2 ends where the last of 4,096 is touched */
#define EDU_MAX_BYTES 4095u /* a transfer */

/* Registers, and where its own memory is for its engine. */
#define EDU_IDENTITY   0x00
#define EDU_SOURCE     0x80
#define EDU_TARGET     0x88
#define EDU_COUNT      0x90
#define EDU_COMMAND    0x98
#define EDU_OWN_MEMORY 0x40000u

#define EDU_IDENTITY_MASK  0xffffu
#define EDU_IDENTITY_VALUE 0x00edu
#define EDU_COMMAND_START  1u /* stays set until it is done */
#define EDU_COMMAND_STORE  2u /* from its own memory to the machine's */

#define EDU_TRANSFER_US 100000 /* what any transfer takes */
#define EDU_POLL_US     1000
#define EDU_POLLS       900

/* Return: 0; -ENODEV where this is no edu, or not enabled; what pci_open() returns. */
static inline int edu_open(const char *address, struct pci_device *ret)
{
        int r;

        r = pci_open(address, ret);
        if (r)
                return r;
        return (pci_read32(ret, EDU_IDENTITY) & EDU_IDENTITY_MASK) == EDU_IDENTITY_VALUE ? 0
                                                                                         : -ENODEV;
}

/* Start a transfer and wait for its end. */
static inline int edu_run(const struct pci_device *edu, uint64_t source, uint64_t target,
                          uint32_t bytes, uint32_t direction)
{
        pci_write64(edu, EDU_SOURCE, source);
        pci_write64(edu, EDU_TARGET, target);
        pci_write64(edu, EDU_COUNT, bytes);
        pci_write64(edu, EDU_COMMAND, EDU_COMMAND_START | direction);
        usleep(EDU_TRANSFER_US);
        for (int i = 0; i < EDU_POLLS; i++) {
                if (!(pci_read64(edu, EDU_COMMAND) & EDU_COMMAND_START))
                        return 0;
                usleep(EDU_POLL_US);
        }
        return -ETIMEDOUT;
}

static inline bool edu_fits(uint32_t offset, uint32_t bytes)
{
        return bytes > 0 && bytes <= EDU_MAX_BYTES && offset <= EDU_BYTES - bytes;
}

/**
 * edu_fetch(), edu_store() - copy from the machine's memory to its own, and the other way
 * @dma:    address in the machine's memory, as the device sees it
 * @offset: where in its own
 * @bytes:  1 to EDU_MAX_BYTES; @offset + @bytes is at most EDU_BYTES
 *
 * Both wait until the device says that it is done, which it does also where it has moved nothing,
 * or something else: look at the data.
 *
 * Return: 0; -EINVAL; -ETIMEDOUT after a second of the device's time.
 */
static inline int edu_fetch(const struct pci_device *edu, uint64_t dma, uint32_t offset,
                            uint32_t bytes)
{
        if (!edu_fits(offset, bytes))
                return -EINVAL;
        return edu_run(edu, dma, EDU_OWN_MEMORY + offset, bytes, 0);
}

static inline int edu_store(const struct pci_device *edu, uint64_t dma, uint32_t offset,
                            uint32_t bytes)
{
        if (!edu_fits(offset, bytes))
                return -EINVAL;
        return edu_run(edu, EDU_OWN_MEMORY + offset, dma, bytes, EDU_COMMAND_STORE);
}
