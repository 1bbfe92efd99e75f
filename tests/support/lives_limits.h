/* SPDX-License-Identifier: MIT */
/*
 * Quotas and claims of random lives, and an oracle for them that counts the frames in the lists.
 */
#pragma once

#include "world.h"

#include <stdint.h>

/* Most clients are of this group; their uids are this one and the next in turn. */
#define LIVES_GROUP 500
#define LIVES_UID   1000

/**
 * lives_limits_change() - other quotas and claims for all pools
 * @rnd: a number below another
 */
void lives_limits_change(struct world *world, uint64_t (*rnd)(uint64_t below));
void lives_limits_remove(struct world *world);

/* A client whose number in turn is @number. */
struct client *lives_limits_client(struct world *world, unsigned number);

/* It comes back to another worker. Return: NULL: it is not awaited. */
struct client *lives_limits_resume(struct world *world, unsigned number, uint64_t token);

/* struct lives_sessions - the numbers of all sessions that there are; borrowed */
struct lives_sessions {
        const unsigned *numbers;
        size_t count;
};

/**
 * struct lives_count - frames of each pool
 * @of:       by uid
 * @of_group: of the group's members, at least
 * @of_group_claim: of them those that count for the group's claim, at most
 * @free:     nobody's
 */
struct lives_count {
        uint64_t of[4][2], of_group[4], of_group_claim[4], free[4];
};

/* @root: an administrator, who sees whose they are. */
void lives_limits_count(struct world *world, const struct client *root,
                        const struct lives_sessions *sessions, struct lives_count *ret);

/* What was granted to a client between two counts was within its limits. */
void lives_limits_check(struct world *world, unsigned number, const struct lives_sessions *sessions,
                        const struct lives_count *before, const struct lives_count *after);
