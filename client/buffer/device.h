/* SPDX-License-Identifier: MIT */
/*
 * A device by the name under which the daemon knows it, and where its memory is mapped for it.
 */
#pragma once

#include "device_reach.h"
#include "public.h"

#include <stdatomic.h>
#include <sys/queue.h>

struct dma;
struct io_space;

/**
 * struct par_device - an open device
 * @par:  whose; borrowed
 * @name: as the daemon says it; owned
 * @limits: as the daemon said when it was opened
 * @start_align: what of their align is asked of memory wherever it is from, as start_align of
 *         proto/par.proto; all of it is asked of what is allocated for the device
 * @view: whose addresses those of its buffers are; see lookup.h. Read without the lock
 * @io_space: of the VFIO container that it is attached to, a reference; NULL: none
 * @reach: what its streaming mappings have to satisfy
 * @dma: what they share; owned
 */
struct par_device {
        LIST_ENTRY(par_device) link; /* par::devices */
        struct par *par;
        char *name;
        struct par_constraint limits;
        uint64_t start_align;
        _Atomic(uint32_t) view;
        struct io_space *io_space;
        struct device_reach reach;
        struct dma *dma;
};

LIST_HEAD(device_list, par_device);

/* The space of the container that a device is attached to, with a reference; NULL: to none. Takes
 * the lock of the handle. */
struct io_space *device_io_space(const struct par_device *device);
