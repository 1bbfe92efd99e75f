/* SPDX-License-Identifier: MIT */
/* The devices that a request may name, with their limits. */
#include "commands.h"
#include "listing.h"
#include "macros.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WINDOWS_BYTES 640 /* room for 8 of them */

static const struct column columns[] = {
        { "device", CELL_TEXT, SHOW_ALWAYS },
        { "addr_min", CELL_ADDRESS, SHOW_UNUSUAL },
        { "addr_max", CELL_ADDRESS, SHOW_ALWAYS },
        { "addr_max_set_by", CELL_TEXT, SHOW_WIDE },
        { "align", CELL_SIZE, SHOW_ALWAYS },
        { "boundary", CELL_SIZE, SHOW_ALWAYS },
        { "max_segments", CELL_NUMBER, SHOW_ALWAYS },
        { "max_segment_bytes", CELL_SIZE, SHOW_UNUSUAL },
        { "min_align_mask", CELL_ADDRESS, SHOW_JSON },
        { "granularity", CELL_SIZE, SHOW_JSON },
        { "nodes", CELL_ADDRESS, SHOW_UNUSUAL },
        { "pci", CELL_TEXT, SHOW_WIDE },
        { "present", CELL_BOOL, SHOW_UNUSUAL },
        { "numa_node", CELL_NUMBER, SHOW_WIDE },
        { "iommu_group", CELL_NUMBER, SHOW_WIDE },
        { "bus_windows", CELL_TEXT, SHOW_BELOW },
};

/* "memory 0x40000000 to 0xffffffff at 0x0, ...". */
static void windows_text(const Wire__DeviceRow *device, char text[WINDOWS_BYTES])
{
        size_t n = 0;

        text[0] = '\0';
        for (size_t i = 0; i < device->n_windows && n < WINDOWS_BYTES; i++) {
                const Wire__BusWindow *window = device->windows[i];

                n += (size_t)snprintf(text + n, WINDOWS_BYTES - n,
                                      "%s0x%" PRIx64 " to 0x%" PRIx64 " at bus address 0x%" PRIx64,
                                      i ? ", " : "sees memory ", window->cpu_first,
                                      window->cpu_first + (window->length - 1), window->dma_first);
        }
}

static const char *addr_max_setter(const Wire__DeviceRow *device, const Wire__Constraint *limits)
{
        if (!limits->addr_max)
                return NULL;
        return device->addr_max_from_sysfs ? "sysfs" : "configuration";
}

static void fill(const void *row, struct cell cells[LISTING_COLUMNS_MAX])
{
        static char windows[WINDOWS_BYTES]; /* cells are copied before the next row */
        const Wire__DeviceRow *device = row;
        const Wire__Constraint none = WIRE__CONSTRAINT__INIT;
        const Wire__Constraint *limits = device->limits ? device->limits : &none;

        windows_text(device, windows);
        const struct cell values[] = {
                CELL_TEXT_OF(device->device),
                CELL_OF(limits->addr_min),
                CELL_IF(limits->addr_max != 0, limits->addr_max),
                CELL_TEXT_OF(addr_max_setter(device, limits)),
                CELL_IF(limits->align > 1, limits->align),
                CELL_IF(limits->boundary != 0, limits->boundary),
                CELL_IF(limits->max_segments && limits->max_segments != UINT32_MAX,
                        limits->max_segments),
                CELL_IF(limits->max_segment_bytes != 0, limits->max_segment_bytes),
                CELL_IF(device->min_align_mask != 0, device->min_align_mask),
                CELL_IF(device->granularity > 1, device->granularity),
                CELL_IF(limits->nodes != 0, limits->nodes),
                CELL_TEXT_OF(device->pci),
                CELL_YES_IF(!device->missing),
                listing_node(device->numa_node),
                listing_node(device->iommu_group),
                CELL_TEXT_OF(windows),
        };

        _Static_assert(ARRAY_SIZE(values) == ARRAY_SIZE(columns), "a cell for each column");
        memcpy(cells, values, sizeof(values));
}

static struct listing_page page(const Wire__Reply *reply)
{
        return (struct listing_page){
                .rows = (void *const *)reply->devices->devices,
                .n = reply->devices->n_devices,
                .next_cursor = reply->devices->next_cursor,
        };
}

static int show(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        static const struct listing listing = {
                .body = WIRE__REQUEST__BODY_DEVICES,
                .reply = WIRE__REPLY__BODY_DEVICES,
                .page = page,
                .fill = fill,
        };

        return listing_show(&listing, arguments, ask, output);
}

const struct command command_devices = {
        .name = "devices",
        .takes = TAKES_SORT,
        .summary = "Show the devices that a request may name, and their limits",
        .help = "Limits are from pard's configuration, and for a PCI device from sysfs as well: "
                "addr_max_set_by tells which of the two has the lower address. A PCI device that "
                "was not there when the configuration was read is not present, and cannot be used "
                "until \"parctl reload\" finds it.\n\nalign is the strictest of the "
                "configuration's align, min_align_mask and granularity. nodes is a mask of NUMA "
                "nodes whose memory will do, numa_node the one that the device is near to. Below "
                "the list stands which devices see memory elsewhere than the processor does.",
        .columns = columns,
        .n_columns = ARRAY_SIZE(columns),
        .show = show,
};
