/* SPDX-License-Identifier: MIT */
/*
 * Owns who has which shared buffer. Invariant: a session has a buffer at most once, so that giving
 * it back has one meaning.
 */
#include "holder.h"

#include "holding.h"
#include "share.h"
#include "state_private.h"

#include <errno.h>
#include <stdlib.h>

static int compare_shares(const struct holder *a, const struct holder *b)
{
        if (a->share != b->share)
                return (uintptr_t)a->share < (uintptr_t)b->share ? -1 : 1;
        return 0;
}

/* Requests with the same number may both have been answered: for one of them it is the other. */
static int compare_seqs(const struct holder *a, const struct holder *b)
{
        if (a->seq != b->seq)
                return a->seq < b->seq ? -1 : 1;
        return 0;
}

TREE_GENERATE(holder_tree, holder, by_share, compare_shares)
TREE_GENERATE(restored_holder_tree, holder, by_seq, compare_seqs)

struct holder *holder_of(const struct client *client, const struct share *share)
{
        struct holder_tree tree = client->holders;
        struct holder key = { .share = (struct share *)(uintptr_t)share };

        return RB_FIND(holder_tree, &tree, &key);
}

struct holder *holder_restored(const struct client *client, uint32_t seq)
{
        struct restored_holder_tree tree = client->restored_holders;
        struct holder key = { .seq = seq };

        return RB_FIND(restored_holder_tree, &tree, &key);
}

/* ---- birth ---------------------------------------------------------------------------------- */

/* Without a record. NULL without memory. */
static struct holder *make(struct client *client, struct share *share, uint32_t seq)
{
        struct holder *holder = calloc(1, sizeof(*holder));

        if (!holder)
                return NULL;
        holder->client = client;
        holder->share = share;
        holder->seq = seq;
        holder->record = LEDGER_NONE;
        return holder;
}

int holder_new(struct client *client, struct share *share, uint32_t buffer, uint32_t seq,
               struct holder **ret)
{
        struct holder *holder = make(client, share, seq);
        int r;

        if (!holder)
                return -ENOMEM;
        r = ledger_add_holder(client->state->ledger, client->session_owner->record, buffer, seq,
                              &holder->record);
        if (r) {
                free(holder);
                return r;
        }
        *ret = holder;
        return 0;
}

void holder_free(struct holder *holder)
{
        if (!holder)
                return;
        ledger_drop_holder(holder->client->state->ledger, holder->record);
        free(holder);
}

static bool is_strange(const struct holder *holder)
{
        return holder->client->identity.uid != holder->share->uid->uid;
}

void holder_begin(struct holder *holder)
{
        struct share *share = holder->share;

        RB_INSERT(holder_tree, &holder->client->holders, holder);
        LIST_INSERT_HEAD(&share->holders, holder, of_share);
        share->n_holders++;
        share->n_strangers += is_strange(holder);
        holder->client->n_buffers++;
}

int holder_restore(struct client *client, struct share *share, uint32_t record, uint32_t seq)
{
        struct holder *holder;

        if (holder_of(client, share))
                return 1;
        holder = make(client, share, seq);
        if (!holder)
                return -ENOMEM;
        holder->record = record;
        holder->restored = !RB_INSERT(restored_holder_tree, &client->restored_holders, holder);
        holder_begin(holder);
        return 0;
}

/* ---- the end -------------------------------------------------------------------------------- */

void holder_forget(struct holder *holder)
{
        struct client *client = holder->client;
        struct share *share = holder->share;

        share->n_strangers -= is_strange(holder);
        share->n_holders--;
        client->n_buffers--;
        RB_REMOVE(holder_tree, &client->holders, holder);
        if (holder->restored)
                RB_REMOVE(restored_holder_tree, &client->restored_holders, holder);
        LIST_REMOVE(holder, of_share);
        free(holder);
}

void holder_remove(struct holder *holder, bool orderly)
{
        share_note_end(holder->share, holder->client, orderly);
        ledger_drop_holder(holder->client->state->ledger, holder->record);
        holder_forget(holder);
}

void holder_end(struct holder *holder, bool orderly, uint64_t now_ns, unsigned *steps)
{
        struct share *share = holder->share;

        holder_remove(holder, orderly);
        share_settle(share, now_ns, steps);
}

void holders_end(struct client *client, bool orderly, uint64_t now_ns, unsigned *steps)
{
        struct holder *holder;

        while ((holder = RB_ROOT(&client->holders)))
                holder_end(holder, orderly, now_ns, steps);
}

struct holder *holders_next(struct client *client, struct holder *holder)
{
        return holder ? RB_NEXT(holder_tree, &client->holders, holder)
                      : RB_MIN(holder_tree, &client->holders);
}

uint64_t holders_count(const struct client *client)
{
        struct holder_tree tree = client->holders;
        struct holder *holder;
        uint64_t n = 0;

        RB_FOREACH (holder, holder_tree, &tree)
                n++;
        return n;
}

/* ---- news ----------------------------------------------------------------------------------- */

static void tell(struct state *state, const struct client *client, const struct buffer *buffer,
                 enum event_type type, uint64_t offset, uint64_t length)
{
        if (client && client->data)
                state->ops->event(state->data, client->data, type, buffer->id, offset, length);
}

void buffer_tell(struct state *state, const struct buffer *buffer, enum event_type type,
                 uint64_t offset, uint64_t length)
{
        const struct holder *holder;

        tell(state, buffer->holding->client, buffer, type, offset, length);
        if (!buffer->share)
                return;
        LIST_FOREACH (holder, &buffer->share->holders, of_share)
                tell(state, holder->client, buffer, type, offset, length);
}

void holders_revoke(struct client *client, const struct pool *pool, uint64_t now_ns,
                    unsigned *steps, uint64_t *buffers, uint64_t *bytes)
{
        struct holder *holder, *next;

        RB_FOREACH_SAFE (holder, holder_tree, &client->holders, next) {
                const struct buffer *buffer = holder->share->buffer;

                if (pool && buffer->holding->account->pool != pool)
                        continue;
                ++*buffers;
                *bytes += buffer->size_bytes;
                tell(client->state, client, buffer, EVENT_REVOKED, 0, buffer->size_bytes);
                holder_end(holder, false, now_ns, steps);
        }
}
