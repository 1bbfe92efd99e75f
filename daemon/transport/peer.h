/* SPDX-License-Identifier: MIT */
/*
 * Who is at the other end of a connection, asked of the kernel once, at accept.
 */
#pragma once

#include "state_client.h"

/**
 * struct peer - the process that connected
 * @identity: who it is
 * @pidfd:    readable when it is dead, also where a child of it still holds the socket; owned; -1
 *            where the kernel does not tell (a process outside of our PID namespace)
 */
struct peer {
        struct identity identity;
        int pidfd;
};

/**
 * peer_init() - ask the kernel about a connection
 * @socket: connected; borrowed
 * @ret:    owned by the caller: peer_deinit()
 *
 * Return: 0; -ESRCH where the process is dead already; other negative errno.
 */
int peer_init(int socket, struct peer *ret);
void peer_deinit(struct peer *peer);

/* A pidfd of the process of this number, owned by the caller. Return: it; -ESRCH: there is none, or
 * it has no number here; other negative errno. */
int peer_open_pidfd(uint32_t pid);
