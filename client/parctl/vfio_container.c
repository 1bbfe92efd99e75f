/* SPDX-License-Identifier: MIT */
/*
 * Owns the way from a device's PCI address to a container that maps memory for it. Source: the
 * kernel's Documentation/driver-api/vfio.rst.
 */
#include "vfio_container.h"

#include "complain.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* "/dev/vfio/GROUP". Return: 0; -errno: the device is not there, or behind no IOMMU. */
static int group_path(const char *pci, char *path, size_t room)
{
        char link[300], target[256];
        const char *number;
        ssize_t bytes;

        snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", pci);
        bytes = readlink(link, target, sizeof(target) - 1);
        if (bytes < 0)
                return -errno;
        target[bytes] = '\0';
        number = strrchr(target, '/');
        snprintf(path, room, "/dev/vfio/%s", number ? number + 1 : target);
        return 0;
}

/* Whether all devices of the group are free for it. */
static bool is_viable(int group)
{
        struct vfio_group_status status = { .argsz = sizeof(status) };

        return !ioctl(group, VFIO_GROUP_GET_STATUS, &status) &&
               (status.flags & VFIO_GROUP_FLAGS_VIABLE);
}

static int fail(int r, const char *what)
{
        complain("%s: %s", what, strerror(-r));
        return r;
}

int vfio_container_open(const char *pci, struct vfio_container *ret)
{
        char path[300];
        int r;

        *ret = (struct vfio_container){ -1, -1 };
        r = group_path(pci, path, sizeof(path));
        if (r) {
                complain("%.64s: no PCI device behind an IOMMU has this address", pci);
                return r;
        }
        ret->group = open(path, O_RDWR | O_CLOEXEC);
        if (ret->group < 0)
                return fail(-errno, path);
        if (!is_viable(ret->group)) {
                complain("%s: a device of this group is not bound to vfio-pci", path);
                return -EPERM;
        }
        ret->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
        if (ret->container < 0)
                return fail(-errno, "/dev/vfio/vfio");
        if (ioctl(ret->group, VFIO_GROUP_SET_CONTAINER, &ret->container) < 0 ||
            ioctl(ret->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
                return fail(-errno, path);
        return 0;
}

void vfio_container_close(struct vfio_container *container)
{
        if (container->group >= 0)
                close(container->group);
        if (container->container >= 0)
                close(container->container);
        container->group = container->container = -1;
}
