/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads one device section. Limits that no buffer can meet are refused here, so that
 * a client is never told that its request can never fit for a reason nobody meant.
 */
#include "config_sections.h"
#include "units.h"

#include <stdlib.h>

static int read_segments(struct config_file *file, cfg_t *section, struct device_settings *device)
{
        struct constraint *limits = &device->limits;
        char text[UNIT_TEXT_BYTES];
        uint64_t count = SEGMENTS_ANY;
        int r;

        r = config_number(file, section, "max_segments", 1, UINT32_MAX - 1, &count);
        if (r)
                return r;
        limits->max_segments = (uint32_t)count;

        r = config_size(file, section, "max_segment_bytes", &limits->max_segment_bytes);
        if (r)
                return r;
        if (limits->max_segment_bytes && limits->max_segment_bytes < GRANULE_BYTES)
                return config_fail(file, section, "max_segment_bytes", "\"%s\" is less than 4K",
                                   config_string(section, "max_segment_bytes"));
        if (limits->max_segment_bytes && limits->max_segment_bytes < device_align_bytes(device))
                return config_fail(file, section, "max_segment_bytes",
                                   "\"%s\" is less than align (%s)",
                                   config_string(section, "max_segment_bytes"),
                                   size_exact(device_align_bytes(device), text));
        return 0;
}

static int read_alignment(struct config_file *file, cfg_t *section, struct constraint *limits)
{
        int r;

        limits->align_bytes = 1;
        r = config_power_of_two(file, section, "align", &limits->align_bytes);
        if (r)
                return r;
        r = config_power_of_two(file, section, "boundary", &limits->boundary_bytes);
        if (r)
                return r;
        if (limits->boundary_bytes && limits->boundary_bytes < GRANULE_BYTES)
                return config_fail(file, section, "boundary", "\"%s\" is less than 4K",
                                   config_string(section, "boundary"));
        return 0;
}

/* What align does as well; that they suit the pools is checked once those are known. */
static int read_units(struct config_file *file, cfg_t *section, struct device_settings *ret)
{
        int r;

        r = config_size(file, section, "min_align_mask", &ret->min_align_mask);
        if (r)
                return r;
        if (ret->min_align_mask & (ret->min_align_mask + 1) || ret->min_align_mask == UINT64_MAX)
                return config_fail(file, section, "min_align_mask",
                                   "\"%s\" is no power of two less one, such as 0xfff",
                                   config_string(section, "min_align_mask"));
        ret->granularity_bytes = 1;
        return config_power_of_two(file, section, "granularity", &ret->granularity_bytes);
}

static int read_nodes(struct config_file *file, cfg_t *section, uint64_t *ret)
{
        unsigned n = cfg_size(section, "nodes");
        int one = NODE_ANY, r;

        r = config_node(file, section, &one);
        if (r)
                return r;
        if (one != NODE_ANY && n)
                return config_fail(file, section, "nodes", "node is set already: give one of them");
        if (one != NODE_ANY)
                *ret = UINT64_C(1) << one;

        for (unsigned i = 0; i < n; i++) {
                const char *text = cfg_getnstr(section, "nodes", i), *rest;
                uint64_t node;

                if (units_number(text, &node, &rest) || *rest || node > 63)
                        return config_fail(file, section, "nodes",
                                           "\"%s\" is no number from 0 to 63", text);
                *ret |= UINT64_C(1) << node;
        }
        return 0;
}

/* A device that is named by its PCI address is at that address. */
static int read_pci(struct config_file *file, cfg_t *section, struct device_settings *ret)
{
        const char *text = config_string(section, "pci");

        if (text && !config_is_pci_address(text))
                return config_fail(file, section, "pci",
                                   "\"%s\" is no PCI address, such as 0000:01:00.0", text);
        if (config_is_pci_address(ret->name)) {
                if (text && strcmp(text, ret->name) != 0)
                        return config_fail(file, section, "pci",
                                           "\"%s\" is not the address that the device is named by",
                                           text);
                text = ret->name;
        }
        if (text)
                snprintf(ret->pci, sizeof(ret->pci), "%s", text);
        return 0;
}

int config_device_read(struct config_file *file, cfg_t *section, struct device_settings *ret,
                       const char **ret_highest)
{
        bool limited;
        int r;

        r = config_title(file, section);
        if (r)
                return r;
        ret->name = strdup(cfg_title(section));
        if (!ret->name)
                return -ENOMEM;
        ret->limits.window = RANGE_ALL;
        r = config_window(file, section, true, &ret->limits.window, &limited, ret_highest);
        if (r)
                return r;
        r = read_alignment(file, section, &ret->limits);
        if (r)
                return r;
        r = read_units(file, section, ret);
        if (r)
                return r;
        r = read_segments(file, section, ret);
        if (r)
                return r;
        r = read_nodes(file, section, &ret->nodes);
        if (r)
                return r;
        r = read_pci(file, section, ret);
        if (r)
                return r;
        return config_bus_windows_read(file, section, ret);
}
