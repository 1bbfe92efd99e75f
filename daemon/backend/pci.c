/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing between calls. The address becomes part of a path, so one that is not of the exact
 * form is refused.
 */
#include "pci.h"

#include "macros.h"
#include "sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICES_DIRECTORY "/sys/bus/pci/devices"

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static bool is_address(const char *text)
{
        static const char form[] = "xxxx:xx:xx.x";

        for (size_t i = 0; i < sizeof(form); i++) {
                if (form[i] == 'x' ? !text[i] || !strchr("0123456789abcdef", text[i])
                                   : text[i] != form[i])
                        return false;
        }
        return true;
}

/* A whole number, and nothing else but the end of the line. */
static int parse_number(const char *text, int *ret)
{
        char *rest;
        long value;

        errno = 0;
        value = strtol(text, &rest, 10);
        if (rest == text || errno || value < INT_MIN || value > INT_MAX || (*rest && *rest != '\n'))
                return -EBADMSG;
        *ret = (int)value;
        return 0;
}

static int read_number(int dir, const char *name, int *ret)
{
        _cleanup_(close_fd) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
        char text[32];
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        return parse_number(text, ret);
}

/* The group is the last part of what the link points to. */
static int read_group(int dir, int *ret)
{
        char target[SYSFS_PATH_BYTES];
        const char *name;
        ssize_t n;

        n = readlinkat(dir, "iommu_group", target, sizeof(target) - 1);
        if (n < 0)
                return -errno;
        target[n] = '\0';
        name = strrchr(target, '/');
        return parse_number(name ? name + 1 : target, ret);
}

int pci_device_read(const char *root, const char *address, struct pci_device *ret)
{
        struct pci_device device = { .node = -1, .iommu_group = -1 };
        _cleanup_(close_fd) int dir = -1;
        char path[SYSFS_PATH_BYTES];
        int bits, r;

        if (!is_address(address))
                return -EINVAL;
        if (snprintf(path, sizeof(path), "%s" DEVICES_DIRECTORY "/%s", root, address) >=
            (int)sizeof(path))
                return -ENAMETOOLONG;
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return -errno;

        r = read_number(dir, "dma_mask_bits", &bits);
        if (!r && (bits < 1 || bits > 64))
                r = -EBADMSG;
        if (r)
                return r == -ENOENT ? -EBADMSG : r;
        device.dma_mask_bits = (unsigned)bits;
        r = read_number(dir, "numa_node", &device.node);
        if (r && r != -ENOENT) /* a kernel without NUMA */
                return r;
        r = read_group(dir, &device.iommu_group);
        if (r && r != -ENOENT)
                return r;
        *ret = device;
        return 0;
}
