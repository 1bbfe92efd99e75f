/* SPDX-License-Identifier: MIT */
/*
 * Who may know where memory lies; and pools that do not tell it to their own clients. What is
 * granted of those has a place for its device only where its client maps it behind an IOMMU; so
 * limits of addresses mean nothing there, and an answer to them would tell what is hidden.
 */
#pragma once

#include "client.h"
#include "demand.h"

/**
 * hide_demand() - fit a demand for a pool that hides its addresses
 * @request: names the pool, or does not
 * @demand:  narrowed by its devices. Where that pool hides its addresses, it is blind from now on,
 *           and how many segments it has in memory is of no interest
 *
 * Return: 0; PAR_REFUSED_DENIED where it has limits of addresses, which the pool does not answer.
 */
int hide_demand(const struct state *state, const struct request *request, struct demand *demand,
                struct refusal *refusal);

/* Whether a demand may go to a pool that hides its addresses: it does not want to know them, and
 * has no limit whose answer would tell them. @named: the request names this pool. */
bool hidden_suits(const struct pool_settings *pool, const struct demand *demand, bool named);

/* Whether this asker may not know where memory of a pool lies. Administrators may, of every pool;
 * others may of those that they may use, where these do not hide it. */
bool hidden_from(const struct pool *pool, const struct client *asker);

/* The same of what a client of this uid had there: his uid was told with the grant, where the pool
 * does not hide it, whether it may use the pool or not. */
bool hidden_of_uid(const struct pool *pool, uint32_t uid, const struct client *asker);

/* The same of a buffer: who has it shared was told, too. */
bool hidden_buffer(const struct buffer *buffer, const struct client *asker);
