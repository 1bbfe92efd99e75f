/* SPDX-License-Identifier: MIT */
/*
 * The last word to every client where pard ends in order: what tells that from the worker's death.
 */
#pragma once

#include <stdint.h>

struct server;

/**
 * goodbye_say() - tell all sessions that this pard ends
 * @wait_ms: another pard may go on with them within this time; 0: none will
 * @socket_time_ns: of the socket's file now; another one shows that another pard serves
 *
 * Whose socket is full is not told, and takes it for the worker's death. Nothing is to be sent
 * afterwards.
 */
void goodbye_say(struct server *server, uint32_t wait_ms, uint64_t socket_time_ns);
