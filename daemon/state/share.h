/* SPDX-License-Identifier: MIT */
#pragma once

#include "ledger.h"
#include "lists.h"
#include "state.h"

struct account;
struct holder;
struct holding;

LIST_HEAD(holder_list, holder);
RB_HEAD(share_name_tree, share);
RB_HEAD(share_token_tree, share);
RB_HEAD(share_uid_tree, share_uid);
LIST_HEAD(share_list, share);

/* struct share_uid - the names of one uid, and how many shares it has with and without one */
struct share_uid {
        uint32_t uid;
        unsigned n_shares;
        struct share_name_tree names;
        RB_ENTRY(share_uid) by_uid; /* state::share_uids */
};

/**
 * struct share - what a buffer has that several sessions may have
 * @buffer:      NULL until it is granted
 * @holding:     its own, in which it is alone; charged to whoever made it. Owned until it ends
 * @uid:         who made it
 * @name:        "": none, or none any more
 * @allow:       @n_allow who may open it by that
 * @token:       all zero: none
 * @holders:     sessions that have it; @n_holders, of which @n_strangers are of other uids
 * @disclosed:   somebody who had it knew where in memory it lies
 * @left:        a session of @left_uid, @left_pid and @left_name died with it, and its device may
 *               still be writing; @left_uid UINT32_MAX or @left_name "": there were several such
 * @record:      in the ledger; LEDGER_NONE
 */
struct share {
        struct state *state;
        struct buffer *buffer;
        struct holding *holding;
        struct share_uid *uid;
        char name[LABEL_BYTES_MAX + 1];
        bool lasting, disclosed, left;
        struct principal allow[SHARE_ALLOW_MAX];
        size_t n_allow;
        struct share_token token;
        struct holder_list holders;
        uint64_t n_holders, n_strangers;
        uint32_t left_uid, left_pid;
        char left_name[LABEL_BYTES_MAX + 1];
        uint32_t record;
        RB_ENTRY(share) by_name;  /* share_uid::names */
        RB_ENTRY(share) by_token; /* state::share_tokens */
        LIST_ENTRY(share) link;   /* state::shares */
};

/* Whether a client may have such a buffer. Return: 0; PAR_REFUSED_INVALID: it is named badly, or
 * lasts without a name; PAR_REFUSED_BUSY: its name is taken; PAR_REFUSED_QUOTA. */
int share_check(const struct state *state, const struct client *client,
                const struct share_request *request, struct refusal *refusal);

/**
 * share_new() - what a buffer will need
 * @account: charged
 * @request: passed share_check(); borrowed
 * @ret:     with a holding, without holders; share_free() until share_begin()
 *
 * Return: 0; -ENOMEM, -ENOSPC.
 */
int share_new(struct client *client, struct account *account, const struct share_request *request,
              struct share **ret);

/* The same of what the ledger says, without its record there. @client: who made it. Return: 0;
 * -ENOMEM. */
int share_restore(struct client *client, struct account *account, const struct ledger_share *entry,
                  struct share **ret);

/* One that has not begun. NULL is fine. */
void share_free(struct share *share);

/* It is the buffer's, which its holding has: from now on it is found. */
void share_begin(struct share *share, struct buffer *buffer);

/* A session that had it ends. @orderly: its devices are quiet. */
void share_note_end(struct share *share, const struct client *client, bool orderly);

/* A session has it again that may have left it in use. */
void share_note_return(struct share *share, const struct client *client);

/* The name is free, and it does not last any more. */
void share_remove_name(struct share *share);

/* It has this token and no other; all zero: none. Return: 0; -EEXIST: another has it, and it has
 * none now. */
int share_set_token(struct share *share, const struct share_token *token);

/* Give the buffer up where nobody needs it any more. Perhaps it and the share are gone then. */
void share_settle(struct share *share, uint64_t now_ns, unsigned *steps);

/* Take the buffer away from all who have it, who are told, and give it up. */
void share_revoke(struct share *share, uint64_t now_ns, unsigned *steps);

/* After a restart: those that were given up are; those that nobody has are given up. */
void shares_settle(struct state *state, uint64_t now_ns);

/* The share of a name, and of a token; NULL. */
struct share *share_named(const struct state *state, uint32_t uid, const char *name);
struct share *share_of_token(const struct state *state, const struct share_token *token);

/* The state ends: forget all, and tell nobody. */
void shares_free(struct state *state);

/* Every invariant; asserts. */
void shares_check(const struct state *state);
