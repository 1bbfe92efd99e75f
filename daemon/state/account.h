/* SPDX-License-Identifier: MIT */
#pragma once

#include "frame.h"
#include "ledger.h"
#include "lists.h"
#include "node_spaces.h"
#include "state.h"
#include "usage.h"

/**
 * struct account - what one owner has of one pool
 * @partial:  free memory inside granted frames: for this owner alone
 * @empty:    its reusable frames
 * @bytes:    of its frames, by state
 * @reusable: the frame that is kept for it; at most one
 */
struct account {
        struct owner *owner;
        struct pool *pool;
        struct node_spaces partial, empty;
        struct frame_list frames;
        struct state_bytes bytes;
        uint64_t n_buffers;
        struct frame *reusable;
};

struct holding;

/**
 * struct owner - whom memory is isolated by and charged to: a session, or a uid
 * @id:         number in lists; a session's is the client's
 * @is_uid:     several sessions of one uid share it
 * @n_clients:  sessions that use it now
 * @n_holdings: of clients, ended ones included
 * @leak:       when to tell it that memory lingers
 * @record:     a session's in the ledger; LEDGER_NONE
 * @quarantined: of these, those that are or were in quarantine and have not gone
 * @identity:   of its session, or of its uid's; groups count for quotas and claims
 * @user:       what it has together with other owners of its uid
 * @standings:  by the pool's index
 * @accounts:   by the pool's index; NULL where it never had anything
 */
struct owner {
        uint64_t id;
        bool is_uid;
        uint32_t uid, pid;
        char name[LABEL_BYTES_MAX + 1];
        uint64_t since_ns;
        uint32_t n_clients;
        uint32_t n_holdings;
        struct due leak;
        uint32_t record;
        LIST_HEAD(, holding) quarantined;
        struct client *client;  /* of a session; NULL once it ended */
        RB_ENTRY(owner) by_id;  /* state::owners */
        RB_ENTRY(owner) by_uid; /* state::uid_owners */
        struct identity identity;
        struct user *user;
        LIST_ENTRY(owner) of_user; /* user::owners */
        struct standing *standings;
        size_t n_pools;
        struct account *accounts[];
};

RB_HEAD(owner_tree, owner);
RB_HEAD(uid_owner_tree, owner);

/* Return: 0; -ENOMEM. */
int owner_new(size_t n_pools, struct owner **ret);
void owner_free(struct owner *owner); /* accounts without frames; NULL is fine */

/* Nobody uses it and nothing is charged to it. */
bool owner_is_done(const struct owner *owner);

/* Sum over its accounts. */
void owner_bytes(const struct owner *owner, struct state_bytes *ret, uint64_t *ret_buffers);

/**
 * owner_account() - its account of a pool, made where it has none
 *
 * Return: 0; -ENOMEM.
 */
int owner_account(struct owner *owner, struct pool *pool, struct account **ret);
