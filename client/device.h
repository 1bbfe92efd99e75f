/* SPDX-License-Identifier: MIT */
/*
 * A device by the name under which the daemon knows it.
 */
#pragma once

#include "public.h"

#include <sys/queue.h>

/**
 * struct par_device - an open device
 * @par:  whose; borrowed
 * @name: as the daemon says it; owned
 */
struct par_device {
        LIST_ENTRY(par_device) link; /* par::devices */
        struct par *par;
        char *name;
};

LIST_HEAD(device_list, par_device);

/* Free the object; NULL is fine. */
void device_free(struct par_device *device);
