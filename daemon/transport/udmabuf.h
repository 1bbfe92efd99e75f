/* SPDX-License-Identifier: MIT */
/*
 * dma-bufs over parts of frames, as Linux makes them from memfds: /dev/udmabuf.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * struct udmabuf_part - a part of a file
 * @file:   a memfd with F_SEAL_SHRINK and without F_SEAL_WRITE; whose it is, who uses this says
 * @offset: a multiple of the kernel's page size, as @bytes
 */
struct udmabuf_part {
        int file;
        uint64_t offset, bytes;
};

/**
 * struct udmabuf_limits - what the kernel makes at most
 * @bytes: of one dma-buf
 * @parts: of one dma-buf
 */
struct udmabuf_limits {
        uint64_t bytes;
        uint32_t parts;
};

/**
 * udmabuf_read_limits() - the parameters of the kernel's module
 * @folder: of the parameters; NULL: that of this system
 * @ret:    the kernel's own defaults where it does not say
 */
void udmabuf_read_limits(const char *folder, struct udmabuf_limits *ret);

/**
 * udmabuf_create() - one dma-buf of parts side by side
 * @device: an open /dev/udmabuf; borrowed
 * @parts:  @count of them, in their order; borrowed
 * @ret_fd: close-on-exec; owned by the caller. Pins the pages, those that were punched out anew,
 *          until the last descriptor and mapping of it is gone
 *
 * Takes as long as pinning takes: 1 ms for 64 MiB of hugepages, more for small pages.
 *
 * Return: 0; -EINVAL where a file lacks its seal, or has F_SEAL_WRITE, or a limit is exceeded;
 * -EBADFD where a file is no memfd; -ENOMEM; other negative errno.
 */
int udmabuf_create(int device, const struct udmabuf_part *parts, size_t count, int *ret_fd);
