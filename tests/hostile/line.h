/* SPDX-License-Identifier: MIT */
/*
 * A hostile client's connection. It bears everything: being refused, being hung up on, answers that
 * never come. What it cannot bear is a system without sockets.
 */
#pragma once

#include "message.h"
#include "packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct line - one connection; line_close() it
 * @fd:     -1: there is none
 * @token:  of the session; 0 before Hello
 * @client: its number
 * @resumed: what the Welcome said
 * @seq:    of the last request
 * @arena:  where the last packet lives
 * @got:    its descriptors; closed with the next packet, unless somebody set @got.count to 0
 */
struct line {
        int fd;
        uint64_t token, client;
        bool resumed;
        uint32_t seq;
        struct message_arena arena;
        struct packet got;
};

/* What is small enough to be sent again and again: Hello with seq 1. */
extern const unsigned char line_hello[6];

/* What clients call themselves, from now on; static. */
void line_call_clients(const char *name);

/* Connect to PAR_SOCKET without a word. Return: whether that went well; errno otherwise. */
bool line_connect(struct line *ret);

/* And say Hello. @token: of the session that is to go on; 0: a new one. Return: whether there was a
 * Welcome; if not, the line is closed. */
bool line_open(struct line *ret, uint64_t token);

/* Without Bye. */
void line_close(struct line *line);

/* Send bytes, at once or not at all. Return: whether they went. */
bool line_say(const struct line *line, const void *bytes, size_t size);

/* Read and forget what is there, for so long at most. Return: whether the line is still open. */
bool line_drain(struct line *line, int wait_ms);

/* Whether pard closes it within 10 seconds; whatever comes before is read. Then it is closed. */
bool line_ends(struct line *line);

/* Return: whether it went. */
bool line_send(struct line *line, Wire__Request *request);

/* Send it and wait for the reply. Return: it lives until the next packet; NULL: there is no answer
 * to be had on this line any more. */
const Wire__Reply *line_ask(struct line *line, Wire__Request *request);

/* The same for some requests. Return: the result; -1: there is none. */
int line_alloc(struct line *line, uint64_t bytes, int32_t wait_ms, uint64_t *ret_buffer);
int line_free(struct line *line, uint64_t buffer);
int line_bye(struct line *line);
