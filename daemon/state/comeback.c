/* SPDX-License-Identifier: MIT */
/*
 * Sessions of a former worker, which come back one by one: as long as they may, and with what they
 * had. Whose is what is found in restore.c.
 */
#include "client.h"

#include "state_private.h"
#include "tell.h"

#include <stdlib.h>
#include <string.h>

static int compare_tokens(const struct client *a, const struct client *b)
{
        if (a->token != b->token)
                return a->token < b->token ? -1 : 1;
        return 0;
}

/* Requests with the same number may both have been answered; the later answer has the higher id. */
static int compare_seqs(const struct buffer *a, const struct buffer *b)
{
        if (a->seq != b->seq)
                return a->seq < b->seq ? -1 : 1;
        if (a->id != b->id)
                return a->id > b->id ? -1 : 1;
        return 0;
}

TREE_GENERATE(resumable_tree, client, by_token, compare_tokens)
TREE_GENERATE(restored_tree, buffer, by_seq, compare_seqs)

int client_restore(struct state *state, const struct ledger_session *session, uint32_t record,
                   uint64_t now_ns, struct client **ret)
{
        struct identity identity = { .uid = session->uid,
                                     .gid = session->gid,
                                     .pid = session->pid,
                                     .n_groups = session->n_groups };
        struct client *client;
        int r;

        _Static_assert(CLIENT_GROUPS_MAX == LEDGER_GROUPS, "all of them");
        if (session->n_groups)
                memcpy(identity.groups, session->groups,
                       session->n_groups * sizeof(identity.groups[0]));
        r = client_make(state, &identity, session->name, session->id, now_ns, &client);
        if (r)
                return r;
        client->token = session->token;
        client->session_owner->since_ns = session->since_ns;
        client->session_owner->record = record;
        *ret = client;
        return 0;
}

void client_await(struct state *state, struct client *client, uint64_t now_ns)
{
        /* Two with one token: nobody made it so. The second may not come back. */
        client->is_resumable = !RB_INSERT(resumable_tree, &state->resumable, client);
        due_set(&state->dues, &client->resume, now_ns + CLIENT_RESUME_NS);
}

void client_stop_awaiting(struct state *state, struct client *client)
{
        due_cancel(&state->dues, &client->resume);
        if (client->is_resumable)
                RB_REMOVE(resumable_tree, &state->resumable, client);
        client->is_resumable = false;
}

struct client *state_next_awaited(const struct state *state, const struct client *after)
{
        struct resumable_tree tree = state->resumable;

        if (!after)
                return RB_MIN(resumable_tree, &tree);
        return RB_NEXT(resumable_tree, &tree, (struct client *)(uintptr_t)after);
}

void client_watched(struct state *state, struct client *client, void *watch)
{
        client->watch = watch;
        due_cancel(&state->dues, &client->resume);
}

void *client_watch(const struct client *client)
{
        return client->watch;
}

int client_resume(struct state *state, const struct identity *identity, uint64_t token, void *data,
                  uint64_t now_ns, struct client **ret)
{
        struct client key = { .token = token };
        struct client *client = RB_FIND(resumable_tree, &state->resumable, &key);

        if (!client || client->identity.uid != identity->uid)
                return PAR_REFUSED_GONE;
        client_stop_awaiting(state, client);
        client->identity = *identity;
        client->session_owner->pid = identity->pid;
        owner_identify(state, client->session_owner, identity);
        if (client->uid_owner)
                owner_identify(state, client->uid_owner, identity);
        client->data = data;
        client_reconfigure(client);
        state_changed(state, now_ns);
        tell_again(state, client);
        *ret = client;
        return 0;
}

void client_note_restored(struct client *client, struct buffer *buffer)
{
        buffer->restored = true;
        RB_INSERT(restored_tree, &client->restored, buffer);
}

void client_forget_restored(struct client *client, struct buffer *buffer)
{
        if (buffer->restored)
                RB_REMOVE(restored_tree, &client->restored, buffer);
        buffer->restored = false;
}

void client_note_lost(struct client *client, uint64_t id, uint64_t size_bytes)
{
        struct lost_buffer *lost = malloc(sizeof(*lost));

        if (!lost)
                return;
        *lost = (struct lost_buffer){ .id = id, .size_bytes = size_bytes };
        LIST_INSERT_HEAD(&client->lost, lost, link);
}

void client_forget_lost(struct client *client)
{
        struct lost_buffer *lost;

        while ((lost = LIST_FIRST(&client->lost))) {
                LIST_REMOVE(lost, link);
                free(lost);
        }
}

struct buffer *client_restored_buffer(const struct client *client, uint32_t seq)
{
        const struct holder *holder = holder_restored(client, seq);
        struct restored_tree tree = client->restored;
        struct buffer key = { .seq = seq, .id = UINT64_MAX };
        struct buffer *buffer = RB_NFIND(restored_tree, &tree, &key);

        if (holder)
                return holder->share->buffer;
        /* It is noted for a moment longer than it is the client's where that is cut off from it. */
        if (!buffer || buffer->seq != seq || buffer->holding->client != client)
                return NULL;
        return buffer;
}

size_t client_restored_batch(const struct client *client, uint32_t seq, struct buffer **ret,
                             size_t room)
{
        struct restored_tree tree = client->restored;
        struct buffer key = { .seq = seq, .id = UINT64_MAX };
        struct buffer *buffer = RB_NFIND(restored_tree, &tree, &key);
        size_t n = 0;

        while (buffer && buffer->seq == seq && n < room && buffer->holding->client == client &&
               (!n || buffer->id == ret[n - 1]->id - 1)) {
                ret[n++] = buffer;
                buffer = RB_NEXT(restored_tree, &tree, buffer);
        }
        return n;
}
