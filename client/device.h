/* SPDX-License-Identifier: MIT */
/*
 * A device by the name under which the daemon knows it, and where its memory is mapped for it.
 */
#pragma once

#include "public.h"

#include <sys/queue.h>

struct io_space;

/**
 * struct par_device - an open device
 * @par:  whose; borrowed
 * @name: as the daemon says it; owned
 * @limits: as the daemon said when it was opened
 * @io_space: of the VFIO container that it is attached to, a reference; NULL: none
 */
struct par_device {
        LIST_ENTRY(par_device) link; /* par::devices */
        struct par *par;
        char *name;
        struct par_constraint limits;
        struct io_space *io_space;
};

LIST_HEAD(device_list, par_device);

/* Free the object; the lock of the handle is held where it is attached. NULL is fine. */
void device_free(struct par_device *device);
