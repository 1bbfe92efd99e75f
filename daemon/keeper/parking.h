/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that the service manager keeps between the end of one pard and the start of the next
 * (its "file descriptor store"): memory that somebody uses, and what is known of it.
 *
 * The store takes long for many descriptors, so those of frames go in bundles: up to 253 are queued
 * in one socket, which is stored, and are read there without being taken out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Names in the store. No longer, since all of them go into one variable of the environment. */
#define PARKED_TAKEOVER "pard-t"
#define PARKED_LEDGER   "pard-l"
#define PARKED_CONFIG   "pard-c"
#define PARKED_BUNDLE   "pard-b"
#define PARKED_UDMABUF  "udmabuf" /* lent by the unit before the start, and not left by anybody */

/**
 * struct parked - what an earlier pard has left with the service manager
 * @takeover, @ledger, @config: -1: not there; owned
 * @bundles: @n_bundles sockets, in no order; owned
 */
struct parked {
        int takeover, ledger, config;
        int *bundles;
        size_t n_bundles;
};

#define PARKED_NONE ((struct parked){ .takeover = -1, .ledger = -1, .config = -1 })

/**
 * parked_add() - one descriptor of the service manager's
 * @name: under which it was stored
 * @fd:   consumed where it is one of these
 *
 * Return: 0; -ENOENT where it is none of these, or one that was there already; -ENOMEM.
 */
int parked_add(struct parked *parked, const char *name, int fd);

/* Whether there is all that belongs to it but the frames. */
static inline bool parked_any(const struct parked *parked)
{
        return parked->takeover >= 0 && parked->ledger >= 0 && parked->config >= 0;
}

void parked_deinit(struct parked *parked);

/**
 * parked_open() - the frames' descriptors
 * @n:   how many there must be
 * @ret: @n descriptors, in the order of parked_store(), owned by the caller, as is the array
 *
 * The store keeps its own.
 *
 * Return: 0; -EBADMSG where the bundles are not complete; -EMFILE; other negative errno.
 */
int parked_open(const struct parked *parked, size_t n, int **ret);

/**
 * parked_store() - have the service manager keep descriptors beyond the end of this process
 * @parked: its first three; the service manager gets copies
 * @frames: @n of them
 *
 * Waits until it has them, for at most a few seconds.
 *
 * Return: 0; -EOPNOTSUPP without a service manager; other negative errno. What was stored until
 * then is forgotten.
 */
int parked_store(const struct parked *parked, const int *frames, size_t n);

/* Have the service manager forget all of it. */
void parked_forget(void);

/* The same by another way: the names, up to a NULL. */
extern const char *const parked_names[];
