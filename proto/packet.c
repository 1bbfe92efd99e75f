/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing: every descriptor belongs to the caller before and after. What a packet brings is
 * always taken out of the kernel's hands, so that the kernel never has to close it inside a call.
 * Refuses to interpret the payload.
 */
#include "packet.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Aligned as the kernel wants control messages. */
union control {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * PACKET_DESCRIPTORS_MAX) +
                   CMSG_SPACE(sizeof(struct ucred))];
};

int packet_send(int socket, const void *bytes, size_t size, const int *descriptors, size_t count)
{
        struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        union control control;
        ssize_t sent;

        assert(size > 0 && size <= PACKET_BYTES_MAX);
        assert(count <= PACKET_DESCRIPTORS_MAX);

        if (count) {
                struct cmsghdr *header;

                memset(&control, 0, sizeof(control));
                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int) * count);
                memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
        }

        do
                sent = sendmsg(socket, &message, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        return sent < 0 ? -errno : 0;
}

static void take_descriptors(struct msghdr *message, struct packet *packet)
{
        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
             header = CMSG_NXTHDR(message, header)) {
                size_t count;

                if (header->cmsg_level != SOL_SOCKET)
                        continue;
                packet->credentials |= header->cmsg_type == SCM_CREDENTIALS;
                if (header->cmsg_type != SCM_RIGHTS)
                        continue;
                count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                assert(packet->count + count <= PACKET_DESCRIPTORS_MAX);
                memcpy(packet->descriptors + packet->count, CMSG_DATA(header), sizeof(int) * count);
                packet->count += count;
        }
}

int packet_receive(int socket, void *bytes, size_t room, struct packet *ret)
{
        struct iovec iov = { .iov_base = bytes, .iov_len = room };
        union control control;
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof(control.bytes),
        };
        ssize_t received;

        received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        if (received < 0)
                return -errno;

        ret->size = (size_t)received;
        ret->count = 0;
        ret->credentials = false;
        ret->bytes_cut = message.msg_flags & MSG_TRUNC;
        ret->descriptors_cut = message.msg_flags & MSG_CTRUNC;
        take_descriptors(&message, ret);
        return 0;
}

void packet_close_descriptors(struct packet *packet)
{
        for (size_t i = 0; i < packet->count; i++)
                close(packet->descriptors[i]);
        packet->count = 0;
}
