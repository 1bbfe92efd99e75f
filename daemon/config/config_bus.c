/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads the bus windows of one device. Windows that overlap are refused, because an
 * address would then mean two things; and limits of the device itself that are no multiples any
 * more once a window has moved them.
 */
#include "config_sections.h"
#include "units.h"

/* Where the window begins in memory and on the bus, and how long it is. */
struct place {
        uint64_t cpu_first, dma_first, length_bytes;
};

static int read_address(struct config_file *file, cfg_t *section, const char *key, uint64_t *ret)
{
        int r;

        if (!config_string(section, key))
                return config_fail(file, section, NULL, "%s is missing", key);
        r = config_size(file, section, key, ret);
        if (r)
                return r;
        if (*ret % GRANULE_BYTES != 0)
                return config_fail(file, section, key, "\"%s\" is no multiple of 4K",
                                   config_string(section, key));
        return 0;
}

static int read_place(struct config_file *file, cfg_t *section, struct place *ret)
{
        uint64_t last;
        int r;

        r = read_address(file, section, "cpu_first", &ret->cpu_first);
        if (r)
                return r;
        r = read_address(file, section, "dma_first", &ret->dma_first);
        if (r)
                return r;
        r = read_address(file, section, "length", &ret->length_bytes);
        if (r)
                return r;
        if (!ret->length_bytes ||
            __builtin_add_overflow(ret->cpu_first, ret->length_bytes - 1, &last) ||
            __builtin_add_overflow(ret->dma_first, ret->length_bytes - 1, &last))
                return config_fail(file, section, "length", "\"%s\" from there on is no range",
                                   config_string(section, "length"));
        return 0;
}

static struct range dma_of(const struct bus_window *window)
{
        return range_of(window->dma_first, range_size(window->cpu));
}

static int check_overlap(struct config_file *file, cfg_t *section,
                         const struct device_settings *device, const struct bus_window *window)
{
        for (size_t i = 0; i < device->n_windows; i++) {
                const struct bus_window *other = &device->windows[i];

                if (range_overlaps(other->cpu, window->cpu))
                        return config_fail(file, section, "cpu_first",
                                           "overlaps bus_window %zu of this device", i + 1);
                if (range_overlaps(dma_of(other), dma_of(window)))
                        return config_fail(file, section, "dma_first",
                                           "overlaps bus_window %zu of this device", i + 1);
        }
        return 0;
}

/* The device's own limits have to be multiples in memory, too. Boundaries need not, where there are
 * few in the window: it is cut at them. */
static int check_offset(struct config_file *file, cfg_t *section,
                        const struct device_settings *device, const struct bus_window *window)
{
        const uint64_t offset = window->dma_first - window->cpu.first;
        const uint64_t align = device_align_bytes(device);
        const uint64_t boundary = device->limits.boundary_bytes;
        char text[UNIT_TEXT_BYTES];

        if (offset & (align - 1))
                return config_fail(file, section, "dma_first",
                                   "it differs from cpu_first by no multiple of the device's "
                                   "alignment (%s)",
                                   size_exact(align, text));
        if (boundary && offset & (boundary - 1) &&
            (window->cpu.last - window->cpu.first) / boundary >= BUS_WINDOWS_MAX)
                return config_fail(file, section, "dma_first",
                                   "it differs from cpu_first by no multiple of the device's "
                                   "boundary (%s)",
                                   size_exact(boundary, text));
        return 0;
}

int config_bus_windows_read(struct config_file *file, cfg_t *device, struct device_settings *ret)
{
        const unsigned n = cfg_size(device, "bus_window");
        int r;

        if (n > BUS_WINDOWS_MAX)
                return config_fail(file, cfg_getnsec(device, "bus_window", BUS_WINDOWS_MAX), NULL,
                                   "there are %u of them, and at most %d can be", n,
                                   BUS_WINDOWS_MAX);
        for (unsigned i = 0; i < n; i++) {
                cfg_t *section = cfg_getnsec(device, "bus_window", i);
                struct bus_window *window = &ret->windows[i];
                struct place place;

                r = read_place(file, section, &place);
                if (r)
                        return r;
                window->cpu = range_of(place.cpu_first, place.length_bytes);
                window->dma_first = place.dma_first;
                r = check_overlap(file, section, ret, window);
                if (r)
                        return r;
                r = check_offset(file, section, ret, window);
                if (r)
                        return r;
                ret->n_windows = i + 1;
        }
        return 0;
}
