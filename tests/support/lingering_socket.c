/* SPDX-License-Identifier: MIT */
/* Owns both ends of a connection over the loopback device. */
#include "lingering_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What cannot fail in a test. */
static void must(bool ok)
{
        if (!ok)
                abort();
}

void lingering_socket_init(struct lingering_socket *ret)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct linger linger = { 1, LINGERING_SECONDS };
        socklen_t size = sizeof(address);
        char bytes[4096] = { 0 };
        int small = 4096;

        ret->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void)setsockopt(ret->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        must(!bind(ret->listener, (struct sockaddr *)&address, sizeof(address)));
        must(!listen(ret->listener, 1));
        must(!getsockname(ret->listener, (struct sockaddr *)&address, &size));
        ret->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(!connect(ret->fd, (struct sockaddr *)&address, sizeof(address)));
        ret->peer = accept(ret->listener, NULL, NULL);
        must(ret->peer >= 0);

        (void)fcntl(ret->fd, F_SETFL, O_NONBLOCK);
        while (send(ret->fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
                ;
        (void)fcntl(ret->fd, F_SETFL, 0); /* a non-blocking one would not linger */
        must(!setsockopt(ret->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
}

void lingering_socket_deinit(struct lingering_socket *lingering)
{
        struct linger off = { 0 };

        if (lingering->fd >= 0) {
                (void)setsockopt(lingering->fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
                close(lingering->fd);
        }
        close(lingering->peer);
        close(lingering->listener);
}
