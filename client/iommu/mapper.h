/* SPDX-License-Identifier: MIT */
/*
 * What maps memory for devices: a VFIO container; in tests a table of calls. The seam between the
 * plan of I/O addresses and the kernel.
 */
#pragma once

#include "range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapper;

/* enum io_access - what the device may do with memory that is mapped; all zero: anything */
enum io_access { IO_READ_WRITE, IO_READ, IO_WRITE, IO_ACCESSES };

/* A container with more usable ranges than this is refused. */
#define MAPPER_RANGES_MAX 64

/**
 * struct mapper_facts - what a mapper can do
 * @ranges:     @n_ranges usable ones, as the kernel says; none: it does not say
 * @page_sizes: a bit each
 * @room:       how many mappings it still takes; UINT32_MAX where it does not say
 */
struct mapper_facts {
        struct range ranges[MAPPER_RANGES_MAX];
        size_t n_ranges;
        uint64_t page_sizes;
        uint32_t room;
};

/**
 * struct mapper_ops - what a mapper does
 * @describe: what it can do now. Return: 0; negative errno, with par_error() set
 * @map:      map @bytes of this process at @at to @iova, pinned: all or nothing. It is the
 *            process's memory as it is and will be, also where the device only reads. An IOMMU that
 *            cannot forbid what is not in @access lets the device do it. Return: 0;
 *            -EEXIST where something is mapped there; -EINVAL where the addresses are not usable;
 *            -ENOSPC where it takes no more mappings; -ENOMEM where the memory may not be locked,
 *            or there is none; another negative errno
 * @unmap:    undo one call of @map, with the same numbers. Return: 0; negative errno
 * @is:       whether this is the mapper of a descriptor; false where that cannot be known
 * @free:     give everything back but the mappings
 */
struct mapper_ops {
        int (*describe)(struct mapper *mapper, struct mapper_facts *ret);
        int (*map)(struct mapper *mapper, void *at, uint64_t iova, uint64_t bytes,
                   enum io_access access);
        int (*unmap)(struct mapper *mapper, uint64_t iova, uint64_t bytes);
        bool (*is)(const struct mapper *mapper, int fd);
        void (*free)(struct mapper *mapper);
};

/**
 * struct mapper - embedded by its implementations
 * @ops: its @map and @unmap may be called by several threads
 * @fd:  the container, for a child of fork() that can do no more than close it
 */
struct mapper {
        const struct mapper_ops *ops;
        int fd;
};
