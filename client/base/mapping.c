/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; makes the system calls by which frames get their place in this process.
 *
 * Invariant: a frame is only ever placed over address space that mapping_reserve() took, or where
 * the kernel chose, so MAP_FIXED never hits memory of somebody else. Refuses to map a frame that is
 * smaller than it is said to be: touching the rest would be a SIGBUS.
 */
#include "mapping.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

int mapping_reserve(size_t bytes, size_t align, char **ret)
{
        size_t room_bytes, head_bytes;
        char *room;

        /* mmap() aligns to small pages only: take more, and give back what is too much. */
        if (__builtin_add_overflow(bytes, align, &room_bytes))
                return -ENOMEM;
        room = mmap(NULL, room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                    0);
        if (room == MAP_FAILED)
                return -errno;

        head_bytes = -(uintptr_t)room & (align - 1);
        mapping_release(room, head_bytes);
        mapping_release(room + head_bytes + bytes, align - head_bytes);
        *ret = room + head_bytes;
        return 0;
}

/* Is there as much memory behind it? */
static int check_file(int fd, size_t bytes, bool *ret_huge)
{
        struct stat status;

        if (fstat(fd, &status))
                return -errno;
        if (S_ISREG(status.st_mode) && (uint64_t)status.st_size < bytes)
                return -EPROTO;
        *ret_huge = (uint64_t)status.st_blksize >= bytes;
        return 0;
}

/* @flags: MAP_FIXED, where @place is reserved; or 0. */
static int map_file(int fd, size_t bytes, char *place, int flags, char **ret)
{
        char *at = mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);

        if (at == MAP_FAILED)
                return -errno;
        /* The kernel has no mapping that is so from the start: a child that another thread forks
         * just now has the frame until it ends or calls exec(). */
        mapping_keep_on_fork(at, bytes, false);
        *ret = at;
        return 0;
}

int mapping_place(int fd, size_t bytes, char *place, bool *ret_huge)
{
        bool huge;
        int r;

        r = check_file(fd, bytes, &huge);
        if (!r)
                r = map_file(fd, bytes, place, MAP_FIXED, &place);
        if (!r)
                *ret_huge = huge;
        return r;
}

static int map_reserved(int fd, size_t bytes, char **ret)
{
        char *place = NULL;
        int r;

        r = mapping_reserve(bytes, bytes, &place);
        if (r)
                return r;
        r = map_file(fd, bytes, place, MAP_FIXED, ret);
        if (r)
                mapping_release(place, bytes);
        return r;
}

int mapping_map(int fd, size_t bytes, char **ret, bool *ret_huge)
{
        char *at = NULL;
        int r;

        r = check_file(fd, bytes, ret_huge);
        if (r)
                return r;
        /* The kernel aligns a hugepage by itself. */
        if (*ret_huge && map_file(fd, bytes, NULL, 0, &at) == 0) {
                if (!((uintptr_t)at & (bytes - 1))) {
                        *ret = at;
                        return 0;
                }
                mapping_release(at, bytes);
        }
        return map_reserved(fd, bytes, ret);
}

int mapping_place_part(int fd, size_t offset, size_t bytes, char *place)
{
        void *at = mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                        (off_t)offset);

        if (at == MAP_FAILED)
                return -errno;
        mapping_keep_on_fork(place, bytes, false);
        return 0;
}

int mapping_forbid(char *at, size_t bytes)
{
        void *room = mmap(at, bytes, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

        return room == MAP_FAILED ? -errno : 0;
}

bool mapping_has_failed(char *at)
{
        const int errno_before = errno;
        bool failed;

        failed = madvise(at, 1, MADV_POPULATE_READ) < 0 && errno == EHWPOISON;
        errno = errno_before;
        return failed;
}

int mapping_move(char *from, size_t bytes, char *to)
{
        if (mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
                return -errno;
        return 0;
}

void mapping_release(char *at, size_t bytes)
{
        if (bytes)
                munmap(at, bytes);
}

void mapping_keep_on_fork(char *at, size_t bytes, bool keep)
{
        /* It can fail only for memory that no child gets anyway. */
        (void)madvise(at, bytes, keep ? MADV_DOFORK : MADV_DONTFORK);
}
