/* SPDX-License-Identifier: MIT */
/*
 * A short life of some clients, so that a ledger has something of everything; and what of it must
 * still be so when another worker has read that.
 */
#pragma once

#include "choices.h"
#include "ledger_spoil.h"
#include "world.h"

#include <stdbool.h>

#define LIFE_CLIENTS 6

/**
 * struct life - who lives
 * @clients: by their numbers; NULL: nobody
 * @tokens:  of those that ever were, with which they come back
 * @shares:  whether buffers are shared
 */
struct life {
        struct world *world;
        struct choices *choices;
        struct client *clients[LIFE_CLIENTS], *root;
        uint64_t tokens[LIFE_CLIENTS], root_token;
        bool shares;
};

/* Three pools and a device; the world is new. */
void life_begin(struct life *life, struct world *world, struct choices *choices, bool shares);

/* At most @steps. */
void life_go_on(struct life *life, unsigned steps);

/* Whoever may comes back to the next worker; the others are new. */
void life_come_back(struct life *life);

/* Everybody goes, an administrator releases what is in quarantine, and all memory is free again. */
void life_end(struct life *life);

struct remembered;

/* What the ledger says of granted buffers and of sessions, each with the records that it says it
 * with; before anybody changes it. Owned by the caller: free(). */
struct remembered *life_remember(const struct life *life);

/* All of that is still so, but for what is in records that were spoilt, or needs those: that is not
 * there at all. None of those can be believed. */
void life_compare(const struct life *life, const struct remembered *remembered,
                  const struct spoil *spoil);
