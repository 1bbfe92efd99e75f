/* SPDX-License-Identifier: MIT */
/*
 * The kernel's figures about hugepages and memory. Every path starts at a root directory ("" on a
 * real machine), so that fixtures can replace machines.
 */
#pragma once

#include <stdbool.h>
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
 * @node:  where pages may come and go meanwhile; NODE_ANY: everywhere
 * @count: of the system as a whole, whatever @node; the kernel may stop before it: read it back
 *
 * Return: 0; -EACCES, -EPERM, -EROFS without permission; other negative errno.
 */
int sysfs_set_hugepages(const char *root, uint64_t page_bytes, int node, uint64_t count);

/**
 * sysfs_may_set_hugepages() - could sysfs_set_hugepages() be called?
 *
 * Return: 0; -EACCES, -EPERM, -EROFS without permission; other negative errno.
 */
int sysfs_may_set_hugepages(const char *root, uint64_t page_bytes, int node);

/**
 * sysfs_demote_hugepage() - make one free page into smaller ones
 * @small_bytes: their size
 *
 * Return: 0; -EOPNOTSUPP where the kernel does not do that; -ENOMEM where it has no page for it;
 * other negative errno.
 */
int sysfs_demote_hugepage(const char *root, uint64_t page_bytes, int node, uint64_t small_bytes);

/* sysfs_can_demote() - whether pages of this size can be made into smaller ones at all. */
bool sysfs_can_demote(const char *root, uint64_t page_bytes);

/**
 * sysfs_nodes() - the NUMA nodes that have hugepages of their own
 * @ret:   ascending; owned by the caller: free()
 * @ret_n: how many; 0 where the system tells of no nodes
 *
 * Return: 0; negative errno.
 */
int sysfs_nodes(const char *root, int **ret, size_t *ret_n);

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
