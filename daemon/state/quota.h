/* SPDX-License-Identifier: MIT */
/*
 * A pool's quota: what one uid may have of it in all its sessions, those that are dead included. It
 * counts what is granted, and what is not free for others: so whose clients die again and again
 * fills no pool with quarantines, and who lets go of nothing fills none with what lingers.
 */
#pragma once

#include "client.h"
#include "demand.h"

struct choice;

/* How many bytes more the client's uid may be charged in a pool; UINT64_MAX: there is no limit. */
uint64_t quota_room_bytes(const struct client *client, const struct pool *pool);

/* Of these pools, those where all of a buffer of @size_bytes could be charged to the client. */
uint64_t quota_pools(const struct state *state, const struct client *client, uint64_t size_bytes,
                     uint64_t pools);

/* Whether the client may be charged with the frames of a choice that are nobody's yet. */
bool quota_allows(const struct state *state, const struct client *client,
                  const struct choice *choice);

/**
 * quota_refuse() - say which of the pools' quotas is reached, and with what
 * @pools: where it was looked for; some of them have a quota
 *
 * Return: PAR_REFUSED_QUOTA; PAR_REFUSED_NEVER_FITS where no quota is as large as the demand.
 */
int quota_refuse(const struct state *state, const struct client *client,
                 const struct demand *demand, uint64_t pools, struct refusal *ret);
