/* SPDX-License-Identifier: MIT */
/*
 * Sessions that have a shared buffer. The buffer is charged to whoever made it, and counts as one
 * of each session that has it.
 *
 * A session that dies leaves a device behind that may still be writing. As long as others have the
 * buffer, or it lasts, that harms nobody; but when it is given up it goes into quarantine. Whoever
 * comes back under the same uid and name, as a driver that was started again does, answers for the
 * device: then the death is forgotten.
 */
#pragma once

#include "lists.h"
#include "state.h"

struct pool;
struct share;

/**
 * struct holder - a session that has a shared buffer
 * @seq:      of the request by which it has it
 * @record:   in the ledger; LEDGER_NONE
 * @restored: it is from before the session came back
 */
struct holder {
        struct client *client;
        struct share *share;
        uint32_t seq, record;
        bool restored;
        RB_ENTRY(holder) by_share;   /* client::holders */
        RB_ENTRY(holder) by_seq;     /* client::restored_holders, where @restored */
        LIST_ENTRY(holder) of_share; /* share::holders */
};

RB_HEAD(holder_tree, holder);
RB_HEAD(restored_holder_tree, holder);

/**
 * holder_new() - have a session have a buffer, once it begins
 * @buffer: the buffer's record in the ledger; may only be held yet
 * @ret:    holder_begin() or holder_free()
 *
 * Return: 0; -ENOMEM, -ENOSPC.
 */
int holder_new(struct client *client, struct share *share, uint32_t buffer, uint32_t seq,
               struct holder **ret);
void holder_free(struct holder *holder); /* one that has not begun; NULL is fine */

/* The client has the buffer. */
void holder_begin(struct holder *holder);

/* The same of one that the ledger tells of. Return: 0; 1: it has it already; -ENOMEM. */
int holder_restore(struct client *client, struct share *share, uint32_t record, uint32_t seq);

/* The holder of a client; NULL: it does not have the buffer. */
struct holder *holder_of(const struct client *client, const struct share *share);

/* Of a client that came back, by its request; NULL. */
struct holder *holder_restored(const struct client *client, uint32_t seq);

/* The client no longer has the buffer, which is given up with its last holder where it does not
 * last. @orderly: its devices are quiet. */
void holder_end(struct holder *holder, bool orderly, uint64_t now_ns, unsigned *steps);

/* The same, and the buffer stays for now. */
void holder_remove(struct holder *holder, bool orderly);

/* The state ends: nothing is noted anywhere. */
void holder_forget(struct holder *holder);

/* All that a client has, one by one. @holder: the one before; NULL: begin. Return: NULL: no more.
 */
struct holder *holders_next(struct client *client, struct holder *holder);

/* How many a client has; takes time for each. */
uint64_t holders_count(const struct client *client);

/* All that a client has. */
void holders_end(struct client *client, bool orderly, uint64_t now_ns, unsigned *steps);

/* Cut a client off from those that lie in a pool (NULL: any): it is told. Add up how many and how
 * much. */
void holders_revoke(struct client *client, const struct pool *pool, uint64_t now_ns,
                    unsigned *steps, uint64_t *buffers, uint64_t *bytes);

/* Tell whoever has a buffer, shared or not, what happened to @length bytes at @offset of it. */
void buffer_tell(struct state *state, const struct buffer *buffer, enum event_type type,
                 uint64_t offset, uint64_t length);
