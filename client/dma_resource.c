/* SPDX-License-Identifier: MIT */
/*
 * Owns mappings of registers and memory of devices, for other devices.
 *
 * Invariant: nothing here reads or writes what is mapped. Refuses to guess where a BAR is: where
 * the kernel does not tell, only an IOMMU knows.
 */
#include "dma_map.h"
#include "dma_part.h"
#include "dma_watch.h"
#include "handle.h"

#include <errno.h>

/* In the IOMMU. */
static int map_pages(const struct map_ask *ask, struct part *part)
{
        const struct dma_reach *reach = &ask->device->reach;
        int r;

        r = part_try_pages(ask, part->memory, part->length, part);
        if (r != -EAGAIN)
                return r;
        return error_set(-PAR_NEVER_FITS,
                         "%zu bytes of a BAR at %p: the limits of device %s (align %#llx, and the "
                         "bits %#llx of the pointer) do not go with whole pages",
                         part->length, (void *)part->memory, ask->device->name,
                         (unsigned long long)reach->limits.align_bytes,
                         (unsigned long long)reach->min_align_mask);
}

/* At its own address. */
static int map_bus(const struct map_ask *ask, enum bar_place place, uint64_t phys,
                   struct part *part)
{
        const struct dma_reach *reach = &ask->device->reach;

        if (place == BAR_UNKNOWN)
                return error_set(-ENOTSUP,
                                 "the kernel does not tell where the BAR at %p is, and device %s "
                                 "is behind no IOMMU that could map it",
                                 (void *)part->memory, ask->device->name);
        if (reach_see(reach, phys, part->length, &part->dma) &&
            reach_takes(reach, (uintptr_t)part->memory, part->dma, part->length))
                return 0;
        return error_set(-PAR_NEVER_FITS,
                         "device %s does not reach %zu bytes of a BAR at %#llx in one segment",
                         ask->device->name, part->length, (unsigned long long)phys);
}

int par_map_resource(struct par_device *device, const volatile void *pointer, size_t length,
                     enum par_direction direction, const struct par_map_options *options,
                     struct par_mapping *ret)
{
        struct part part = { .memory = (char *)(uintptr_t)pointer, .length = length };
        enum bar_place place;
        struct map_ask ask;
        uint64_t phys;
        int r;

        if (!ret)
                return error_set(-EINVAL, "no place for the mapping");
        *ret = (struct par_mapping){ .dma = 0 };
        r = map_ask_init(&ask, device, direction, options, 1, __builtin_return_address(0));
        if (!r && ask.flags)
                r = error_set(-EINVAL, "options: a BAR takes no flags");
        if (!r)
                r = map_ask_check(part.memory, length);
        if (r)
                return r;
        ask.max_segments = 1;
        (void)bar_maps_read(&device->par->bars); /* from now on par_map() knows it */
        place = bar_maps_find(&device->par->bars, range_of((uintptr_t)pointer, length), &phys);
        if (place == BAR_NONE)
                return error_set(-PAR_INVALID,
                                 "%zu bytes at %p are no registers or memory of a device, as far "
                                 "as /proc/self/maps tells",
                                 length, (void *)part.memory);
        r = ask.view < VIEW_DEVICES ? map_pages(&ask, &part) : map_bus(&ask, place, phys, &part);
        if (r)
                return r;
        mapping_set_resource(ret, &ask, &part);
        if (debug_on())
                watch_mapped(ret, ask.label, NULL, 0, DEBUG_CALL);
        return 0;
}
