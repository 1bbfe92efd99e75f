/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing: what others ask of an open device, which devices.c opens and closes.
 */
#include "device.h"

#include "handle.h"

struct io_space *device_io_space(const struct par_device *device)
{
        struct io_space *space;

        pthread_mutex_lock(&device->par->lock);
        space = device->io_space;
        if (space)
                io_space_ref(space);
        pthread_mutex_unlock(&device->par->lock);
        return space;
}
