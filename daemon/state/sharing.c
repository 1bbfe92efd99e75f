/* SPDX-License-Identifier: MIT */
/*
 * What sessions ask about shared buffers: who may have which. Refuses in the same words what is not
 * there and what the asker may not open, or he could find out names by guessing.
 */
#include "sharing.h"

#include "holder.h"
#include "holding.h"
#include "pool.h"
#include "refusal.h"
#include "share.h"
#include "state_private.h"

#include <inttypes.h>

bool client_is_stranger(const struct client *client, const struct buffer *buffer)
{
        return buffer->share && buffer->share->uid->uid != client->identity.uid;
}

/* ---- opening -------------------------------------------------------------------------------- */

static bool allows(const struct share *share, const struct identity *identity)
{
        return identity->uid == share->uid->uid ||
               identity_is_among(identity, share->allow, share->n_allow);
}

/* Return: NULL with the refusal set. */
static struct share *find(const struct state *state, const struct client *client,
                          const struct open_request *request, struct refusal *refusal)
{
        struct share *share;

        if (request->token.half[0] || request->token.half[1]) {
                share = share_of_token(state, &request->token);
                if (!share)
                        refusal_set(refusal, PAR_REFUSED_GONE,
                                    "no buffer has this token, or no longer");
                return share;
        }
        share = share_named(state, request->uid, request->name);
        if (share && allows(share, &client->identity))
                return share;
        refusal_set(refusal, PAR_REFUSED_GONE,
                    "uid %" PRIu32 " has no buffer \"%.64s\" that uid %" PRIu32 " may open",
                    request->uid, request->name, client->identity.uid);
        return NULL;
}

/* Return: 0; PAR_REFUSED_BUSY; PAR_REFUSED_QUOTA. */
static int check(const struct client *client, const struct share *share, struct refusal *refusal)
{
        if (holder_of(client, share))
                return refusal_set(refusal, PAR_REFUSED_BUSY,
                                   "this session has buffer %" PRIu64 " already",
                                   share->buffer->id);
        if (client_is_stranger(client, share->buffer) && share->n_strangers >= SHARE_STRANGERS_MAX)
                return refusal_set(refusal, PAR_REFUSED_QUOTA,
                                   "%d sessions of other uids have buffer %" PRIu64
                                   " already: no more may",
                                   SHARE_STRANGERS_MAX, share->buffer->id);
        if (!ledger_has_room_to_open(client->state->ledger))
                return refusal_set(refusal, PAR_REFUSED_QUOTA,
                                   "%" PRIu64 " sessions have buffer %" PRIu64
                                   ", and so many have shared buffers that of no more can be kept "
                                   "account",
                                   share->n_holders, share->buffer->id);
        return client_may_have_more(client, refusal);
}

static int open_share(struct client *client, struct share *share, uint32_t seq)
{
        struct holder *holder;
        int r;

        r = holder_new(client, share, share->buffer->record, seq, &holder);
        if (r)
                return r;
        holder_begin(holder);
        share_note_return(share, client);
        return 0;
}

int state_open(struct state *state, struct client *client, const struct open_request *request,
               uint64_t now_ns, struct buffer **ret, struct refusal *refusal)
{
        struct share *share = find(state, client, request, refusal);
        int r;

        r = share ? check(client, share, refusal) : PAR_REFUSED_GONE;
        if (!r)
                r = open_share(client, share, request->seq);
        if (r) {
                if (r > 0)
                        state_count_refusal(state, r);
                return r;
        }
        *ret = share->buffer;
        state_changed(state, now_ns);
        return 0;
}

/* ---- tokens --------------------------------------------------------------------------------- */

/* A shared buffer of the client that its own uid made. Return: 0; PAR_REFUSED_*. */
static int own_share(const struct client *client, uint64_t id, struct share **ret,
                     struct refusal *refusal)
{
        const struct buffer *buffer = client_buffer(client, id);

        if (!buffer)
                return refusal_set(refusal, PAR_REFUSED_GONE, "no buffer %" PRIu64 " of yours", id);
        if (!buffer->share)
                return refusal_set(refusal, PAR_REFUSED_INVALID,
                                   "buffer %" PRIu64 " may share its pages with others of yours: "
                                   "one that is to be shared is asked for as such",
                                   id);
        if (client_is_stranger(client, buffer))
                return refusal_set(refusal, PAR_REFUSED_DENIED,
                                   "uid %" PRIu32 " made buffer %" PRIu64
                                   ", and alone says who else may have it",
                                   buffer->share->uid->uid, id);
        *ret = buffer->share;
        return 0;
}

int state_share(struct state *state, struct client *client, uint64_t id,
                const struct share_token *fresh, struct share_token *ret, struct refusal *refusal)
{
        struct share *share = NULL;
        int r;

        r = own_share(client, id, &share, refusal);
        if (r)
                return r;
        if (!share->token.half[0] && !share->token.half[1]) {
                r = share_set_token(share, fresh);
                if (r)
                        return r;
        }
        *ret = share->token;
        state_check_after_change(state);
        return 0;
}

int state_unshare(struct state *state, struct client *client, uint64_t id, struct refusal *refusal)
{
        static const struct share_token none = { { 0, 0 } };
        struct share *share = NULL;
        int r;

        r = own_share(client, id, &share, refusal);
        if (r)
                return r;
        r = share_set_token(share, &none);
        state_check_after_change(state);
        return r;
}

/* ---- removing ------------------------------------------------------------------------------- */

int state_remove(struct state *state, struct client *client, uint32_t uid, const char *name,
                 uint64_t now_ns, struct refusal *refusal)
{
        struct share *share = share_named(state, uid, name);
        unsigned steps = TICK_STEPS_MAX;

        if (!client->is_admin && uid != client->identity.uid)
                return refusal_set(refusal, PAR_REFUSED_DENIED,
                                   "names of uid %" PRIu32 " are for uid %" PRIu32
                                   " and administrators to remove",
                                   uid, uid);
        if (!share)
                return refusal_set(refusal, PAR_REFUSED_GONE,
                                   "uid %" PRIu32 " has no buffer \"%.64s\"", uid, name);
        share_remove_name(share);
        share_settle(share, now_ns, &steps);
        state_changed(state, now_ns);
        return 0;
}

void state_take_back(struct state *state, struct client *client, uint64_t id, uint64_t now_ns)
{
        const struct buffer *buffer = client_buffer(client, id);

        if (buffer && buffer->share)
                share_remove_name(buffer->share);
        (void)state_release(state, client, id, now_ns);
}
