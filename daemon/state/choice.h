/* SPDX-License-Identifier: MIT */
/*
 * Where a demand would go: the pool, and places in it. Looks, takes nothing.
 */
#pragma once

#include "client.h"
#include "demand.h"
#include "pool.h"
#include "quota.h"

/**
 * struct choice - an answer of the search
 * @pool:     where it would go
 * @places:   in the order of the buffer; owned
 * @barred:   pools (bits) in which a quota stood in the way; @excess: the first such quota
 */
struct choice {
        struct pool *pool;
        struct range *places;
        size_t n_places;
        uint64_t barred;
        struct quota_excess excess;
};

void choice_deinit(struct choice *choice);

/**
 * choice_pools() - the pools that a demand may go to
 * @name:       only this one; NULL or "": any
 * @ret_denied: of those that would do, the ones that the client may not use
 *
 * Return: bit n: pool n.
 */
uint64_t choice_pools(const struct state *state, const struct client *client,
                      const struct demand *demand, const char *name, uint64_t *ret_denied);

/**
 * choice_find() - look for places
 * @pools:    where to look (bits), in the state's order of preference
 * @held_up:  of those, bits where memory is kept for others who wait: only the client's own may be
 *            used there, and what is outside pool::held_window
 *
 * What is free and claimed by others is none that the client could have.
 *
 * Return: 0; PAR_REFUSED_EXHAUSTED, PAR_REFUSED_FRAGMENTED, also where quotas bar some pools
 * (@ret->barred); -ENOMEM.
 */
int choice_find(const struct state *state, const struct client *client, const struct demand *demand,
                uint64_t pools, uint64_t held_up, struct choice *ret);

/**
 * choice_longest() - the longest run that the client could have as one buffer without limits
 * @demand: in its window, of its nodes
 * @ret:    of equal ones the highest, whole frames first
 *
 * Return: whether there is any.
 */
bool choice_longest(const struct client *client, const struct pool *pool,
                    const struct demand *demand, struct range *ret);

/**
 * choice_could_ever() - whether the demand would be met if everybody else gave everything back, and
 * every pool grew to its size_max; what others have claimed is theirs for ever
 * @own_too: and the client itself as well
 *
 * Return: 1, 0; -ENOMEM.
 */
int choice_could_ever(const struct state *state, const struct client *client,
                      const struct demand *demand, uint64_t pools, bool own_too);
