/* SPDX-License-Identifier: MIT */
/*
 * The kernel's figures about hugepages and memory. Every path starts at a root directory ("" on a
 * real machine), so that fixtures can replace machines.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SYSFS_PATH_BYTES 256

/**
 * struct hugepages - figures of one page size, of one node or of the whole system
 * @total:    pages that exist, surplus ones included
 * @free:     of these, not used by anybody
 * @promised: of the free ones, those that a mapping has already reserved; 0 for one node, where the
 *            kernel does not tell
 * @surplus:  of these, pages that go away when they become free
 */
struct hugepages {
        uint64_t total, free, promised, surplus;
};

/* Pages that stay: what writing nr_hugepages sets. */
static inline uint64_t hugepages_persistent(const struct hugepages *pages)
{
        return pages->total > pages->surplus ? pages->total - pages->surplus : 0;
}

/* Pages that anybody may take. */
static inline uint64_t hugepages_available(const struct hugepages *pages)
{
        return pages->free > pages->promised ? pages->free - pages->promised : 0;
}

/**
 * sysfs_hugepages() - read the figures
 * @root:       see above
 * @page_bytes: page size
 * @node:       NUMA node, or NODE_ANY for the system
 *
 * Return: 0; -ENOENT where the system or node has no such pages; other negative errno.
 */
int sysfs_hugepages(const char *root, uint64_t page_bytes, int node, struct hugepages *ret);

/**
 * sysfs_set_hugepages() - set the number of persistent pages
 * @count: the kernel may stop below it; read it back
 *
 * Return: 0; -EACCES, -EPERM, -EROFS without permission; other negative errno.
 */
int sysfs_set_hugepages(const char *root, uint64_t page_bytes, int node, uint64_t count);

/**
 * sysfs_memory_available() - MemAvailable of /proc/meminfo, in bytes
 *
 * Return: 0; -EBADMSG where it is not there; other negative errno.
 */
int sysfs_memory_available(const char *root, uint64_t *ret_bytes);

/**
 * sysfs_lock() - keep other daemons from changing the figures meanwhile
 * @ret_fd: owned by the caller; closing it unlocks
 *
 * Return: 0; negative errno.
 */
int sysfs_lock(const char *root, int *ret_fd);
