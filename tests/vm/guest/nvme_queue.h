/* SPDX-License-Identifier: MIT */
/*
 * Queues of an NVMe controller: a command goes in, its completion comes out.
 */
#pragma once

#include "nvme.h"

#define NVME_QUEUE_ENTRIES (NVME_PAGE_BYTES / sizeof(struct nvme_command)) /* of one page */

/**
 * nvme_queue_init() - an empty queue
 * @id:          its number
 * @memory:      two zeroed pages: commands, then completions
 * @dma:         of these two pages
 */
void nvme_queue_init(unsigned id, void *memory, const uint64_t dma[2], struct nvme_queue *ret);

/**
 * nvme_command_run() - have the controller execute a command, and wait until it has
 * @command: borrowed; its id is filled in
 *
 * Return: 0; -ETIMEDOUT after ten seconds; -EIO where it refuses.
 */
int nvme_command_run(struct nvme *nvme, struct nvme_queue *queue, struct nvme_command *command);
