/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing between calls. The address becomes part of a path, so one that is not of the exact
 * form is refused.
 */
#include "pci.h"

#include "macros.h"
#include "pci_address.h"
#include "sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
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

/* The register at offset 4 of every device's configuration space. */
#define COMMAND_OFFSET 4
#define COMMAND_MASTER 0x0004u
#define COMMAND_NOBODY 0xffffu /* what is read where nobody answers: no device has all bits */

/* Return: 0; -EIO where it is cut off; other negative errno. */
static int read_command(int fd, unsigned *ret)
{
        uint8_t bytes[2];
        ssize_t n;

        n = pread(fd, bytes, sizeof(bytes), COMMAND_OFFSET);
        if (n < 0)
                return -errno;
        if (n != sizeof(bytes))
                return -EIO;
        *ret = bytes[0] | (unsigned)bytes[1] << 8;
        return 0;
}

int pci_is_master(const char *root, uint32_t device)
{
        char text[PCI_ADDRESS_TEXT_BYTES], path[SYSFS_PATH_BYTES];
        _cleanup_(close_fd) int fd = -1;
        unsigned command = 0;
        int r;

        if (snprintf(path, sizeof(path), "%s" DEVICES_DIRECTORY "/%s/config", root,
                     pci_address_text(device, text)) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        r = read_command(fd, &command);
        if (r == -ENODEV) /* it went just now */
                return 0;
        if (r)
                return r;
        if (command == COMMAND_NOBODY)
                return -EIO;
        return command & COMMAND_MASTER ? 1 : 0;
}
