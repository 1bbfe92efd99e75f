/* SPDX-License-Identifier: MIT */
/*
 * A VFIO container of type 1 as a mapper.
 */
#pragma once

#include "mapper.h"

/**
 * vfio_new() - map through a container
 * @container_fd: an open /dev/vfio/vfio with a group and an IOMMU set; borrowed. A duplicate keeps
 *                the container open as long as the mapper is there
 * @ret:          owned by the caller: ops->free()
 *
 * Return: 0; -EBADF; -EINVAL where this is no container, or no IOMMU is set yet; -ENOTSUP where
 * its IOMMU is of another type; -EMFILE, -ENOMEM. par_error() is set.
 */
int vfio_new(int container_fd, struct mapper **ret);
