/* SPDX-License-Identifier: MIT */
/*
 * Queues of an NVMe controller: a command goes in, its completion comes out. At most one command is
 * in a queue, so none is ever full.
 */
#pragma once

#include "pci.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define NVME_PAGE_BYTES      4096u
#define NVME_QUEUE_ENTRIES   64u /* 64 bytes each: a page */
#define NVME_DOORBELLS       0x1000
#define NVME_PHASE           1u /* of a completion: changes with each round of the queue */
#define NVME_TIMEOUT_SECONDS 10

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
        uint16_t status; /* with NVME_PHASE */
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

/* @doorbell_stride: bytes from one doorbell to the next */
struct nvme {
        struct pci_device pci;
        struct nvme_queue admin, io;
        size_t doorbell_stride;
};

/**
 * nvme_queue_init() - an empty queue
 * @memory: two zeroed pages: commands, then completions
 * @dma:    of these two pages
 */
static inline void nvme_queue_init(unsigned id, void *memory, const uint64_t dma[2],
                                   struct nvme_queue *ret)
{
        *ret = (struct nvme_queue){
                .commands = memory,
                .completions = (void *)((char *)memory + NVME_PAGE_BYTES),
                .commands_dma = dma[0],
                .completions_dma = dma[1],
                .id = id,
                .phase = NVME_PHASE,
        };
}

static inline void nvme_ring(const struct nvme *nvme, const struct nvme_queue *queue,
                             unsigned completions, unsigned value)
{
        size_t at = NVME_DOORBELLS + (2 * (size_t)queue->id + completions) * nvme->doorbell_stride;

        /* The controller must see what was written to memory before. */
        atomic_thread_fence(memory_order_seq_cst);
        pci_write32(&nvme->pci, at, value);
}

static inline int nvme_await(const struct nvme_queue *queue)
{
        time_t deadline = time(NULL) + NVME_TIMEOUT_SECONDS;

        while ((queue->completions[queue->head].status & NVME_PHASE) != queue->phase) {
                if (time(NULL) > deadline)
                        return -ETIMEDOUT;
                sched_yield();
        }
        atomic_thread_fence(memory_order_acquire);
        return 0;
}

/**
 * nvme_run() - have the controller execute a command, and wait until it has
 * @command: borrowed; its id is filled in
 *
 * Return: 0; -ETIMEDOUT after ten seconds; -EIO where it refuses.
 */
static inline int nvme_run(struct nvme *nvme, struct nvme_queue *queue,
                           struct nvme_command *command)
{
        unsigned status;
        int r;

        command->id = (uint16_t)queue->tail;
        queue->commands[queue->tail] = *command;
        queue->tail = (queue->tail + 1) % NVME_QUEUE_ENTRIES;
        nvme_ring(nvme, queue, 0, queue->tail);

        r = nvme_await(queue);
        if (r)
                return r;
        status = queue->completions[queue->head].status >> 1;
        queue->head = (queue->head + 1) % NVME_QUEUE_ENTRIES;
        if (queue->head == 0)
                queue->phase ^= NVME_PHASE;
        nvme_ring(nvme, queue, 1, queue->head);
        return status ? -EIO : 0;
}
