/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads one device section. Limits that no buffer can meet are refused here, so that
 * a client is never told that its request can never fit for a reason nobody meant.
 */
#include "config_sections.h"
#include "units.h"

#include <stdlib.h>

static int read_segments(struct config_file *file, cfg_t *section, struct constraint *limits)
{
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
        if (limits->max_segment_bytes && limits->max_segment_bytes < limits->align_bytes)
                return config_fail(file, section, "max_segment_bytes",
                                   "\"%s\" is less than align (%s)",
                                   config_string(section, "max_segment_bytes"),
                                   config_string(section, "align"));
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

static int read_nodes(struct config_file *file, cfg_t *section, uint64_t *ret)
{
        unsigned n = cfg_size(section, "nodes");

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
        r = read_segments(file, section, &ret->limits);
        if (r)
                return r;
        return read_nodes(file, section, &ret->nodes);
}
