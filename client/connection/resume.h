/* SPDX-License-Identifier: MIT */
/*
 * The session goes on when the daemon's worker dies: between connection.c and resume.c alone.
 */
#pragma once

#include "connection.h"

/* A session that is lost comes back within this time, or not at all. */
#define RESUME_LOST_MS 60000u

/* No longer absence of pard is waited for, whatever it says. */
#define RESUME_ABSENCE_MS_MAX 600000u

/* pard ends, and says for how long its clients may wait for another one. */
void resume_note_goodbye(struct connection *connection, const Wire__Goodbye *goodbye);

/**
 * resume_begin() - the worker is gone: turn to the next one
 *
 * Return: 0: the session may go on, what is under way is answered later; -errno, -PAR_GONE: it
 * cannot.
 */
int resume_begin(struct connection *connection);

/* Do what is due, and say to the new worker what there is room for. Never sleeps. */
void resume_go_on(struct connection *connection);

/* The session is over. */
void resume_stop(struct connection *connection);
void resume_deinit(struct connection *connection);

/* The socket, for poll(); -1: there is nothing to hear from it, only from the clock. */
int resume_poll_socket(const struct connection *connection);

/* What poll() is to wait for on the socket; @to_send: somebody waits for room in it. */
short resume_poll_events(const struct connection *connection, bool to_send);

/* connection.c: a connected socket, non-blocking. Return: 0; -errno, and nothing is said. */
int connection_open(const char *path, int *ret);

/* connection.c: send a packed or unpacked request, whatever the stage. Return: as packet_send();
 * -EINVAL. */
int connection_post(struct connection *connection, Wire__Request *message);

/* connection.c: a number for a request whose reply nobody awaits. */
uint32_t connection_unawaited_seq(struct connection *connection);
