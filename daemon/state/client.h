/* SPDX-License-Identifier: MIT */
#pragma once

#include "holder.h"
#include "holding.h"
#include "lists.h"
#include "state.h"

TAILQ_HEAD(waiter_queue, waiter);

/* A frame that a client has been given a descriptor of, and may have mapped. */
struct shown {
        struct client *client;
        struct frame *frame;
        RB_ENTRY(shown) by_frame; /* client::shown */
        LIST_ENTRY(shown) link;   /* frame::shown */
};

RB_HEAD(shown_tree, shown);

/* A buffer of the ledger's that is not where it was: its frame moved while no worker was there. */
struct lost_buffer {
        uint64_t id, size_bytes;
        LIST_ENTRY(lost_buffer) link; /* client::lost */
};

LIST_HEAD(lost_buffer_list, lost_buffer);

RB_HEAD(restored_tree, buffer);
RB_HEAD(resumable_tree, client);

/**
 * struct client - a session
 * @session_owner: lives on after it where something is charged to it
 * @uid_owner:     shared with other sessions of the uid; NULL where no pool wants that
 * @was_admin:     it is an administrator, or has been
 * @allowed:       bit n: it may use pool n
 * @token:         with which it comes back
 * @resume:        until when it may, where @is_resumable: its worker died, and it has no session
 * @watch:         of whoever watches its process; NULL: nobody does
 * @lost:     buffers that it has and that are not where they were: it is told when it comes back
 * @restored:      buffers from before it came back, by the requests that they answer
 * @waiters:       its own, in the order of arrival
 * @revoked:       holdings from which it was cut off, until they are gone
 * @holders:       shared buffers that it has
 * @restored_holders: those from before it came back, by the requests by which it has them
 * @holdings:      by the pool's index
 */
struct client {
        struct state *state;
        struct identity identity;
        void *data;
        bool is_admin, was_admin;
        uint64_t allowed;
        struct owner *session_owner, *uid_owner;
        uint64_t n_buffers;
        uint32_t n_waiting;
        uint64_t token;
        bool is_resumable;
        struct due resume;
        void *watch;
        struct lost_buffer_list lost;
        struct restored_tree restored;
        struct holder_tree holders;
        struct restored_holder_tree restored_holders;
        RB_ENTRY(client) by_token; /* state::resumable */
        struct waiter_queue waiters;
        struct shown_tree shown;
        struct holding_list revoked;
        LIST_ENTRY(client) link; /* state::clients */
        struct holding *holdings[];
};

LIST_HEAD(client_list, client);

/**
 * client_make() - without a session and without a record
 * @id: its owner's; 0: a new one
 *
 * Return: 0; -ENOMEM.
 */
int client_make(struct state *state, const struct identity *identity, const char *name, uint64_t id,
                uint64_t now_ns, struct client **ret);

/* Root is one, and who is in the admin_group of the settings. */
bool identity_is_admin(const struct state *state, const struct identity *identity);

/* To whom grants of a pool are charged. */
struct owner *client_owner(const struct client *client, const struct pool *pool);

/* Bytes of the frame that is kept for the client's next buffer; 0: there is none, or the demand may
 * not have it: what is to be shared lies in fresh frames. */
uint64_t client_kept_bytes(const struct client *client, const struct pool *pool,
                           const struct demand *demand);

/**
 * client_account() - to whom a grant of a pool is charged
 *
 * Return: 0; -ENOMEM.
 */
int client_account(struct client *client, struct pool *pool, struct account **ret);

/* The same without making one; NULL where there is none yet. */
struct account *client_account_of(const struct client *client, const struct pool *pool);

/**
 * client_memory() - what it could get of a pool, its own included
 * @demand:    of its nodes; and nothing of the client's own where it is to be shared
 * @ret_whole: whole frames: a buffer may reach over several
 * @ret_parts: what is left of frames that it has a part of: a buffer lies inside one of them
 */
void client_memory(const struct client *client, const struct pool *pool,
                   const struct demand *demand, struct space_list *ret_whole,
                   struct space_list *ret_parts);

/**
 * client_holding() - its holding of an account's pool, made where it has none
 *
 * Return: 0; -ENOMEM.
 */
int client_holding(struct client *client, struct account *account, struct holding **ret);

/* The client no longer has the frame mapped. Return: whether it was noted as shown. */
bool client_unshow(struct client *client, const struct frame *frame);

/* The client is gone, and has nothing mapped. */
void client_forget_shown(struct client *client);

/* Nobody has it mapped any more, or it is gone. */
void frame_unshow_all(struct frame *frame);

/**
 * client_restore() - a client of a former worker, that has not come back yet
 * @session: what the ledger says
 * @record:  where it says so
 *
 * Return: 0; -ENOMEM.
 */
int client_restore(struct state *state, const struct ledger_session *session, uint32_t record,
                   uint64_t now_ns, struct client **ret);

/* From now on it may come back, for a while. */
void client_await(struct state *state, struct client *client, uint64_t now_ns);
void client_stop_awaiting(struct state *state, struct client *client); /* it does, or may no more */

/* Note a buffer that a former worker granted; and forget any buffer, where it was noted. */
void client_note_restored(struct client *client, struct buffer *buffer);
void client_forget_restored(struct client *client, struct buffer *buffer);

/* Copy a name for people: cut, and without control characters. */
void name_copy(char *to, size_t room, const char *from);

/* A buffer that it has cannot be had again: it is to be told so, where there is memory for that. */
void client_note_lost(struct client *client, uint64_t id, uint64_t size_bytes);
void client_forget_lost(struct client *client);

/* Settings have changed: what it may do now. */
void client_reconfigure(struct client *client);
