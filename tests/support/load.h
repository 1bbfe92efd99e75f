/* SPDX-License-Identifier: MIT */
/*
 * Clients that keep a daemon busy in processes of their own, until they are killed.
 */
#pragma once

#include "random.h"

#include <par.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOAD_CLIENTS_MAX 256

/* What a client does for ever. It may end the process only through die(). */
typedef void load_function(struct par *par, struct random *random);

/**
 * struct load - running clients
 * @killed: how many were killed so far
 */
struct load {
        load_function *work;
        struct random random;
        pid_t pids[LOAD_CLIENTS_MAX];
        size_t count;
        uint64_t killed;
};

/**
 * load_take_and_free() - one thing that a client may do for ever
 * @options:  of each buffer, which has from 4 KiB to 8 MiB; a refusal is fine
 * @pause_us: the longest that it keeps one; 0: not at all
 */
void load_take_and_free(struct par *par, struct random *random,
                        const struct par_alloc_options *options, uint32_t pause_us)
        __attribute__((__noreturn__));

/* Start @count clients of the daemon that PAR_SOCKET names. @seed: of all that they do */
void load_start(struct load *load, size_t count, load_function *work, uint64_t seed);

/* Kill one client that chance picks, and start another. */
void load_replace_one(struct load *load);

/* Kill them all. The test program ends where one has ended by itself. */
void load_stop(struct load *load);
