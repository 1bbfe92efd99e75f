/* SPDX-License-Identifier: MIT */
/*
 * Closes what cannot be closed in the event loop. Closing a descriptor that a stranger sent can
 * block for as long as he likes (a socket with SO_LINGER, a file of his own file system), and so
 * can closing a socket in which such descriptors lie unread.
 */
#pragma once

#include <stdbool.h>

#define REAPER_SESSIONS_MAX 256

struct reaper;

/**
 * reaper_new() - a reaper without threads; they are started when there is something to close
 * @ret: owned by the caller: reaper_free()
 *
 * Return: 0; -ENOMEM.
 */
int reaper_new(struct reaper **ret);

/* Waits a moment for what is being closed; threads that hang in a stranger's file are left behind.
 * NULL is fine. */
void reaper_free(struct reaper *reaper);

/* Close a descriptor that a stranger sent; consumed. Never blocks. */
void reaper_close_stranger(struct reaper *reaper, int fd);

/* Close the socket of a session; consumed. Never blocks, and never waits behind strangers. */
void reaper_close_session(struct reaper *reaper, int socket);

/* Whether sockets of sessions come faster than they are closed: REAPER_SESSIONS_MAX wait. Who
 * accepts had better pause. */
bool reaper_is_behind(struct reaper *reaper);
