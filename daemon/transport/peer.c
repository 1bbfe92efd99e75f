/* SPDX-License-Identifier: MIT */
/*
 * Owns the peer's pidfd. Believes nothing that the peer says of itself: all of it is the kernel's.
 */
#include "peer.h"

#include "macros.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the C library's headers. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "groups are read in place");

static int read_groups(int socket, struct identity *identity)
{
        socklen_t size = sizeof(identity->groups);

        if (!getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, identity->groups, &size)) {
                identity->n_groups = size / sizeof(identity->groups[0]);
                return 0;
        }
        /* More groups than there is room for: only the first counts, which denies and never
         * allows. */
        if (errno != ERANGE && errno != ENOPROTOOPT)
                return -errno;
        identity->groups[0] = identity->gid;
        identity->n_groups = 1;
        return 0;
}

int peer_open_pidfd(uint32_t pid)
{
        int fd = pid ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;

        if (!pid)
                return -ESRCH;
        return fd < 0 ? -errno : fd;
}

static int open_pidfd(int socket, uint32_t pid, int *ret)
{
        socklen_t size = sizeof(*ret);
        int fd;

        if (!getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, ret, &size))
                return 0;
        if (errno == ESRCH || errno == EINVAL) /* reaped already: the kernel has said either */
                return -ESRCH;
        if (errno != ENOPROTOOPT && errno != ENODATA)
                return -errno;
        if (pid == 0) { /* it has no number here */
                *ret = -1;
                return 0;
        }
        fd = peer_open_pidfd(pid);
        if (fd < 0)
                return fd;
        *ret = fd;
        return 0;
}

int peer_init(int socket, struct peer *ret)
{
        struct ucred credentials;
        socklen_t size = sizeof(credentials);
        struct peer peer = { .pidfd = -1 };
        int r;

        if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size))
                return -errno;
        peer.identity.uid = credentials.uid;
        peer.identity.gid = credentials.gid;
        peer.identity.pid = (uint32_t)credentials.pid;

        r = read_groups(socket, &peer.identity);
        if (r)
                return r;
        r = open_pidfd(socket, peer.identity.pid, &peer.pidfd);
        if (r)
                return r;
        *ret = peer;
        return 0;
}

void peer_deinit(struct peer *peer)
{
        if (peer->pidfd >= 0)
                close(STEAL_FD(peer->pidfd));
}
