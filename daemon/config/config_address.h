/* SPDX-License-Identifier: MIT */
/*
 * Where pard may listen: a path, or a port that this machine alone can reach.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Longest path of a socket, in bytes. */
#define ADDRESS_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

/* An absolute path that a socket can have. */
bool address_is_path(const char *text);

/* "127.0.0.1:PORT" or "[::1]:PORT", the port from 1 to 65535. */
bool address_is_loopback(const char *text);

/**
 * address_loopback() - the address that such a text means
 * @text: for which address_is_loopback() holds
 * @ret:  the address, *ret_size bytes of it
 */
void address_loopback(const char *text, struct sockaddr_storage *ret, socklen_t *ret_size);
