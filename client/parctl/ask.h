/* SPDX-License-Identifier: MIT */
/*
 * Asking pard for what libpar has no call for: lists and explanations. One request, one reply.
 */
#pragma once

#include "message.h"

struct arguments;
struct ask;

/**
 * ask_open() - connect and say hello
 * @socket_path: NULL: $PAR_SOCKET, else the default; borrowed
 * @ret:         owned by the caller: ask_close()
 *
 * Complains where it fails.
 *
 * Return: 0, or the exit status: EXIT_NO_DAEMON, EXIT_REFUSED, EXIT_REFUSED_EVER, EXIT_OTHER.
 */
int ask_open(const char *socket_path, struct ask **ret);
void ask_close(struct ask *ask); /* NULL is fine */

/**
 * ask_once() - connect, ask and disconnect
 * @what: asks, and prints the answer; returns the exit status
 *
 * Return: what @what returned, or the exit status of ask_open().
 */
int ask_once(const struct arguments *arguments,
             int (*what)(struct ask *ask, const struct arguments *arguments));

/**
 * ask_request() - send a request and wait for its reply
 * @request: borrowed; its seq is set here
 * @ret:     a reply that says "done"; lives until the next call
 *
 * Complains where it fails.
 *
 * Return: 0, or the exit status.
 */
int ask_request(struct ask *ask, Wire__Request *request, const Wire__Reply **ret);

/* The same, where the reply must have a body of this kind. */
int ask_for(struct ask *ask, Wire__Request *request, Wire__Reply__BodyCase body,
            const Wire__Reply **ret);
