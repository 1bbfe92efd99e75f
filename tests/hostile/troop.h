/* SPDX-License-Identifier: MIT */
/*
 * The hostile processes of one run, and all that they have started.
 */
#pragma once

#include "attack.h"

#define TROOP_MAX 256

/**
 * struct soldier - one process that plays an attack
 * @pid:  leads a process group of its own
 * @uid:  whom it is
 */
struct soldier {
        const struct attack *attack;
        unsigned nth;
        pid_t pid;
        uid_t uid;
};

/**
 * struct troop - all of them
 * @tries:  shared memory: by soldier
 * @victim: shared memory; borrowed
 */
struct troop {
        struct soldier soldiers[TROOP_MAX];
        size_t count;
        uint64_t *tries;
        const struct victim *victim;
};

void troop_init(struct troop *troop, const struct victim *victim);

/* Start @processes that play @attack. @first_uid: from 0, of HOSTILE_UIDS, who the first of them
 * is. */
void troop_add(struct troop *troop, const struct attack *attack, unsigned processes,
               unsigned first_uid);

/* Look whether any has ended. Who has found something has said what, and the test program ends. Who
 * was killed by SIGBUS, since the system had no page for what it had punched, is started again. */
void troop_look(struct troop *troop);

/* What was tried so far. */
uint64_t troop_tries(const struct troop *troop, const struct attack *attack);

/* Kill them and all that they have started, wherever that is, and wait until they are dead. */
void troop_end(struct troop *troop);
void troop_deinit(struct troop *troop);
