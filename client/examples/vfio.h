/* SPDX-License-Identifier: MIT */
/*
 * A PCI device through VFIO: takes an IOMMU, and an administrator who has bound the device to
 * vfio-pci and handed over /dev/vfio/GROUP. What the device reaches is what is mapped in the
 * container, and nothing else.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/**
 * struct vfio_device - a device, alone in its group and its container
 * @container:     for par_device_attach_vfio()
 * @config_offset: where its configuration space is in @device
 */
struct vfio_device {
        int container, group, device;
        uint64_t config_offset;
};

/* Open the group of a PCI device. Return: a descriptor; -errno. */
static inline int vfio_open_group(const char *address)
{
        struct vfio_group_status status = { .argsz = sizeof(status) };
        char path[300], target[256];
        ssize_t bytes;
        int fd;

        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
        bytes = readlink(path, target, sizeof(target) - 1);
        if (bytes < 0)
                return -errno;
        target[bytes] = '\0';
        snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (!ioctl(fd, VFIO_GROUP_GET_STATUS, &status) && (status.flags & VFIO_GROUP_FLAGS_VIABLE))
                return fd;
        close(fd);
        return -EPERM; /* a kernel driver has another device of the group */
}

/* Put the group into a container of its own. Return: 0; -errno. */
static inline int vfio_set_container(struct vfio_device *vfio)
{
        if (ioctl(vfio->group, VFIO_GROUP_SET_CONTAINER, &vfio->container) < 0 ||
            ioctl(vfio->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
                return -errno;
        return 0;
}

/* From here on the device does no DMA: closing its descriptor ends that. */
static inline void vfio_close(struct vfio_device *vfio)
{
        if (vfio->device >= 0)
                close(vfio->device);
        if (vfio->group >= 0)
                close(vfio->group);
        if (vfio->container >= 0)
                close(vfio->container);
        vfio->device = vfio->group = vfio->container = -1;
}

/**
 * vfio_open() - open a device that is bound to vfio-pci
 * @address: such as "0000:00:03.0"
 * @ret:     vfio_close() it, also on failure
 *
 * Return: 0; negative errno.
 */
static inline int vfio_open(const char *address, struct vfio_device *ret)
{
        struct vfio_region_info config = { .argsz = sizeof(config),
                                           .index = VFIO_PCI_CONFIG_REGION_INDEX };
        int r;

        *ret = (struct vfio_device){ -1, -1, -1, 0 };
        ret->group = vfio_open_group(address);
        if (ret->group < 0)
                return ret->group;
        ret->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
        if (ret->container < 0)
                return -errno;
        r = vfio_set_container(ret);
        if (r)
                return r;
        ret->device = ioctl(ret->group, VFIO_GROUP_GET_DEVICE_FD, address);
        if (ret->device < 0 || ioctl(ret->device, VFIO_DEVICE_GET_REGION_INFO, &config) < 0)
                return -errno;
        ret->config_offset = config.offset;
        return 0;
}

/* Map BAR 0. Return: 0; -errno. */
static inline int vfio_map(const struct vfio_device *vfio, void **ret, size_t *ret_bytes)
{
        struct vfio_region_info info = { .argsz = sizeof(info),
                                         .index = VFIO_PCI_BAR0_REGION_INDEX };
        void *map;

        if (ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
                return -errno;
        map = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, vfio->device,
                   (off_t)info.offset);
        if (map == MAP_FAILED)
                return -errno;
        *ret = map;
        *ret_bytes = info.size;
        return 0;
}
