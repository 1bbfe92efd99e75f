/* SPDX-License-Identifier: MIT */
/*
 * QEMU's edu device: 4 KiB of memory of its own, and an engine that copies between that and the
 * machine's. It drives 28 address lines: higher bits of an address are lost without a word.
 */
#pragma once

#include "pci.h"

#define EDU_DMA_BITS  28
#define EDU_BYTES     4095u /* of its own memory: QEMU 7.2 ends where the last of 4,096 is touched */
#define EDU_MAX_BYTES 4095u /* a transfer */

/**
 * edu_open() - find one and take it
 * @ret: pci_close() it
 *
 * Return: 0; -ENODEV where there is none; another negative errno.
 */
int edu_open(struct pci_device *ret);

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
int edu_fetch(const struct pci_device *edu, uint64_t dma, uint32_t offset, uint32_t bytes);
int edu_store(const struct pci_device *edu, uint64_t dma, uint32_t offset, uint32_t bytes);
