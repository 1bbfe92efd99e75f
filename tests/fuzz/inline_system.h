/* SPDX-License-Identifier: MIT */
/*
 * The system calls by which libpar waits, looks at the clock, connects and maps, so that a server
 * runs in the same thread: whenever the library would sleep, the server has its turn, and where
 * that says nothing the time passes. Linked with --wrap for each of them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct inline_server - what answers
 * @turn:    it may read and write its socket; nothing happens meanwhile
 * @connect: somebody connects. @fd: the server's end, which it owns. Return: 0; -errno: it is none
 * @mtime:   the time of the socket's file, in ns. Return: 0; -errno
 * @silent:  nothing will ever happen unless the server does something now
 */
struct inline_server {
        void *data;
        void (*turn)(void *data);
        int (*connect)(void *data, int fd);
        int (*mtime)(void *data, uint64_t *ret_ns);
        void (*silent)(void *data);
};

/* Begin with nothing mapped; @server: copied. Until the end all calls are the server's; the rest of
 * the time they are the system's, which libFuzzer needs. */
void inline_system_begin(const struct inline_server *server);
void inline_system_end(void);

/* The time; and how often the library has slept since inline_system_stir(). */
uint64_t inline_system_ns(void);
unsigned inline_system_sleeps(void);
void inline_system_stir(void);

/* Address space that the library has taken and not given back, in bytes. */
int64_t inline_system_mapped(void);
