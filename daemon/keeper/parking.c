/* SPDX-License-Identifier: MIT */
/*
 * Owns the sockets only until they are stored. Whether the store keeps what it is given is the
 * unit's affair (FileDescriptorStoreMax=) and cannot be asked: a manager that keeps nothing is one
 * that has nothing at the next start.
 */
#include "parking.h"

#include "macros.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define BUNDLE_MAX 253u /* SCM_MAX_FD */
#define STORE_MAX  200u /* descriptors in one message to the manager */
#define BARRIER_US (10 * UINT64_C(1000000))

const char *const parked_names[] = { PARKED_TAKEOVER, PARKED_LEDGER,  PARKED_CONFIG,
                                     PARKED_BUNDLE,   PARKED_UDMABUF, NULL };

/* ---- bundles -------------------------------------------------------------------------------- */

/* What a bundle's message says. */
struct label {
        uint64_t first, n;
};

union control {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(BUNDLE_MAX * sizeof(int))];
};

static int fill(int socket, const struct label *label, const int *fds)
{
        struct iovec payload = { (void *)(uintptr_t)label, sizeof(*label) };
        struct msghdr message = { .msg_iov = &payload, .msg_iovlen = 1 };
        union control control = { 0 };
        struct cmsghdr *rights;

        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(label->n * sizeof(int));
        rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(label->n * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, label->n * sizeof(int));
        return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* The writing end may be closed: what was written stays. */
static int make_bundle(const struct label *label, const int *fds, int *ret)
{
        int ends[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        r = fill(ends[1], label, fds);
        close(ends[1]);
        if (r) {
                close(ends[0]);
                return r;
        }
        *ret = ends[0];
        return 0;
}

static void close_all(int *fds, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (fds[i] >= 0)
                        close(fds[i]);
        free(fds);
}

/* Put a message's descriptors where they belong; those that do not fit are closed. */
static int sort_in(const struct msghdr *message, const struct label *label, int *fds, size_t n)
{
        struct cmsghdr *rights = CMSG_FIRSTHDR((struct msghdr *)(uintptr_t)message);
        size_t count;
        int r = 0;

        if (!rights || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS)
                return -EBADMSG;
        count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (count != label->n || label->first > n || count > n - label->first)
                r = -EBADMSG;
        for (size_t i = 0; i < count; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(rights) + i * sizeof(fd), sizeof(fd));
                if (r || fds[label->first + i] >= 0) {
                        r = -EBADMSG;
                        close(fd);
                } else {
                        fds[label->first + i] = fd;
                }
        }
        return r;
}

static int read_bundle(int socket, int *fds, size_t n)
{
        struct label label = { 0 };
        struct iovec payload = { &label, sizeof(label) };
        union control control;
        struct msghdr message = { .msg_iov = &payload,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        ssize_t size;
        int r;

        size = recvmsg(socket, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0)
                return -errno;
        /* Before anything else is said of it: what did come is closed. */
        r = sort_in(&message, &label, fds, n);
        if (message.msg_flags & MSG_CTRUNC)
                return -EMFILE;
        return size == sizeof(label) ? r : -EBADMSG;
}

int parked_open(const struct parked *parked, size_t n, int **ret)
{
        int *fds = malloc((n ? n : 1) * sizeof(*fds)), r = 0;

        if (!fds)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                fds[i] = -1;
        for (size_t i = 0; !r && i < parked->n_bundles; i++)
                r = read_bundle(parked->bundles[i], fds, n);
        for (size_t i = 0; !r && i < n; i++)
                if (fds[i] < 0)
                        r = -EBADMSG;
        if (r) {
                close_all(fds, n);
                return r;
        }
        *ret = fds;
        return 0;
}

/* ---- what the service manager passes --------------------------------------------------------- */

static int add_bundle(struct parked *parked, int fd)
{
        int *more = reallocarray(parked->bundles, parked->n_bundles + 1, sizeof(*more));

        if (!more)
                return -ENOMEM;
        parked->bundles = more;
        parked->bundles[parked->n_bundles++] = fd;
        return 0;
}

int parked_add(struct parked *parked, const char *name, int fd)
{
        int *const places[] = { &parked->takeover, &parked->ledger, &parked->config };

        if (strcmp(name, PARKED_BUNDLE) == 0)
                return add_bundle(parked, fd);
        for (size_t i = 0; i < ARRAY_SIZE(places); i++)
                if (strcmp(name, parked_names[i]) == 0 && *places[i] < 0) {
                        *places[i] = fd;
                        return 0;
                }
        return -ENOENT;
}

void parked_deinit(struct parked *parked)
{
        const int fds[] = { parked->takeover, parked->ledger, parked->config };

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                if (fds[i] >= 0)
                        close(fds[i]);
        close_all(parked->bundles, parked->n_bundles);
        *parked = PARKED_NONE;
}

/* ---- storing -------------------------------------------------------------------------------- */

static int store(const char *name, const int *fds, size_t n)
{
        char text[64];
        int r;

        snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
        r = sd_pid_notify_with_fds(0, 0, text, fds, (unsigned)n);
        return r > 0 ? 0 : r ? r : -EOPNOTSUPP;
}

static int store_bundles(const int *bundles, size_t n)
{
        int r = 0;

        for (size_t i = 0; !r && i < n; i += STORE_MAX)
                r = store(PARKED_BUNDLE, bundles + i, n - i < STORE_MAX ? n - i : STORE_MAX);
        return r;
}

static int store_frames(const int *frames, size_t n)
{
        const size_t n_bundles = (n + BUNDLE_MAX - 1) / BUNDLE_MAX;
        int *bundles = calloc(n_bundles + 1, sizeof(*bundles)), r = 0;
        size_t made = 0;

        if (!bundles)
                return -ENOMEM;
        while (!r && made < n_bundles) {
                const size_t first = made * BUNDLE_MAX, left = n - first;
                const struct label label = { first, left < BUNDLE_MAX ? left : BUNDLE_MAX };

                r = make_bundle(&label, frames + first, &bundles[made]);
                made += !r;
        }
        if (!r)
                r = store_bundles(bundles, n_bundles);
        close_all(bundles, made);
        return r;
}

int parked_store(const struct parked *parked, const int *frames, size_t n)
{
        int r;

        r = store_frames(frames, n);
        if (!r)
                r = store(PARKED_LEDGER, &parked->ledger, 1);
        if (!r)
                r = store(PARKED_CONFIG, &parked->config, 1);
        /* Last: without it the rest is nothing. */
        if (!r)
                r = store(PARKED_TAKEOVER, &parked->takeover, 1);
        if (!r)
                r = sd_notify_barrier(0, BARRIER_US);
        if (r >= 0)
                return 0;
        parked_forget();
        return r;
}

void parked_forget(void)
{
        for (size_t i = 0; parked_names[i]; i++)
                (void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", parked_names[i]);
}
