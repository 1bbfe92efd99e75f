/* SPDX-License-Identifier: MIT */
/*
 * An NVMe controller driven from user space: one queue for administration, one for reading and
 * writing the first namespace, one command at a time. All its memory is pard's.
 */
#pragma once

#include "pci.h"

#include <par.h>

#define NVME_PAGE_BYTES 4096u

/* One command, and what the controller answers; both little-endian. */
struct nvme_command {
        uint8_t opcode, flags;
        uint16_t id;
        uint32_t namespace_id;
        uint64_t reserved, metadata;
        uint64_t prp1, prp2; /* the first page; the second, or a list of all further ones */
        uint32_t dword10, dword11, dword12, dword13, dword14, dword15;
};

struct nvme_completion {
        uint32_t result, reserved;
        uint16_t queue_head, queue_id, id;
        uint16_t status; /* bit 0: the phase, which changes with each round of the queue */
};

/**
 * struct nvme_queue - commands, and completions
 * @id:    0: administration
 * @tail:  where the next command goes
 * @head:  where the next completion comes
 * @phase: of completions that are new
 */
struct nvme_queue {
        struct nvme_command *commands;
        volatile struct nvme_completion *completions;
        uint64_t commands_dma, completions_dma;
        unsigned id, tail, head, phase;
};

/**
 * struct nvme - one controller
 * @memory:          its queues, a page for what it says of itself, and one for lists
 * @list:            the latter: addresses of pages, at @list_dma
 * @doorbell_stride: bytes from one doorbell to the next
 * @block_bytes:     of a logical block
 * @blocks:          of the namespace
 * @max_pages:       a command may move
 */
struct nvme {
        struct pci_device pci;
        struct par_buffer *memory;
        struct nvme_queue admin, io;
        void *identity;
        uint64_t *list;
        uint64_t identity_dma, list_dma;
        size_t doorbell_stride, block_bytes, max_pages;
        uint64_t blocks;
};

/**
 * nvme_open() - take the first of QEMU's controllers from the kernel and start it
 * @par: where its memory comes from; borrowed until nvme_close()
 * @ret: nvme_close() it, also on failure
 *
 * Return: 0; -ENODEV where there is none; -ETIMEDOUT; -EIO where it refuses a command; what
 * par_alloc() returns; another negative errno.
 */
int nvme_open(struct par *par, struct nvme *ret);

/* Stop the controller, then give its memory back; a zeroed struct is fine. */
void nvme_close(struct nvme *nvme);

/**
 * nvme_read(), nvme_write() - move whole pages
 * @block: the first block of the namespace
 * @pages: the dma address of each page
 * @count: 1 to @nvme->max_pages
 *
 * Return: 0; -EINVAL; -ETIMEDOUT; -EIO where the controller refuses.
 */
int nvme_read(struct nvme *nvme, uint64_t block, const uint64_t *pages, size_t count);
int nvme_write(struct nvme *nvme, uint64_t block, const uint64_t *pages, size_t count);
