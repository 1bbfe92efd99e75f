/* SPDX-License-Identifier: MIT */
/*
 * What administrators do to pools and to what others hold. Ending a quarantine is for everybody.
 * Whom it is not for gets PAR_REFUSED_DENIED. On anything but 0 nothing changed, and @refusal says
 * why.
 */
#pragma once

#include "range.h"

#include <stdbool.h>
#include <stdint.h>

struct client;
struct refusal;
struct state;

/**
 * state_resize() - have a pool hold @bytes from now on, instead of its size_min
 * @bytes: rounded up to whole frames; from size_min to size_max. What it lacks is asked for, what
 *         is free beyond it goes back; buffers are left alone. Demand may make it larger, as always
 *
 * Return: 0: under way; PAR_REFUSED_DENIED; PAR_REFUSED_INVALID.
 */
int state_resize(struct state *state, struct client *asker, const char *pool, uint64_t bytes,
                 uint64_t now_ns, struct refusal *refusal);

/**
 * state_drain() - grant nothing any more from the frames of a pool inside a window, or do again
 * @window:    frames that reach into it
 * @drain:     false: end all drains of this pool that lie inside @window
 * @ret_bytes: what is still in use there; 0: drained
 *
 * Free frames go back to the system; owners are told (EVENT_DRAINING), and what they give back goes
 * too. The pool does not take frames there meanwhile.
 *
 * Return: 0; PAR_REFUSED_DENIED; PAR_REFUSED_INVALID; -ENOMEM.
 */
int state_drain(struct state *state, struct client *asker, const char *pool, struct range window,
                bool drain, uint64_t now_ns, uint64_t *ret_bytes, struct refusal *refusal);

/**
 * struct selection - which buffers
 * @buffer: number; 0: any
 * @client: number, as lists show it; 0: any
 * @name:   of the client; NULL or "": any
 * @pool:   NULL or "": any
 *
 * At least one is given.
 */
struct selection {
        uint64_t buffer, client;
        const char *name, *pool;
};

/**
 * state_revoke() - cut clients off from buffers of theirs
 * @ret_bytes: of how many
 *
 * They are told (EVENT_REVOKED), and know these buffers no longer. The memory is in quarantine as
 * if its client had died, and charged to its owner until nobody refers to it. Nothing more is
 * granted from the frames in which it lies: the client may still write there. Of a shared buffer,
 * where a client is meant, others keep it; where the buffer or its pool is meant, nobody does, and
 * its name is free.
 *
 * Return: 0; PAR_REFUSED_DENIED; PAR_REFUSED_INVALID; PAR_REFUSED_GONE where there are none;
 * -ENOMEM.
 */
int state_revoke(struct state *state, struct client *asker, const struct selection *which,
                 uint64_t now_ns, uint64_t *ret_bytes, struct refusal *refusal);

/**
 * state_end_quarantine() - the devices of these clients, who are gone, are known to be quiet
 *
 * For administrators, and for everybody what clients of his own uid left or were cut off from. What
 * clients of a former worker had is nobody's: administrators end that by the pool alone.
 *
 * Return: 0; PAR_REFUSED_DENIED where it is somebody else's; PAR_REFUSED_INVALID; PAR_REFUSED_GONE
 * where nothing is in quarantine.
 */
int state_end_quarantine(struct state *state, struct client *asker, const struct selection *which,
                         uint64_t now_ns, uint64_t *ret_bytes, struct refusal *refusal);
