/* SPDX-License-Identifier: MIT */
/*
 * A descriptor that is bad to close: a TCP connection with SO_LINGER and unsent data, whose peer
 * does not read.
 */
#pragma once

#define LINGERING_SECONDS 20

struct lingering_socket {
        int fd; /* close it elsewhere, and set it to -1, or leave it to lingering_socket_deinit() */
        int peer, listener;
};

void lingering_socket_init(struct lingering_socket *ret);
void lingering_socket_deinit(struct lingering_socket *lingering);
