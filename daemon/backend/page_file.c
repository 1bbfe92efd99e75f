/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; works on descriptors of its callers. Refuses to call a page free on the word of a
 * lease alone: a file system that gives a page back which lies in somebody's pipe lets him read
 * what its next owner writes there.
 */
#include "page_file.h"

#include "deadline.h"
#include "letgo.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLEAR_NS (50 * NS_PER_MS)

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

int page_file_make(int directory, uint64_t bytes, int *ret_fd)
{
        _cleanup_(close_fd) int fd = -1;

        /* O_EXCL: nobody can give it a name later. */
        fd = openat(directory, ".", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0)
                return errno == ENOSPC ? -ENOMEM : -errno;
        if (fchmod(fd, 0600) < 0)
                return -errno;
        if (fallocate(fd, 0, 0, (off_t)bytes) < 0)
                return errno == ENOSPC ? -ENOMEM : -errno;
        *ret_fd = STEAL_FD(fd);
        return 0;
}

int page_file_is_dax(int fd, bool *ret)
{
        struct statx about;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &about) < 0)
                return -errno;
        *ret = about.stx_attributes & STATX_ATTR_DAX;
        return 0;
}

int page_file_freeze(int fd, bool frozen)
{
        int flags;

        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
                return -errno;
        if (frozen)
                flags |= FS_IMMUTABLE_FL;
        else
                flags &= ~FS_IMMUTABLE_FL;
        return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}

int page_file_withdraw(int *fd, bool *withdrawn)
{
        char path[32];
        int own;

        if (*withdrawn)
                return 0;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
        own = open(path, O_RDONLY | O_CLOEXEC);
        if (own < 0)
                return -errno;
        close(*fd);
        *fd = own;
        *withdrawn = true;
        return 0;
}

/* Does this kernel say so where it would have to wait, or does it wait? It waits. */
static int zero(int fd, uint64_t bytes)
{
        struct deadline deadline;
        int r;

        r = deadline_begin(CLEAR_NS, &deadline);
        if (r)
                return r;
        if (fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, (off_t)bytes) < 0)
                r = errno == EINTR ? -EBUSY : -errno;
        deadline_end(&deadline);
        return r;
}

int page_file_clear(int fd, uint64_t bytes)
{
        _cleanup_(close_fd) int writable = -1;
        void *map;
        int r;

        r = page_file_freeze(fd, false);
        if (!r)
                r = letgo_reopen(fd, &writable);
        if (r)
                return r;
        /* Without any mapping the kernel takes for granted that nobody refers to the page. */
        map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, writable, 0);
        if (map == MAP_FAILED)
                return -errno;
        r = zero(writable, bytes);
        munmap(map, bytes);
        return r;
}
