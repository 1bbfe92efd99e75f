/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. All devices of a configuration, and what concerns more than one section: the pools
 * that their buffers are from, and what is known of PCI devices.
 */
#include "config_sections.h"
#include "units.h"

#include <stdlib.h>

#define DEVICES_MAX 1024u

/* min_align_mask and granularity are about offsets in a buffer, which is made of frames. */
static int check_units(struct config_file *file, struct config *config, unsigned i)
{
        const struct device_settings *device = &config->devices[i];
        const bool mask = device->min_align_mask >= device->granularity_bytes;
        const uint64_t unit = mask ? device->min_align_mask + 1 : device->granularity_bytes;
        char text[UNIT_TEXT_BYTES];

        for (size_t pool = 0; pool < config->state.n_pools; pool++)
                if (config->pools[pool].page_bytes < unit)
                        return config_fail(file, cfg_getnsec(file->root, "device", i),
                                           mask ? "min_align_mask" : "granularity",
                                           "pool %s has pages of %s only", config->pools[pool].name,
                                           size_exact(config->pools[pool].page_bytes, text));
        return 0;
}

static int read_devices(struct config_file *file, struct config *config)
{
        unsigned n = cfg_size(file->root, "device");
        int r;

        if (n == 0)
                return 0;
        if (n > DEVICES_MAX)
                return config_fail(file, cfg_getnsec(file->root, "device", DEVICES_MAX), NULL,
                                   "there are %u devices, and at most %u can be", n, DEVICES_MAX);
        config->devices = calloc(n, sizeof(*config->devices));
        config->device_highest = calloc(n, sizeof(*config->device_highest));
        if (!config->devices || !config->device_highest)
                return -ENOMEM;
        config->state.devices = config->devices;
        config->state.n_devices = n;
        for (unsigned i = 0; i < n; i++) {
                r = config_device_read(file, cfg_getnsec(file->root, "device", i),
                                       &config->devices[i], &config->device_highest[i]);
                if (r)
                        return r;
                r = check_units(file, config, i);
                if (r)
                        return r;
        }
        return 0;
}

/* What is known of the PCI devices that are named. */
static int read_facts(struct config_file *file, struct config *config)
{
        const unsigned n = cfg_size(file->root, "pci");
        struct pci_facts facts;
        int r;

        for (unsigned i = 0; i < n; i++) {
                cfg_t *section = cfg_getnsec(file->root, "pci", i);

                r = config_pci_read(file, section, &facts);
                if (r)
                        return r;
                for (size_t j = 0; j < config->state.n_devices; j++)
                        if (strcmp(config->devices[j].pci, cfg_title(section)) == 0)
                                config->devices[j].facts = facts;
        }
        return 0;
}

int config_devices_read(struct config_file *file, struct config *config)
{
        int r = read_devices(file, config);

        return r ? r : read_facts(file, config);
}
