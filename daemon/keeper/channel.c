/* SPDX-License-Identifier: MIT */
/*
 * Owns the socket and the queue. Descriptors are opened only to be sent and closed at once after,
 * so a worker that does not read costs the keeper bytes, not descriptors. Refuses every message of
 * another size.
 */
#include "channel.h"

#include "macros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Linux 6.16; the C library does not know it yet. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

struct channel_message {
        STAILQ_ENTRY(channel_message) link; /* channel::queue */
        struct keeper_message message;
};

void channel_init(struct channel *channel,
                  int (*open)(void *data, const struct keeper_message *message, int *ret_fd),
                  void *data)
{
        *channel = (struct channel){ .fd = -1, .open = open, .data = data };
        STAILQ_INIT(&channel->queue);
}

void channel_attach(struct channel *channel, int fd)
{
        int none = 0;

        /* A worker that went bad could send a socket whose closing blocks; where the kernel can, it
         * refuses all descriptors. */
        (void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &none, sizeof(none));
        channel->fd = fd;
        channel->stalled = false;
}

void channel_detach(struct channel *channel)
{
        struct channel_message *queued;

        while ((queued = STAILQ_FIRST(&channel->queue))) {
                STAILQ_REMOVE_HEAD(&channel->queue, link);
                free(queued);
        }
        channel->stalled = false;
        if (channel->fd >= 0)
                close(STEAL_FD(channel->fd));
}

static int send_with(int socket, const struct keeper_message *message, int fd)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct iovec payload = { (void *)(uintptr_t)message, sizeof(*message) };
        struct msghdr header = { .msg_iov = &payload, .msg_iovlen = 1 };
        ssize_t n;

        if (fd >= 0) {
                struct cmsghdr *rights;

                header.msg_control = control.bytes;
                header.msg_controllen = sizeof(control.bytes);
                rights = CMSG_FIRSTHDR(&header);
                rights->cmsg_level = SOL_SOCKET;
                rights->cmsg_type = SCM_RIGHTS;
                rights->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
        }
        do
                n = sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

static int send_one(struct channel *channel, const struct keeper_message *message)
{
        int fd = -1, r;

        channel->stalled = false;
        r = channel->open(channel->data, message, &fd);
        if (r == -ESTALE)
                return 0;
        if (!r)
                r = send_with(channel->fd, message, fd);
        else
                channel->stalled = true;
        if (fd >= 0)
                close(fd);
        if (r == -ETOOMANYREFS || r == -ENOBUFS || r == -ENOMEM)
                channel->stalled = true;
        return channel->stalled ? -EAGAIN : r;
}

int channel_flush(struct channel *channel)
{
        struct channel_message *queued;
        int r;

        while ((queued = STAILQ_FIRST(&channel->queue))) {
                r = send_one(channel, &queued->message);
                if (r == -EAGAIN)
                        return 0;
                if (r)
                        return r;
                STAILQ_REMOVE_HEAD(&channel->queue, link);
                free(queued);
        }
        return 0;
}

int channel_send(struct channel *channel, const struct keeper_message *message)
{
        struct channel_message *queued;

        if (channel->fd < 0)
                return 0;
        queued = malloc(sizeof(*queued));
        if (!queued)
                return -ENOMEM;
        queued->message = *message;
        STAILQ_INSERT_TAIL(&channel->queue, queued, link);
        return channel_flush(channel);
}

int channel_receive(struct channel *channel, struct keeper_message *ret)
{
        struct keeper_message message;
        struct iovec payload = { &message, sizeof(message) };
        /* No room for descriptors: those that come along are closed, and show as MSG_CTRUNC. */
        struct msghdr header = { .msg_iov = &payload, .msg_iovlen = 1 };
        ssize_t n;

        n = recvmsg(channel->fd, &header, MSG_DONTWAIT);
        if (n < 0)
                return errno == EINTR ? -EAGAIN : -errno;
        if (n == 0)
                return -EPIPE;
        if (n != sizeof(message) || header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                return -EBADMSG;
        *ret = message;
        return 0;
}
