/* SPDX-License-Identifier: MIT */
/*
 * Sessions: who they are, what they may have, and what becomes of it when they end. What they hold
 * is in holding.c: it may outlive them. What they have seen is in shown.c, and in comeback.c how
 * they outlive a worker.
 */
#include "client.h"

#include "choice.h"
#include "demand.h"
#include "macros.h"
#include "refusal.h"
#include "state_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void name_copy(char *to, size_t room, const char *from)
{
        size_t n = from ? strnlen(from, room - 1) : 0;

        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)from[i];

                to[i] = from[i];
                if (c < 0x20 || c == 0x7f)
                        to[i] = '?';
        }
        to[n] = '\0';
}

static void client_free(struct client *client)
{
        free(client);
}

DEFINE_CLEANUP(struct client, client_free)

bool identity_is_admin(const struct state *state, const struct identity *identity)
{
        gid_t admins = state->settings->admin_group;

        if (identity->uid == 0)
                return true;
        if (admins == (gid_t)-1)
                return false;
        for (size_t i = 0; i < identity->n_groups; i++)
                if (identity->groups[i] == admins)
                        return true;
        return identity->gid == admins;
}

static bool some_pool_is_by_uid(const struct state *state)
{
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (state->pools[i].settings->isolation == ISOLATE_UID)
                        return true;
        return false;
}

int client_make(struct state *state, const struct identity *identity, const char *name, uint64_t id,
                uint64_t now_ns, struct client **ret)
{
        _cleanup_(client_freep) struct client *client = NULL;
        size_t n_pools = state->settings->n_pools;
        struct owner *owner, *uid_owner = NULL;
        int r;

        client = calloc(1, sizeof(*client) + n_pools * sizeof(client->holdings[0]));
        if (!client)
                return -ENOMEM;
        r = state_owner_new(state, id, identity, &owner);
        if (r)
                return r;
        if (some_pool_is_by_uid(state)) {
                r = state_uid_owner(state, identity, now_ns, &uid_owner);
                if (r) {
                        state_owner_settle(state, owner);
                        return r;
                }
                uid_owner->n_clients++;
        }

        /* From here on nothing fails. */
        client->uid_owner = uid_owner;
        owner->pid = identity->pid;
        owner->since_ns = now_ns;
        owner->n_clients = 1;
        owner->client = client;
        name_copy(owner->name, sizeof(owner->name), name);
        client->state = state;
        TAILQ_INIT(&client->waiters);
        LIST_INIT(&client->revoked);
        LIST_INIT(&client->lost);
        RB_INIT(&client->restored);
        RB_INIT(&client->holders);
        RB_INIT(&client->restored_holders);
        due_init(&client->resume, DUE_RESUME);
        client->identity = *identity;
        client->session_owner = owner;
        owner->user->n_clients++;
        client_reconfigure(client);
        LIST_INSERT_HEAD(&state->clients, client, link);
        state->n_clients++;
        *ret = STEAL(client);
        return 0;
}

static uint32_t most_clients(const struct state *state, const struct identity *identity)
{
        return state->settings->max_clients +
               (identity_is_admin(state, identity) ? CLIENTS_FOR_ADMINS : 0);
}

/* Sessions of the uid; *ret_most: of which there may be so many. */
static uint32_t clients_of_user(const struct state *state, const struct identity *identity,
                                uint32_t *ret_most)
{
        const struct user *user = state_user(state, identity->uid);

        *ret_most = state->settings->max_clients_per_user;
        if (!*ret_most || identity_is_admin(state, identity))
                *ret_most = most_clients(state, identity);
        return user ? user->n_clients : 0;
}

static bool user_has_enough_clients(const struct state *state, const struct identity *identity)
{
        uint32_t most;

        return clients_of_user(state, identity, &most) >= most;
}

void client_refusal_words(const struct state *state, const struct identity *identity, char *to,
                          size_t room)
{
        uint32_t most, n = clients_of_user(state, identity, &most);

        if (n >= most && most < state->settings->max_clients)
                snprintf(to, room,
                         "%u sessions of uid %u are connected, and max_clients_per_user is %u", n,
                         identity->uid, most);
        else if (state->n_clients >= state->settings->max_clients)
                snprintf(to, room, "%u clients are connected, and max_clients is %u",
                         state->n_clients, state->settings->max_clients);
        else
                snprintf(to, room,
                         "of %u clients that are or were connected account is kept: there "
                         "is room for no more",
                         state->n_clients);
}

int client_new(struct state *state, const struct identity *identity, const char *name,
               uint64_t token, void *data, uint64_t now_ns, struct client **ret)
{
        struct ledger_session entry = {
                .token = token,
                .since_ns = now_ns,
                .uid = identity->uid,
                .gid = identity->gid,
                .pid = identity->pid,
                .groups = identity->groups,
                .n_groups = identity->n_groups,
        };
        struct client *client;
        int r;

        if (state->n_clients >= most_clients(state, identity) ||
            user_has_enough_clients(state, identity))
                return PAR_REFUSED_QUOTA;
        r = client_make(state, identity, name, 0, now_ns, &client);
        if (r)
                return r;
        entry.id = client_id(client);
        entry.name = client_name(client);
        r = ledger_add_session(state->ledger, &entry, &client->session_owner->record);
        if (r) {
                client_end(state, client, true, now_ns);
                return r == -ENOSPC ? PAR_REFUSED_QUOTA : r;
        }
        client->token = token;
        client->data = data;
        state->counters.sessions++;
        *ret = client;
        return 0;
}

int client_may_have_more(const struct client *client, struct refusal *refusal)
{
        const struct state *state = client->state;

        if (client->n_buffers >= state->settings->max_buffers)
                return refusal_set(refusal, PAR_REFUSED_QUOTA,
                                   "this client has %" PRIu64 " buffers, and max_buffers is %u: "
                                   "it has to free some",
                                   client->n_buffers, state->settings->max_buffers);
        if (!ledger_has_room(state->ledger))
                return refusal_set(refusal, PAR_REFUSED_QUOTA,
                                   "there are %" PRIu64 " buffers, of which no more can be kept "
                                   "account",
                                   state->n_buffers);
        return 0;
}

uint64_t client_id(const struct client *client)
{
        return client->session_owner->id;
}

const char *client_name(const struct client *client)
{
        return client->session_owner->name;
}

void client_reconfigure(struct client *client)
{
        const struct state *state = client->state;

        client->is_admin = identity_is_admin(state, &client->identity);
        client->was_admin |= client->is_admin;
        client->allowed = 0;
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (pool_allows(state->pools[i].settings, &client->identity))
                        client->allowed |= UINT64_C(1) << i;
}

bool client_is_admin(const struct state *state, const struct client *client)
{
        (void)state;
        return client->is_admin;
}

struct owner *client_owner(const struct client *client, const struct pool *pool)
{
        return pool->settings->isolation == ISOLATE_UID ? client->uid_owner : client->session_owner;
}

struct account *client_account_of(const struct client *client, const struct pool *pool)
{
        const struct owner *owner = client_owner(client, pool);

        return owner ? owner->accounts[pool->index] : NULL;
}

int client_account(struct client *client, struct pool *pool, struct account **ret)
{
        return owner_account(client_owner(client, pool), pool, ret);
}

uint64_t client_kept_bytes(const struct client *client, const struct pool *pool,
                           const struct demand *demand)
{
        const struct account *account = client_account_of(client, pool);

        return account && !demand->share.wanted ? account->bytes.reusable : 0;
}

void client_memory(const struct client *client, const struct pool *pool,
                   const struct demand *demand, struct space_list *ret_whole,
                   struct space_list *ret_parts)
{
        const struct account *account = client_account_of(client, pool);

        ret_whole->count = ret_parts->count = 0;
        if (account && !demand->share.wanted) {
                space_list_add(ret_parts, &account->partial, demand->nodes);
                space_list_add(ret_whole, &account->empty, demand->nodes);
        }
        space_list_add(ret_whole, &pool->free, demand->nodes);
}

int client_holding(struct client *client, struct account *account, struct holding **ret)
{
        struct holding *holding = client->holdings[account->pool->index];
        int r;

        if (!holding) {
                r = holding_new(client, account, &holding);
                if (r)
                        return r;
                client->holdings[account->pool->index] = holding;
        }
        *ret = holding;
        return 0;
}

uint32_t client_pid(const struct client *client)
{
        return client->identity.pid;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Frames that are kept for the owner, or whose holes no longer matter, when its last client goes.
 */
static void owner_abandon(struct state *state, struct owner *owner)
{
        for (size_t i = 0; i < owner->n_pools; i++) {
                struct account *account = owner->accounts[i];
                struct frame *frame;

                if (!account)
                        continue;
                if (account->reusable)
                        state_frame_leave(state, account->reusable);
                LIST_FOREACH (frame, &account->frames, charged) {
                        if (frame->state != FRAME_LINGERING || frame->told_owner_gone)
                                continue;
                        frame->told_owner_gone = true;
                        state->ops->leave(state->data, frame->name, account->pool->index,
                                          state_leave_flags(frame) | LEAVE_PATIENT);
                }
        }
}

static void owner_lose_client(struct state *state, struct owner *owner)
{
        owner->n_clients--;
        if (!owner->n_clients)
                owner_abandon(state, owner);
        state_owner_settle(state, owner);
}

static void drop_waiters(struct state *state, struct client *client)
{
        struct waiter *waiter;

        while ((waiter = TAILQ_FIRST(&client->waiters)))
                waiter_drop(state, waiter);
}

void client_end(struct state *state, struct client *client, bool orderly, uint64_t now_ns)
{
        unsigned steps = TICK_STEPS_MAX;
        struct holding *holding;

        client->data = NULL;
        client_forget_lost(client);
        client_stop_awaiting(state, client);
        if (!orderly)
                ledger_end_session(state->ledger, client->session_owner->record, now_ns);
        drop_waiters(state, client);
        holders_end(client, orderly, now_ns, &steps);
        while ((holding = LIST_FIRST(&client->revoked)))
                holding_lose_client(state, holding, orderly, now_ns, &steps);
        client_forget_shown(client);
        client->session_owner->client = NULL;
        client->session_owner->user->n_clients--;
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (client->holdings[i])
                        holding_end(state, client->holdings[i], orderly, now_ns, &steps);
        owner_lose_client(state, client->session_owner);
        if (client->uid_owner)
                owner_lose_client(state, client->uid_owner);
        LIST_REMOVE(client, link);
        state->n_clients--;
        client_free(client);
        state_changed(state, now_ns);
}

struct buffer *client_buffer(const struct client *client, uint64_t id)
{
        struct buffer *buffer = state_buffer(client->state, id);

        if (buffer && buffer->share)
                return holder_of(client, buffer->share) ? buffer : NULL;
        return buffer && buffer->holding->client == client ? buffer : NULL;
}
