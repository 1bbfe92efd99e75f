/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; works on descriptors of its callers. A yes from here is true for good only together
 * with the other one: who has no file and no page cannot get either again. Refuses to guess: where
 * the kernel does not answer, the error is handed on.
 */
#include "letgo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int letgo_reopen(int memfd, int *ret_fd)
{
        char path[32];
        int fd;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

int letgo_probe_files(int own)
{
        if (fcntl(own, F_SETLEASE, F_WRLCK) < 0)
                return errno == EAGAIN ? -EBUSY : -errno;

        /* Closing the file would end the lease too; but then its holder could be told to break it
         * by somebody who opens the file in between. */
        (void)fcntl(own, F_SETLEASE, F_UNLCK);
        return 0;
}

int letgo_seal(int memfd, bool *sealed)
{
        int seals;

        if (*sealed)
                return 0;
        seals = fcntl(memfd, F_GET_SEALS);
        if (seals < 0)
                return -errno;
        /* The kernel looks at the pages only when the seal is added: one that a holder added
         * earlier says nothing about today. */
        if (seals & F_SEAL_WRITE)
                return -EPERM;
        if (fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE) < 0)
                return -errno;
        *sealed = true;
        return 0;
}
