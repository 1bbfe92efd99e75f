/* SPDX-License-Identifier: MIT */
/*
 * The next connection.
 */
#pragma once

#include <stdbool.h>

struct server;

/**
 * accept_one() - take one connection from the listening socket
 *
 * Where no descriptor is left for it, the socket rests for a moment.
 *
 * Return: whether to go on accepting.
 */
bool accept_one(struct server *server);
