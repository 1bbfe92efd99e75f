/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing: what is said of a device's mappings before there are any, and asked about them
 * later.
 */
#include "dma.h"
#include "handle.h"

#include "macros.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* May this process use the device? Return: 0; -EINVAL; -ECHILD. par_error() is set. */
static int check_device(const struct par_device *device)
{
        if (!device)
                return error_set(-EINVAL, "no device");
        return handle_check(device->par);
}

/* ---- setting up ----------------------------------------------------------------------------- */

static bool is_power_of_two_or_none(uint64_t n)
{
        return !(n & (n - 1));
}

static int check_constraint(const struct par_constraint *constraint)
{
        uint64_t reserved = constraint->flags;

        for (size_t i = 0; i < ARRAY_SIZE(constraint->reserved); i++)
                reserved |= constraint->reserved[i];
        if (reserved)
                return error_set(-EINVAL, "constraint: flags or a reserved field is not zero");
        if (!is_power_of_two_or_none(constraint->align) ||
            !is_power_of_two_or_none(constraint->boundary))
                return error_set(-EINVAL, "constraint: align or boundary is no power of two");
        if (constraint->nodes)
                return error_set(-EINVAL, "constraint: nodes means nothing for a mapping");
        return 0;
}

static int check_setup(const struct par_map_setup *setup)
{
        uint64_t reserved = setup->flags;

        for (size_t i = 0; i < ARRAY_SIZE(setup->reserved); i++)
                reserved |= setup->reserved[i];
        if (reserved)
                return error_set(-EINVAL, "setup: flags or a reserved field is not zero");
        if (!is_power_of_two_or_none(setup->min_align_mask + 1) ||
            setup->min_align_mask >= BOUNCE_BUFFER_MAX)
                return error_set(-EINVAL,
                                 "min_align_mask %#llx: it takes a power of two, less one, below "
                                 "%#zx",
                                 (unsigned long long)setup->min_align_mask, BOUNCE_BUFFER_MAX);
        if (setup->pool && strlen(setup->pool) > BOUNCE_POOL_BYTES_MAX)
                return error_set(-EINVAL, "pool: %zu bytes, where at most %d are possible",
                                 strlen(setup->pool), BOUNCE_POOL_BYTES_MAX);
        return setup->constraint ? check_constraint(setup->constraint) : 0;
}

static void set_up(struct bounce *bounce, const struct par_map_setup *setup)
{
        if (setup->bounce_bytes_max)
                bounce->bytes_max = setup->bounce_bytes_max < BOUNCE_BYTES_MAX
                                            ? setup->bounce_bytes_max & ~(BOUNCE_GRANULE - 1)
                                            : BOUNCE_BYTES_MAX;
        if (setup->idle_ms)
                bounce->idle_after_ms = setup->idle_ms;
        snprintf(bounce->pool, sizeof(bounce->pool), "%s", setup->pool ? setup->pool : "");
        bounce_prepare(bounce);
}

int par_map_setup(struct par_device *device, const struct par_map_setup *setup)
{
        struct dma_reach reach;
        int r;

        r = check_device(device);
        if (!r && !setup)
                r = error_set(-EINVAL, "nothing to set up");
        if (!r)
                r = check_setup(setup);
        if (r)
                return r;
        if (atomic_load(&device->dma->used))
                return error_set(-EBUSY, "device %s has mappings, or had, or is set up already",
                                 device->name);
        reach = device->reach;
        if (setup->min_align_mask > reach.min_align_mask)
                reach.min_align_mask = setup->min_align_mask;
        if (setup->constraint && !reach_narrow(&reach, setup->constraint))
                return error_set(-PAR_NEVER_FITS,
                                 "the constraint and the limits of device %s have no address in "
                                 "common",
                                 device->name);
        device->reach = reach;
        set_up(&device->dma->bounce, setup);
        atomic_store(&device->dma->used, true);
        return 0;
}

/* ---- slots ---------------------------------------------------------------------------------- */

size_t par_device_max_mapping(const struct par_device *device)
{
        return device && device->dma ? bounce_bytes_max(&device->dma->bounce) : 0;
}

int par_bounce_reserve(struct par_device *device, size_t bytes)
{
        int r;

        r = check_device(device);
        if (r)
                return r;
        atomic_store(&device->dma->used, true);
        r = bounce_reserve(&device->dma->bounce, bytes);
        /* Where it cannot be read nothing is known of any, as ever. */
        if (!r && bar_maps_read(&device->par->bars) == -ENOMEM)
                return error_set(-ENOMEM, "no memory for the list of devices' memory");
        return r;
}

int par_bounce_trim(struct par_device *device, uint64_t *ret_bytes)
{
        uint64_t bytes;
        int r;

        if (ret_bytes)
                *ret_bytes = 0;
        r = check_device(device);
        if (r)
                return r;
        bytes = bounce_sweep(&device->dma->bounce, true);
        if (ret_bytes)
                *ret_bytes = bytes;
        return 0;
}

/* ---- what was done -------------------------------------------------------------------------- */

static uint64_t load(const _Atomic(uint64_t) *counter)
{
        return atomic_load_explicit(counter, memory_order_relaxed);
}

int par_map_stats(struct par_device *device, struct par_map_stats *ret)
{
        struct par_map_site sites[SITES_MAX];
        struct dma *dma;
        size_t n;
        int r;

        if (ret)
                *ret = (struct par_map_stats){ 0 };
        r = check_device(device);
        if (!r && !ret)
                r = error_set(-EINVAL, "no place for the statistics");
        if (r)
                return r;
        dma = device->dma;
        n = sites_list(&dma->sites, sites, SITES_MAX);
        for (size_t i = 0; i < n; i++) {
                ret->bounces += sites[i].bounces;
                ret->bytes_in += sites[i].bytes_in;
                ret->bytes_out += sites[i].bytes_out;
        }
        ret->failures = load(&dma->failures);
        ret->iommu_maps = load(&dma->pages.maps);
        ret->iommu_shared = load(&dma->pages.shared);
        bounce_stats(&dma->bounce, ret);
        return 0;
}

int par_map_sites(struct par_device *device, struct par_map_site *ret, size_t room,
                  size_t *ret_count)
{
        int r;

        if (ret_count)
                *ret_count = 0;
        r = check_device(device);
        if (!r && ((!ret && room) || !ret_count))
                r = error_set(-EINVAL, "no place for the sites");
        if (!r)
                *ret_count = sites_list(&device->dma->sites, ret, room);
        return r;
}
