/* SPDX-License-Identifier: MIT */
#pragma once

#include "account.h"
#include "buffer.h"
#include "due.h"
#include "lists.h"
#include "quarantine.h"
#include "state.h"

/**
 * struct holding - the buffers that one client has of one account, or had
 * @client:    NULL once it ended: the client did, or was cut off from these buffers; and where it
 * is a shared buffer's
 * @share:     the shared buffer's that is all of it; NULL once that was given up
 * @buffers:   all of them, but for those in @fresh
 * @fresh:     of one that ended: those whose frames do not know it yet
 * @n_buffers, @bytes: of both lists
 * @quarantined: ended without a word that its devices are quiet: nobody gets this memory before
 *             @quarantine is over, or was said to be (@until_ns is 0)
 * @until_ns:  when enough time has passed, as far as that is what it waits for
 * @disclosed: its client knew where in memory the buffers lie, or could have looked: a device may
 *             have been told. Otherwise only what the kernel holds for a device can be in use, and
 *             that keeps the frames lingering: no quarantine
 * @revoked:   its client was cut off: the frames are closed
 * @cut_off:   the client from which it was revoked, as long as that lives; it is told of each
 * buffer
 * @name, @uid, @pid, @client_id: of the client
 * @ended_ns:  when
 * @due:       the next part of its end
 */
struct holding {
        struct client *client;
        struct share *share;
        struct account *account;
        struct buffer_list buffers, fresh;
        uint64_t n_buffers, bytes;
        bool quarantined, disclosed, revoked;
        struct client *cut_off;
        char name[LABEL_BYTES_MAX + 1];
        uint32_t uid, pid;
        uint64_t client_id;
        uint64_t ended_ns, until_ns;
        struct quarantine quarantine;
        struct due due;
        LIST_ENTRY(holding) ended;     /* state::ended */
        LIST_ENTRY(holding) of_owner;  /* owner::quarantined, while it is */
        LIST_ENTRY(holding) by_client; /* client::revoked */
};

LIST_HEAD(holding_list, holding);

/**
 * holding_new() - an empty one, for a client and an account
 *
 * Return: 0; -ENOMEM.
 */
int holding_new(struct client *client, struct account *account, struct holding **ret);

/* Free one that is empty, and in use nowhere. */
void holding_discard(struct holding *holding);

/* A buffer comes, or goes. */
void holding_add(struct holding *holding, struct buffer *buffer);
void holding_remove(struct holding *holding, struct buffer *buffer);

/**
 * holding_end() - a client's holding becomes one that ended
 * @holding: the client has it no longer. Freed with its last buffer, perhaps at once
 * @orderly: its devices are quiet: everything is given back
 * @steps:   how much may be done now; the rest is done when it is due
 */
void holding_end(struct state *state, struct holding *holding, bool orderly, uint64_t now_ns,
                 unsigned *steps);

/**
 * holding_end_shared() - a shared buffer is given up
 * @holding:   with that buffer; nobody has it any more
 * @disclosed: see struct holding
 * @orderly:   no device is left that may be writing
 */
void holding_end_shared(struct state *state, struct holding *holding, bool disclosed, bool orderly,
                        uint64_t now_ns, unsigned *steps);

/**
 * holding_revoke() - the same for one from which its client is cut off
 *
 * The client is told, unless it ends before.
 */
void holding_revoke(struct state *state, struct holding *holding, uint64_t now_ns, unsigned *steps);

/* The client from which it was revoked ends, too; @orderly: its devices are quiet. */
void holding_lose_client(struct state *state, struct holding *holding, bool orderly,
                         uint64_t now_ns, unsigned *steps);

/* The quarantine of one that ended is over. Not where it is over already. */
void holding_release(struct state *state, struct holding *holding, uint64_t now_ns,
                     unsigned *steps);

/* The same for one of its buffers. */
void holding_release_buffer(struct state *state, struct buffer *buffer, uint64_t now_ns);

/* Whether it is still held back. */
static inline bool holding_waits(const struct holding *holding)
{
        return holding->quarantined && holding->until_ns;
}

/* Its time has come: go on with its end. */
void holding_due(struct state *state, struct holding *holding, uint64_t now_ns, unsigned *steps);
