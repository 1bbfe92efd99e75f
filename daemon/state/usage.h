/* SPDX-License-Identifier: MIT */
/*
 * What users and groups have of pools together, in however many sessions. Kept up to date with each
 * frame and buffer, so that a quota or a claim is one comparison.
 */
#pragma once

#include "frame.h"
#include "lists.h"
#include "state_client.h"
#include "state_settings.h"

#include <stdbool.h>
#include <stdint.h>

struct account;
struct owner;
struct state;

/**
 * struct usage - what some accounts have of one pool
 * @bytes: of all frames charged to them, in whatever state; of these
 * @reusable_bytes, @leaving_bytes, @quarantined_bytes, @lingering_bytes
 */
struct usage {
        uint64_t bytes, reusable_bytes, leaving_bytes, quarantined_bytes, lingering_bytes;
        uint64_t n_buffers;
};

/* The most that there was of it at a time. */
struct peak {
        uint64_t bytes, n_buffers;
};

#define STANDING_NONE UINT8_MAX

/**
 * struct standing - which quotas and which claim of a pool concern an owner
 * @group_quotas: bit n: quota n, which is of a group
 * @user_quota:   index of its user's; STANDING_NONE
 * @claim:        index of the one that its frames count for; STANDING_NONE. One at most: its
 * user's, or the first of its groups': what is kept for two would not be there twice
 */
struct standing {
        uint64_t group_quotas;
        uint8_t user_quota, claim;
};

/**
 * struct user - a uid that is or was connected and has something
 * @owners:    of this uid; it lives as long as there are any
 * @n_clients: sessions
 * @of:        by the pool's index
 */
struct user {
        uint32_t uid;
        uint32_t n_clients;
        LIST_HEAD(, owner) owners;
        RB_ENTRY(user) by_uid; /* state::users */
        struct usage of[];
};

RB_HEAD(user_tree, user);

/* The owner becomes one of a uid's, whose user is made where there is none. Return: 0; -ENOMEM. */
int user_join(struct state *state, uint32_t uid, struct owner *owner);
void user_leave(struct state *state, struct owner *owner);

struct user *state_user(const struct state *state, uint32_t uid);      /* NULL: unknown */
struct user *state_user_from(const struct state *state, uint32_t uid); /* it, or above it */

/**
 * owner_identify() - which groups an owner is of
 * @identity: of one of its sessions. A session has its groups; a uid those of all sessions that it
 *            had since it has something
 *
 * What is charged to it already counts for these from now on.
 */
void owner_identify(struct state *state, struct owner *owner, const struct identity *identity);

/* A frame is charged to an account, or no longer, or changes its state; a buffer comes, or goes. */
void usage_add_frame(const struct account *account, enum frame_state state);
void usage_remove_frame(const struct account *account, enum frame_state state);
void usage_move_frame(const struct account *account, enum frame_state from, enum frame_state to);
void usage_add_buffer(const struct account *account);
void usage_remove_buffer(const struct account *account);

/* What an account counts for in all sums that it is part of. */
struct usage account_usage(const struct account *account);

/* The pools have other quotas or claims: count anew. */
void usages_rebuild(struct state *state);

/* usage_check.c: all sums are what they should be, and within the quotas; asserts. */
void usages_check(const struct state *state);

/* Who is in a group, and whom an entry means. */
bool identity_in_group(const struct identity *identity, uint32_t gid);
bool principal_is(const struct principal *who, const struct identity *identity);
