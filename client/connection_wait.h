/* SPDX-License-Identifier: MIT */
/*
 * Between connection.c and connection_wait.c alone.
 */
#pragma once

#include "connection.h"

/* Read what has arrived, but not beyond the reply to @request. Return: whether it is answered. */
bool connection_read_until(struct connection *connection, const struct request *request);
