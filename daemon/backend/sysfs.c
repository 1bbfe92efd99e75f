/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing between calls. Refuses a file that holds anything but one number where there should
 * be one.
 */
#include "sysfs.h"

#include "backend.h"
#include "macros.h"
#include "numa.h"
#include "opener.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define HUGEPAGES_DIRECTORY "/sys/kernel/mm/hugepages"
#define NODES_DIRECTORY     "/sys/devices/system/node"

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static int hugepages_path(char path[SYSFS_PATH_BYTES], const char *root, uint64_t page_bytes,
                          int node, const char *file)
{
        int n;

        if (node == NODE_ANY)
                n = snprintf(path, SYSFS_PATH_BYTES,
                             "%s" HUGEPAGES_DIRECTORY "/hugepages-%" PRIu64 "kB/%s", root,
                             page_bytes / KiB, file);
        else
                n = snprintf(path, SYSFS_PATH_BYTES,
                             "%s" NODES_DIRECTORY "/node%d/hugepages/hugepages-%" PRIu64 "kB/%s",
                             root, node, page_bytes / KiB, file);
        return n < SYSFS_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static int read_text(const char *path, char *text, size_t room)
{
        _cleanup_(close_fd) int fd = -1;
        ssize_t n;

        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        n = read(fd, text, room - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        return 0;
}

static int parse_number(const char *text, uint64_t *ret)
{
        char *rest;

        if (*text < '0' || *text > '9')
                return -EBADMSG;
        errno = 0;
        *ret = strtoull(text, &rest, 10);
        if (errno || (*rest != '\n' && *rest != '\0'))
                return -EBADMSG;
        return 0;
}

static int read_count(const char *root, uint64_t page_bytes, int node, const char *file,
                      uint64_t *ret)
{
        char path[SYSFS_PATH_BYTES], text[32];
        int r;

        r = hugepages_path(path, root, page_bytes, node, file);
        if (r)
                return r;
        r = read_text(path, text, sizeof(text));
        if (r)
                return r;
        return parse_number(text, ret);
}

int sysfs_hugepages(const char *root, uint64_t page_bytes, int node, struct hugepages *ret)
{
        struct hugepages pages = { 0 };
        int r;

        r = read_count(root, page_bytes, node, "nr_hugepages", &pages.total);
        if (r)
                return r;
        r = read_count(root, page_bytes, node, "free_hugepages", &pages.free);
        if (r)
                return r;
        r = read_count(root, page_bytes, node, "surplus_hugepages", &pages.surplus);
        if (r)
                return r;
        if (node == NODE_ANY) {
                r = read_count(root, page_bytes, node, "resv_hugepages", &pages.promised);
                if (r)
                        return r;
        }
        *ret = pages;
        return 0;
}

/* *ret_fd: owned by the caller. It may have a position that is not 0. */
static int open_to_write(const char *path, int flags, int *ret_fd)
{
        int r;

        *ret_fd = open(path, O_WRONLY | O_CLOEXEC | flags);
        if (*ret_fd >= 0)
                return 0;
        r = -errno;
        return r == -EACCES || r == -EPERM ? opener_ask(path, ret_fd) : r;
}

static int write_text(const char *path, const char *text)
{
        _cleanup_(close_fd) int fd = -1;
        ssize_t length = (ssize_t)strlen(text);
        int r;

        r = open_to_write(path, O_TRUNC, &fd);
        if (r)
                return r;
        errno = EIO; /* for a short write */
        return pwrite(fd, text, (size_t)length, 0) == length ? 0 : -errno;
}

static int set_file_path(char path[SYSFS_PATH_BYTES], const char *root, uint64_t page_bytes,
                         int node)
{
        return hugepages_path(path, root, page_bytes, NODE_ANY,
                              node == NODE_ANY ? "nr_hugepages" : "nr_hugepages_mempolicy");
}

/* A node has a file of its own for this. But before Linux 6.5 the kernel confused the surplus pages
 * of other nodes with what is written there; a policy was always understood. */
int sysfs_set_hugepages(const char *root, uint64_t page_bytes, int node, uint64_t count)
{
        char path[SYSFS_PATH_BYTES], text[32];
        struct numa_policy saved;
        int r;

        r = set_file_path(path, root, page_bytes, node);
        if (r)
                return r;
        snprintf(text, sizeof(text), "%" PRIu64 "\n", count);
        if (node == NODE_ANY)
                return write_text(path, text);

        r = numa_bind(node, &saved);
        if (r)
                return r;
        r = write_text(path, text);
        numa_restore(&saved);
        return r;
}

int sysfs_may_set_hugepages(const char *root, uint64_t page_bytes, int node)
{
        _cleanup_(close_fd) int fd = -1;
        char path[SYSFS_PATH_BYTES];
        int r;

        r = set_file_path(path, root, page_bytes, node);
        if (r)
                return r;
        return open_to_write(path, 0, &fd);
}

/* The size that demote makes is the same for all nodes, and usually the right one. */
static int set_demote_size(const char *root, uint64_t page_bytes, uint64_t small_bytes)
{
        char path[SYSFS_PATH_BYTES], wanted[32], text[32];
        int r;

        r = hugepages_path(path, root, page_bytes, NODE_ANY, "demote_size");
        if (r)
                return r;
        r = read_text(path, text, sizeof(text));
        if (r)
                return r;
        snprintf(wanted, sizeof(wanted), "%" PRIu64 "kB\n", small_bytes / KiB);
        return strcmp(text, wanted) == 0 ? 0 : write_text(path, wanted);
}

int sysfs_demote_hugepage(const char *root, uint64_t page_bytes, int node, uint64_t small_bytes)
{
        char path[SYSFS_PATH_BYTES];
        int r;

        r = set_demote_size(root, page_bytes, small_bytes);
        if (!r)
                r = hugepages_path(path, root, page_bytes, node, "demote");
        if (!r)
                r = write_text(path, "1\n");
        if (r == -ENOENT || r == -EINVAL)
                return -EOPNOTSUPP;
        return r == -EBUSY ? -ENOMEM : r;
}

bool sysfs_can_demote(const char *root, uint64_t page_bytes)
{
        char path[SYSFS_PATH_BYTES];

        return hugepages_path(path, root, page_bytes, NODE_ANY, "demote") == 0 &&
               access(path, F_OK) == 0;
}

static int by_number(const void *a, const void *b)
{
        int x = *(const int *)a, y = *(const int *)b;

        return (x > y) - (x < y);
}

static bool is_node(int directory, const char *name, int *ret_node)
{
        char path[SYSFS_PATH_BYTES];
        uint64_t number;

        if (strncmp(name, "node", 4) != 0 || parse_number(name + 4, &number) ||
            number >= NUMA_NODES_MAX)
                return false;
        *ret_node = (int)number;
        return snprintf(path, sizeof(path), "%s/hugepages", name) < (int)sizeof(path) &&
               faccessat(directory, path, F_OK, 0) == 0;
}

static void close_directory(DIR **directory)
{
        if (*directory)
                closedir(*directory);
}

int sysfs_nodes(const char *root, int **ret, size_t *ret_n)
{
        _cleanup_(close_directory) DIR *directory = NULL;
        char path[SYSFS_PATH_BYTES];
        struct dirent *entry;
        size_t n = 0;
        int *nodes;

        if (snprintf(path, sizeof(path), "%s" NODES_DIRECTORY, root) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        nodes = calloc(NUMA_NODES_MAX, sizeof(*nodes));
        if (!nodes)
                return -ENOMEM;
        directory = opendir(path);
        while (directory && n < NUMA_NODES_MAX && (entry = readdir(directory)))
                n += is_node(dirfd(directory), entry->d_name, &nodes[n]);
        qsort(nodes, n, sizeof(*nodes), by_number);
        *ret = nodes;
        *ret_n = n;
        return 0;
}

int sysfs_memory_available(const char *root, uint64_t *ret_bytes)
{
        static const char key[] = "MemAvailable:";
        char path[SYSFS_PATH_BYTES], text[4096];
        char *at, *end;
        uint64_t kib;
        int r;

        if (snprintf(path, sizeof(path), "%s/proc/meminfo", root) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        r = read_text(path, text, sizeof(text));
        if (r)
                return r;
        at = strstr(text, key);
        if (!at)
                return -EBADMSG;
        at += sizeof(key) - 1;
        at += strspn(at, " ");
        end = strstr(at, " kB\n");
        if (!end)
                return -EBADMSG;
        *end = '\0';
        r = parse_number(at, &kib);
        if (r)
                return r;
        return __builtin_mul_overflow(kib, KiB, ret_bytes) ? -EBADMSG : 0;
}

int sysfs_lock(const char *root, int *ret_fd)
{
        _cleanup_(close_fd) int fd = -1;
        char path[SYSFS_PATH_BYTES];

        if (snprintf(path, sizeof(path), "%s" HUGEPAGES_DIRECTORY, root) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX) < 0)
                return -errno;
        *ret_fd = STEAL_FD(fd);
        return 0;
}
