/* SPDX-License-Identifier: MIT */
/*
 * Owns the open devices of a handle. A device here is a name that the daemon has confirmed: the
 * daemon applies the limits to each request. Only behind an IOMMU, where the limits are not about
 * memory, they are applied here, as the daemon said them.
 *
 * Invariant: each device is in its handle's list until it is closed. Refuses to guess: what the
 * daemon does not know cannot be opened.
 */
#include "device.h"

#include "handle.h"
#include "vfio.h"

#include "macros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* DeviceOpen, with the device that its reply names. */
struct device_request {
        struct request request;
        struct par_device *device;
        const char *asked;
};

void device_free(struct par_device *device)
{
        if (!device)
                return;
        io_space_unref(device->io_space);
        free(device->name);
        free(device);
}

static struct par_constraint limits_of(const Wire__Constraint *wire)
{
        return (struct par_constraint){
                .addr_min = wire->addr_min,
                .addr_max = wire->addr_max,
                .align = wire->align,
                .boundary = wire->boundary,
                .max_segment_bytes = wire->max_segment_bytes,
                .max_segments = wire->max_segments,
                .nodes = wire->nodes,
        };
}

static int take_device(struct request *request, const Wire__Reply *reply, struct packet *packet)
{
        struct device_request *open = CONTAINER_OF(request, struct device_request, request);
        const char *name;

        (void)packet;
        if (reply->body_case != WIRE__REPLY__BODY_DEVICE_OPEN)
                return -EPROTO;
        name = reply->device_open->name;
        open->device->name = strdup(*name ? name : open->asked);
        if (reply->device_open->limits)
                open->device->limits = limits_of(reply->device_open->limits);
        return 0;
}

int par_device_open(struct par *par, const char *name_or_pci, struct par_device **ret)
{
        Wire__DeviceOpen body = WIRE__DEVICE_OPEN__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        struct device_request open = { .request.take = take_device, .asked = name_or_pci };
        int r;

        if (ret)
                *ret = NULL;
        r = handle_check(par);
        if (r)
                return r;
        if (!name_or_pci || !ret)
                return error_set(-EINVAL, "no %s", ret ? "name of a device" : "place for it");

        open.device = calloc(1, sizeof(*open.device));
        if (!open.device)
                return error_set(-ENOMEM, "no memory for a device");
        open.device->par = par;
        body.name = (char *)name_or_pci;
        message.body_case = WIRE__REQUEST__BODY_DEVICE_OPEN;
        message.device_open = &body;

        pthread_mutex_lock(&par->lock);
        r = connection_call(&par->connection, &message, &open.request);
        if (!r && !open.device->name)
                r = error_set(-ENOMEM, "no memory for a device");
        if (!r)
                LIST_INSERT_HEAD(&par->devices, open.device, link);
        handle_tell_dropped(par);
        pthread_mutex_unlock(&par->lock);

        if (r)
                device_free(open.device);
        else
                *ret = open.device;
        return r;
}

/* With the lock held; @mapper is consumed. */
static int attach(struct par_device *device, struct mapper *mapper, int fd)
{
        const struct io_user user = {
                .name = device->name,
                .last = device->limits.addr_max ? device->limits.addr_max : UINT64_MAX,
        };

        if (device->io_space) {
                mapper->ops->free(mapper);
                return error_set(-EBUSY, "device %s is attached to a container already",
                                 device->name);
        }
        return io_space_get(&device->par->io_spaces, mapper, fd, &user, &device->io_space);
}

int par_device_attach_vfio(struct par_device *device, int container_fd)
{
        struct mapper *mapper;
        int r;

        if (!device || container_fd < 0)
                return error_set(-EINVAL, "no %s", device ? "container" : "device");
        r = handle_check(device->par);
        if (!r)
                r = vfio_new(container_fd, &mapper);
        if (r)
                return r;

        pthread_mutex_lock(&device->par->lock);
        r = attach(device, mapper, container_fd);
        pthread_mutex_unlock(&device->par->lock);
        return r;
}

void par_device_close(struct par_device *device)
{
        struct par *par;

        if (!device || handle_check(device->par))
                return; /* in a child par_disconnect() frees it */
        par = device->par;
        pthread_mutex_lock(&par->lock);
        LIST_REMOVE(device, link);
        device_free(device);
        pthread_mutex_unlock(&par->lock);
}
