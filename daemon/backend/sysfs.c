/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing between calls. Refuses a file that holds anything but one number.
 */
#include "sysfs.h"

#include "backend.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define HUGEPAGES_DIRECTORY "/sys/kernel/mm/hugepages"

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
                             "%s/sys/devices/system/node/node%d/hugepages/hugepages-%" PRIu64
                             "kB/%s",
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

int sysfs_set_hugepages(const char *root, uint64_t page_bytes, int node, uint64_t count)
{
        _cleanup_(close_fd) int fd = -1;
        char path[SYSFS_PATH_BYTES], text[32];
        int n, r;

        r = hugepages_path(path, root, page_bytes, node, "nr_hugepages");
        if (r)
                return r;
        fd = open(path, O_WRONLY | O_CLOEXEC | O_TRUNC);
        if (fd < 0)
                return -errno;
        n = snprintf(text, sizeof(text), "%" PRIu64 "\n", count);
        if (write(fd, text, (size_t)n) != n)
                return errno ? -errno : -EIO;
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
