/* SPDX-License-Identifier: MIT */
#pragma once

#include "account.h"
#include "buffer.h"
#include "due.h"
#include "lists.h"
#include "state.h"

LIST_HEAD(buffer_list, buffer);

/**
 * struct holding - the buffers that one client has of one account
 * @client:   NULL once it ended
 * @quarantined: its client died: the buffers wait for @due, and nobody may reuse them before
 * @name:     of the client
 */
struct holding {
        struct client *client;
        struct account *account;
        struct buffer_list buffers;
        uint64_t n_buffers;
        bool quarantined;
        char name[LABEL_BYTES_MAX + 1];
        uint32_t uid, pid;
        struct due due;
        LIST_ENTRY(holding) ended; /* state::ended */
};

LIST_HEAD(holding_list, holding);
TAILQ_HEAD(waiter_queue, waiter);

/* A frame that a client has been given a descriptor of, and may have mapped. */
struct shown {
        struct client *client;
        struct frame *frame;
        RB_ENTRY(shown) by_frame; /* client::shown */
        LIST_ENTRY(shown) link;   /* frame::shown */
};

RB_HEAD(shown_tree, shown);

/**
 * struct client - a session
 * @session_owner: lives on after it where something is charged to it
 * @uid_owner:     shared with other sessions of the uid; NULL where no pool wants that
 * @allowed:       bit n: it may use pool n
 * @waiters:       its own, in the order of arrival
 * @holdings:      by the pool's index
 */
struct client {
        struct state *state;
        struct identity identity;
        void *data;
        bool is_admin;
        uint64_t allowed;
        struct owner *session_owner, *uid_owner;
        uint64_t n_buffers;
        uint32_t n_waiting;
        struct waiter_queue waiters;
        struct shown_tree shown;
        LIST_ENTRY(client) link; /* state::clients */
        struct holding *holdings[];
};

LIST_HEAD(client_list, client);

/**
 * client_account() - to whom a grant of a pool is charged
 *
 * Return: 0; -ENOMEM.
 */
int client_account(struct client *client, struct pool *pool, struct account **ret);

/* The same without making one; NULL where there is none yet. */
struct account *client_account_of(const struct client *client, const struct pool *pool);

/**
 * client_holding() - its holding of an account's pool, made where it has none
 *
 * Return: 0; -ENOMEM.
 */
int client_holding(struct client *client, struct account *account, struct holding **ret);

/* The client no longer has the frame mapped. Return: whether it was noted as shown. */
bool client_unshow(struct client *client, const struct frame *frame);

/* Nobody has it mapped any more, or it is gone. */
void frame_unshow_all(struct frame *frame);

/* Copy a name for people: cut, and without control characters. */
void name_copy(char *to, size_t room, const char *from);
