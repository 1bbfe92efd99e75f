/* SPDX-License-Identifier: MIT */
/*
 * From each kind of section to its struct. Only this folder includes it.
 */
#pragma once

#include "config.h"
#include "config_file.h"

/*
 * Each reads one section into a zeroed struct and checks it on its own. What is half filled in is
 * freed with the configuration. *ret_highest: the key that set the highest address, or NULL.
 *
 * Return: 0; -EINVAL with the error told; -ENOMEM.
 */
int config_pool_read(struct config_file *file, cfg_t *section, struct pool_settings *ret,
                     const char **ret_highest);
int config_device_read(struct config_file *file, cfg_t *section, struct device_settings *ret,
                       const char **ret_highest);
/* All device and pci sections; the pools are read. */
int config_devices_read(struct config_file *file, struct config *config);

/* The bus windows of a device whose other limits are read. */
int config_bus_windows_read(struct config_file *file, cfg_t *device, struct device_settings *ret);

/* Whether it is one in the form of sysfs, "0000:01:00.0". */
bool config_is_pci_address(const char *text);

/* The facts of one PCI address, which is the section's title. */
int config_pci_read(struct config_file *file, cfg_t *section, struct pci_facts *ret);
int config_sim_read(struct config_file *file, cfg_t *section, struct sim_settings *ret);

/* The quotas and claims of a pool whose sizes are read. */
int config_shares_read(struct config_file *file, cfg_t *section, struct pool_settings *pool);
void config_shares_deinit(struct pool_settings *pool);

void config_pool_deinit(struct pool_settings *pool);
