/* SPDX-License-Identifier: MIT */
/*
 * A client that speaks the protocol without libpar, for looking at a daemon from outside. Every
 * failure ends the test program.
 */
#pragma once

#include "message.h"
#include "packet.h"

#include <stdint.h>

/**
 * struct wire_client - one session
 * @token: with which it can be resumed
 * @seq:   of the last request
 * @arena: where the last reply lives
 * @got:   its descriptors; closed with the next request, unless somebody set @got.count to 0
 */
struct wire_client {
        int fd;
        uint64_t token;
        uint32_t seq;
        struct message_arena arena;
        struct packet got;
};

void wire_client_open(const char *socket, const char *name, struct wire_client *ret);

/* Go on with the session with another worker; whatever was under way is forgotten. */
void wire_client_resume(const char *socket, struct wire_client *client);

/* Say goodbye and close. */
void wire_client_close(struct wire_client *client);

/* The same without a word, as where the daemon is gone. */
void wire_client_abandon(struct wire_client *client);

/**
 * wire_client_ask() - send a request and wait for its reply
 * @request: its seq is filled in
 *
 * Return: the reply, whatever its result; lives until the next call.
 */
const Wire__Reply *wire_client_ask(struct wire_client *client, Wire__Request *request);

/* One status request. Return: its answer; lives until the next call. */
const Wire__Status *wire_client_status(struct wire_client *client);

/* One pool by its name, as the list of pools shows it; lives until the next call. */
const Wire__Pool *wire_client_pool(struct wire_client *client, const char *pool);

/* Die unless the bytes of all states together are what is held. */
void check_sum_of_states(const Wire__StateBytes *bytes);
