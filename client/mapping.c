/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; makes the system calls by which frames get their place in this process.
 *
 * Invariant: a frame is only ever placed over address space that mapping_reserve() took, so
 * MAP_FIXED never hits memory of somebody else. Refuses to map a frame that is smaller than it is
 * said to be: touching the rest would be a SIGBUS.
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

int mapping_place(int fd, size_t bytes, char *place, bool *ret_huge)
{
        struct stat status;
        void *at;

        if (fstat(fd, &status))
                return -errno;
        if (S_ISREG(status.st_mode) && (uint64_t)status.st_size < bytes)
                return -EPROTO;

        at = mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
        if (at == MAP_FAILED)
                return -errno;
        /* The kernel has no mapping that is so from the start: a child that another thread forks
         * just now has the frame until it ends or calls exec(). */
        mapping_keep_on_fork(place, bytes, false);
        *ret_huge = (uint64_t)status.st_blksize >= bytes;
        return 0;
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
