/* SPDX-License-Identifier: MIT */
/*
 * Buffers that several sessions may have: by a name that outlives sessions, or by a token that is
 * passed on. Whoever made one is charged for it until nobody has it any more.
 */
#pragma once

#include "state_settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct client;
struct refusal;
struct state;

/* Users and groups beside its own that a buffer may be opened by. */
#define SHARE_ALLOW_MAX 8

/* Buffers of one uid that may be shared, and sessions of other uids that have one of them. */
#define SHARES_PER_UID_MAX  1024
#define SHARE_STRANGERS_MAX 64

/**
 * struct share_request - how a buffer that is asked for may be shared
 * @wanted:  it may be; otherwise the rest means nothing
 * @lasting: it stays when no session has it, until state_remove(). Takes a name
 * @name:    by which it is opened; NULL or "": none. Borrowed
 * @allow:   @n_allow users and groups who may open it by that; those of its own uid may anyway
 */
struct share_request {
        bool wanted, lasting;
        const char *name;
        struct principal allow[SHARE_ALLOW_MAX];
        size_t n_allow;
};

/* struct share_token - opens a buffer for whoever has it; nobody can guess one. All zero: none */
struct share_token {
        uint64_t half[2];
};

/**
 * struct open_request - which buffer
 * @token: where it is not all zero; then @uid and @name mean nothing
 * @uid:   whose name it is
 * @name:  borrowed
 * @seq:   of the request, by which its client asks again; 0: none
 */
struct open_request {
        struct share_token token;
        uint32_t uid, seq;
        const char *name;
};

/**
 * state_open() - have a buffer that exists
 * @ret: the client's until state_release() or client_end(), like one that was granted to it
 *
 * A client that died with it and comes back under the same uid and name answers for what its
 * devices do there: see holder.h.
 *
 * Return: 0; PAR_REFUSED_GONE where there is no such buffer, or none that this client may open;
 * PAR_REFUSED_BUSY where it has it already; PAR_REFUSED_QUOTA; -ENOMEM, -ENOSPC.
 */
int state_open(struct state *state, struct client *client, const struct open_request *request,
               uint64_t now_ns, struct buffer **ret, struct refusal *refusal);

/**
 * state_share() - the token of a buffer
 * @fresh: its token from now on, where it has none; not all zero, and nobody else's
 * @ret:   its token
 *
 * It is good until state_unshare(), or until the buffer is given up.
 *
 * Return: 0; PAR_REFUSED_GONE: the client has no such buffer; PAR_REFUSED_INVALID: it is none that
 * may be shared; PAR_REFUSED_DENIED: another uid made it.
 */
int state_share(struct state *state, struct client *client, uint64_t id,
                const struct share_token *fresh, struct share_token *ret, struct refusal *refusal);

/* Its token opens nothing any more; who has the buffer keeps it. Return: as state_share(). */
int state_unshare(struct state *state, struct client *client, uint64_t id, struct refusal *refusal);

/**
 * state_remove() - a name is free again
 * @uid: whose
 *
 * Its buffer is given up when no session has it any more, perhaps at once: in quarantine where
 * somebody died with it.
 *
 * Return: 0; PAR_REFUSED_GONE: there is no such name; PAR_REFUSED_DENIED.
 */
int state_remove(struct state *state, struct client *client, uint32_t uid, const char *name,
                 uint64_t now_ns, struct refusal *refusal);

/**
 * state_take_back() - a buffer that was granted a moment ago, and that its client does not hear of
 *
 * As state_release(); and where it was to be shared it has no name any more, and does not last.
 */
void state_take_back(struct state *state, struct client *client, uint64_t id, uint64_t now_ns);

/* Whether a buffer that the client has was made by another uid. */
bool client_is_stranger(const struct client *client, const struct buffer *buffer);
