/* SPDX-License-Identifier: MIT */
/* Owns nothing. At most one command is in a queue, so none is ever full. */
#include "nvme_queue.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define DOORBELLS       0x1000
#define TIMEOUT_SECONDS 10
#define STATUS_PHASE    1u

void nvme_queue_init(unsigned id, void *memory, const uint64_t dma[2], struct nvme_queue *ret)
{
        *ret = (struct nvme_queue){
                .commands = memory,
                .completions = (void *)((char *)memory + NVME_PAGE_BYTES),
                .commands_dma = dma[0],
                .completions_dma = dma[1],
                .id = id,
                .phase = 1,
        };
}

static void ring(const struct nvme *nvme, const struct nvme_queue *queue, unsigned completions,
                 unsigned value)
{
        size_t at = DOORBELLS + (2 * (size_t)queue->id + completions) * nvme->doorbell_stride;

        /* The controller must see what was written to memory before. */
        atomic_thread_fence(memory_order_seq_cst);
        pci_write32(&nvme->pci, at, value);
}

static int wait_for_completion(const struct nvme_queue *queue)
{
        time_t deadline = time(NULL) + TIMEOUT_SECONDS;

        while ((queue->completions[queue->head].status & STATUS_PHASE) != queue->phase) {
                if (time(NULL) > deadline)
                        return -ETIMEDOUT;
                sched_yield();
        }
        atomic_thread_fence(memory_order_acquire);
        return 0;
}

int nvme_command_run(struct nvme *nvme, struct nvme_queue *queue, struct nvme_command *command)
{
        unsigned status;
        int r;

        command->id = (uint16_t)queue->tail;
        queue->commands[queue->tail] = *command;
        queue->tail = (queue->tail + 1) % NVME_QUEUE_ENTRIES;
        ring(nvme, queue, 0, queue->tail);

        r = wait_for_completion(queue);
        if (r)
                return r;
        status = queue->completions[queue->head].status >> 1;
        queue->head = (queue->head + 1) % NVME_QUEUE_ENTRIES;
        if (queue->head == 0)
                queue->phase ^= 1;
        ring(nvme, queue, 1, queue->head);
        return status ? -EIO : 0;
}
