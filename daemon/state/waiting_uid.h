/* SPDX-License-Identifier: MIT */
/*
 * What the requests of one uid that wait have in common, in however many sessions: how many there
 * may be, and how often pools are held up for them.
 */
#pragma once

#include "due.h"
#include "lists.h"

#include <stdint.h>

struct client;
struct refusal;
struct state;

/**
 * struct waiting_uid - a uid with requests that wait, or had until lately
 * @n:     how many wait
 * @had:   pools that were held up for it lately (bits), and are not again before @again
 */
struct waiting_uid {
        uint32_t uid;
        uint32_t n;
        uint64_t had;
        struct due again;
        RB_ENTRY(waiting_uid) by_uid; /* state::waiting_uids */
};

RB_HEAD(waiting_uid_tree, waiting_uid);

/**
 * waiting_uid_check() - whether one more of a client's requests may wait
 *
 * Administrators' always may. Return: 0; PAR_REFUSED_QUOTA.
 */
int waiting_uid_check(const struct state *state, const struct client *client,
                      struct refusal *refusal);

/* How many of a uid's wait, and may; administrators are not limited. */
uint32_t waiting_uid_count(const struct state *state, uint32_t uid);
uint64_t waiting_uid_most(const struct state *state);

/**
 * waiting_uid_add() - one more waits
 * @ret: valid until waiting_uid_remove()
 *
 * Return: 0; -ENOMEM.
 */
int waiting_uid_add(struct state *state, uint32_t uid, struct waiting_uid **ret);
void waiting_uid_remove(struct state *state, struct waiting_uid *of);

/* Pools are held up for it from now on. */
void waiting_uid_holds(struct state *state, struct waiting_uid *of, uint64_t pools,
                       uint64_t now_ns);

/* That led to something: they may be again. */
void waiting_uid_was_served(struct waiting_uid *of, uint64_t pools);

/* @again is due. */
void waiting_uid_due(struct state *state, struct waiting_uid *of);

/* Free all of them. */
void waiting_uids_deinit(struct state *state);
