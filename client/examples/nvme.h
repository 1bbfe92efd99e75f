/* SPDX-License-Identifier: MIT */
/*
 * An NVMe controller, as far as nvme_io.c needs it of the specification: a queue of administration
 * and one for reading and writing. Whose memory these are in is not known here.
 */
#pragma once

#include "nvme_queue.h"

#define NVME_CAPABILITIES  0x00
#define NVME_CONFIGURATION 0x14
#define NVME_STATUS        0x1c
#define NVME_ADMIN_SIZES   0x24
#define NVME_ADMIN_QUEUE   0x28
#define NVME_ADMIN_DONE    0x30

#define NVME_ENABLE      1u
#define NVME_ENTRY_SIZES (6u << 16 | 4u << 20) /* of 64 and 16 bytes */
#define NVME_READY       1u

/* Commands; the first three are for the queue of administration. */
#define NVME_CREATE_QUEUE       1
#define NVME_CREATE_COMPLETIONS 5
#define NVME_IDENTIFY           6
#define NVME_WRITE              1
#define NVME_READ               2

#define NVME_IDENTIFY_NAMESPACE 0u
#define NVME_IDENTIFY_SELF      1u
#define NVME_QUEUE_CONTIGUOUS   1u

static inline int nvme_enable(const struct nvme *nvme, bool on)
{
        time_t deadline = time(NULL) + NVME_TIMEOUT_SECONDS;

        pci_write32(&nvme->pci, NVME_CONFIGURATION, on ? NVME_ENABLE | NVME_ENTRY_SIZES : 0);
        while ((pci_read32(&nvme->pci, NVME_STATUS) & NVME_READY) != on) {
                if (time(NULL) > deadline)
                        return -ETIMEDOUT;
                usleep(1000);
        }
        return 0;
}

/**
 * nvme_start() - start a controller
 * @nvme: opened with pci_open(), and with its queues; nvme_stop() it, also on failure
 *
 * Return: 0; -ETIMEDOUT.
 */
static inline int nvme_start(struct nvme *nvme)
{
        uint32_t size = NVME_QUEUE_ENTRIES - 1; /* counted from 0 */
        int r;

        r = nvme_enable(nvme, false);
        if (r)
                return r;
        nvme->doorbell_stride = (size_t)4
                                << (pci_read64(&nvme->pci, NVME_CAPABILITIES) >> 32 & 0xf);
        pci_write32(&nvme->pci, NVME_ADMIN_SIZES, size << 16 | size);
        pci_write64(&nvme->pci, NVME_ADMIN_QUEUE, nvme->admin.commands_dma);
        pci_write64(&nvme->pci, NVME_ADMIN_DONE, nvme->admin.completions_dma);
        return nvme_enable(nvme, true);
}

/* Have the controller write what it says of itself, or of a namespace, to a page. Return: what
 * nvme_run() returns. */
static inline int nvme_identify(struct nvme *nvme, uint32_t what, uint32_t namespace_id,
                                uint64_t page_dma)
{
        struct nvme_command command = {
                .opcode = NVME_IDENTIFY,
                .namespace_id = namespace_id,
                .prp1 = page_dma,
                .dword10 = what,
        };

        return nvme_run(nvme, &nvme->admin, &command);
}

/* Make the queue for reading and writing known. Return: what nvme_run() returns. */
static inline int nvme_create_io_queue(struct nvme *nvme)
{
        uint32_t size_and_id = (NVME_QUEUE_ENTRIES - 1) << 16 | nvme->io.id;
        struct nvme_command completions = {
                .opcode = NVME_CREATE_COMPLETIONS,
                .prp1 = nvme->io.completions_dma,
                .dword10 = size_and_id,
                .dword11 = NVME_QUEUE_CONTIGUOUS,
        };
        struct nvme_command commands = {
                .opcode = NVME_CREATE_QUEUE,
                .prp1 = nvme->io.commands_dma,
                .dword10 = size_and_id,
                .dword11 = nvme->io.id << 16 | NVME_QUEUE_CONTIGUOUS,
        };
        int r;

        r = nvme_run(nvme, &nvme->admin, &completions);
        return r ? r : nvme_run(nvme, &nvme->admin, &commands);
}

/* Stop the controller: from here on it writes to no memory. A zeroed struct is fine. */
static inline void nvme_stop(struct nvme *nvme)
{
        if (nvme->pci.registers)
                (void)nvme_enable(nvme, false);
        pci_close(&nvme->pci);
}
