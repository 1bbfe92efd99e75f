/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads what sysfs says of the resources of PCI devices. Refuses to complain: what it
 * finds is good to know, and nothing depends on it.
 */
#include "bars.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define DEVICES    "/sys/bus/pci/devices"
#define PATH_BYTES 512

#define RESOURCE_MEMORY 0x200u /* IORESOURCE_MEM: no ports */

/* A line of a file "resource": first, last and flags. Return: whether it is memory. */
static bool read_bar(const char *line, struct range *ret)
{
        char *at;

        ret->first = strtoull(line, &at, 16);
        ret->last = strtoull(at, &at, 16);
        return (strtoull(at, NULL, 16) & RESOURCE_MEMORY) && ret->first && ret->first < ret->last;
}

static void read_device(const char *path, void (*each)(void *data, struct range bar), void *data)
{
        FILE *file = fopen(path, "re");
        struct range bar;
        char line[128];

        if (!file)
                return;
        while (fgets(line, sizeof(line), file)) {
                if (read_bar(line, &bar))
                        each(data, bar);
        }
        fclose(file);
}

void bars_each(const char *devices, void (*each)(void *data, struct range bar), void *data)
{
        const struct dirent *entry;
        char path[PATH_BYTES];
        DIR *dir;

        devices = devices ? devices : DEVICES;
        dir = opendir(devices);
        if (!dir)
                return;
        while ((entry = readdir(dir))) {
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof(path), "%s/%s/resource", devices, entry->d_name);
                read_device(path, each, data);
        }
        closedir(dir);
}
