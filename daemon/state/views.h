/* SPDX-License-Identifier: MIT */
/*
 * A search in each view of a demand in turn: its bus windows, one after the other. Where there are
 * none, there is one view, and this costs nothing.
 */
#pragma once

#include "choice.h"

/* choice_find() in the first view that has a place, of a near node before others; that view is then
 * selected. Return: as there.
 */
int views_find(const struct state *state, const struct client *client, struct demand *demand,
               uint64_t pools, uint64_t held_up, struct choice *ret);

/**
 * views_explain_barred() - why a demand is not met
 * @barred: pools in which the quota @excess, or another, stands in the way: what is said is of the
 *          others, unless it can never be met there. 0: none
 *
 * refusal_explain() for the view that is nearest to having a place; that is then selected.
 *
 * Return: the refusal's result; -ENOMEM.
 */
int views_explain_barred(const struct state *state, const struct client *client,
                         struct demand *demand, uint64_t pools, uint64_t barred,
                         const struct quota_excess *excess, int result, struct refusal *ret);

/* The same, with the quotas that are sure to stand in the way. */
int views_explain(const struct state *state, const struct client *client, struct demand *demand,
                  uint64_t pools, int result, struct refusal *ret);

/* state_grow_for() in the first view for which that helps. */
bool views_grow_for(struct state *state, const struct client *client, struct demand *demand,
                    uint64_t pools, bool *ret_asked);

/* choice_could_ever() in any view; @own_too as there. Return: 1, 0; -ENOMEM. */
int views_could_ever(const struct state *state, const struct client *client, struct demand *demand,
                     uint64_t pools, bool own_too);
