/* SPDX-License-Identifier: MIT */
/*
 * Between connection.c and connection_wait.c alone.
 */
#pragma once

#include "connection.h"

/* Wake those who sleep for want of room: there may be some, for another reason than what they look
 * at. */
void connection_tell_of_room(struct connection *connection);

/* Wake all who sleep on the socket: their descriptor is another file now. */
void connection_wake_sleepers(struct connection *connection);

/* Read what has arrived, but not beyond the reply to @request. Return: whether it is answered. */
bool connection_read_until(struct connection *connection, const struct request *request);
