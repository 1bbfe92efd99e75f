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

#include "debug_map.h"
#include "dma.h"
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
        dma_free(device->dma);
        free(device->name);
        free(device);
}

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

/* What its streaming mappings have to satisfy. Return: 0; -EPROTO. */
static int take_reach(struct dma_reach *reach, const struct par_constraint *limits,
                      const Wire__Device *wire)
{
        if (wire->n_windows > REACH_WINDOWS_MAX || wire->start_align & (wire->start_align - 1) ||
            wire->min_align_mask & (wire->min_align_mask + 1) ||
            limits->boundary & (limits->boundary - 1))
                return -EPROTO;
        for (size_t i = 0; i < wire->n_windows; i++) {
                const Wire__BusWindow *window = wire->windows[i];

                if (!window->length || window->cpu_first > UINT64_MAX - (window->length - 1) ||
                    window->dma_first > UINT64_MAX - (window->length - 1))
                        return -EPROTO;
                reach->windows[i] = (struct reach_window){
                        .phys = range_of(window->cpu_first, window->length),
                        .offset = window->dma_first - window->cpu_first,
                };
        }
        reach->n_windows = wire->n_windows;
        reach_init(reach, limits, wire->start_align, wire->min_align_mask);
        return 0;
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
        return take_reach(&open->device->reach, &open->device->limits, reply->device_open);
}

/* Whose addresses it uses. Return: 0; -ENOMEM. */
static int know(struct lookup *lookup, struct par_device *device)
{
        uint32_t view;
        int r = lookup_view(lookup, device->name, &view);

        if (!r)
                atomic_init(&device->view, view);
        return r;
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
        if (!r && (!open.device->name || know(&par->lookup, open.device) ||
                   !(open.device->dma = dma_new(open.device))))
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
        int r;

        if (device->io_space) {
                mapper->ops->free(mapper);
                return error_set(-EBUSY, "device %s is attached to a container already",
                                 device->name);
        }
        r = io_space_get(&device->par->io_spaces, mapper, fd, &user, &device->io_space);
        if (!r) {
                atomic_store_explicit(&device->view, io_space_number(device->io_space),
                                      memory_order_release);
                bounce_retire(&device->dma->bounce);
        }
        return r;
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
        if (par->owner)
                debug_map_tell_leaks(device, DEBUG_CALL);
        dma_close(device->dma);
        pthread_mutex_lock(&par->lock);
        LIST_REMOVE(device, link);
        device_free(device);
        pthread_mutex_unlock(&par->lock);
}
