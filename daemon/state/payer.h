/* SPDX-License-Identifier: MIT */
/*
 * What all owners of one uid have together: sessions come and go, and what they leave in quarantine
 * or lingering is still the uid's.
 */
#pragma once

#include "lists.h"
#include "state.h"

struct pool;

/**
 * struct payer - a uid that something is or may be charged to
 * @n_owners: that refer to it
 * @bytes:    of their frames, by the pool's index and by state
 */
struct payer {
        uint32_t uid;
        uint32_t n_owners;
        RB_ENTRY(payer) by_uid; /* state::payers */
        struct state_bytes bytes[];
};

RB_HEAD(payer_tree, payer);

/**
 * payer_get() - the payer of a uid, for one more owner
 *
 * Return: 0; -ENOMEM.
 */
int payer_get(struct state *state, uint32_t uid, struct payer **ret);
void payer_put(struct state *state, struct payer *payer); /* freed with its last owner */

/* All of them, by their uids. @after: NULL: the first. Return: NULL: that was the last. */
const struct payer *payer_next(const struct state *state, const struct payer *after);

/* Bytes of a pool that count towards its quota. What is on its way back does, too, where the uid is
 * known to hold on to memory: it may take long. */
uint64_t payer_counted_bytes(const struct payer *payer, const struct pool *pool);
