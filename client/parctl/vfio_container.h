/* SPDX-License-Identifier: MIT */
/*
 * A VFIO container with the group of one PCI device, as a driver of that device would have it.
 */
#pragma once

/**
 * struct vfio_container - both descriptors, owned; -1: none
 */
struct vfio_container {
        int group, container;
};

/**
 * vfio_container_open() - open it; complains where that fails
 * @pci: address of a device that is bound to vfio-pci and that nobody drives now
 * @ret: vfio_container_close(), also after a failure
 *
 * Return: 0; negative errno.
 */
int vfio_container_open(const char *pci, struct vfio_container *ret);
void vfio_container_close(struct vfio_container *container);
