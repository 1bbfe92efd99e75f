/* SPDX-License-Identifier: MIT */
/*
 * Requests about buffers that several sessions have: by name, and by token.
 */
#include "dispatch.h"

#include "convert.h"
#include "export.h"
#include "server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TOKEN_BYTES sizeof(((struct share_token *)NULL)->half)

/**
 * name_from_wire() - "ring" of the client's own uid, or "1001/ring" of another one
 * @ret_name: borrowed from @text
 *
 * Return: 0; PAR_REFUSED_INVALID with the refusal in the reply.
 */
static int name_from_wire(const struct session *session, const char *text, uint32_t *ret_uid,
                          const char **ret_name, struct reply *reply)
{
        const char *slash = strchr(text, '/'), *name = slash ? slash + 1 : text;
        unsigned long uid = session->peer.identity.uid;
        char *end;

        if (slash) {
                errno = 0;
                uid = strtoul(text, &end, 10);
                if (*text < '0' || *text > '9' || end != slash || errno || uid > UINT32_MAX)
                        return reply_say(reply, PAR_REFUSED_INVALID,
                                         "before the slash comes the number of a user: 1001/ring");
        }
        if (!*name || strchr(name, '/') || !text_is_good(name, LABEL_BYTES_MAX))
                return reply_say(reply, PAR_REFUSED_INVALID,
                                 "a name has 1 to %d bytes of UTF-8, and no slash",
                                 LABEL_BYTES_MAX);
        *ret_uid = (uint32_t)uid;
        *ret_name = name;
        return 0;
}

/* Return: 0; PAR_REFUSED_INVALID with the refusal in the reply. */
static int open_request_from_wire(const struct session *session, const Wire__Open *open,
                                  struct open_request *ret, struct reply *reply)
{
        if (!open->token.len)
                return name_from_wire(session, open->name, &ret->uid, &ret->name, reply);
        if (open->token.len != TOKEN_BYTES)
                return reply_say(reply, PAR_REFUSED_INVALID, "a token has %zu bytes", TOKEN_BYTES);
        memcpy(ret->token.half, open->token.data, TOKEN_BYTES);
        if (!ret->token.half[0] && !ret->token.half[1])
                return reply_say(reply, PAR_REFUSED_INVALID, "a token is not all zero");
        ret->name = "";
        return 0;
}

int handle_open(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct open_request which = { .seq = request->seq };
        const Wire__Open *open = request->open;
        struct buffer *buffer;
        int r;

        r = open_request_from_wire(session, open, &which, reply);
        if (r)
                return r;
        /* Asked before, of a worker that died before its answer was heard. As with an Alloc,
         * another number may have been used before. */
        buffer = open->again ? client_restored_buffer(session->client, request->seq) : NULL;
        if (!buffer)
                r = state_open(session->server->state, session->client, &which, server_now_ns(),
                               &buffer, &reply->refusal);
        if (r)
                return r;
        return export_grant(session, request->seq, WIRE__REQUEST__BODY_OPEN, buffer,
                            session->server->asked_ns, reply);
}

/* One that nobody can guess. Return: 0; negative errno. */
static int make_token(struct share_token *ret)
{
        do {
                if (getrandom(ret->half, TOKEN_BYTES, 0) != (ssize_t)TOKEN_BYTES)
                        return errno ? -errno : -EIO;
        } while (!ret->half[0] || !ret->half[1]);
        return 0;
}

int handle_share(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct state *state = session->server->state;
        const Wire__Share *share = request->share;
        Wire__Shared *body = &reply->room->shared.shared;
        struct share_token fresh;
        int r;

        wire__shared__init(body);
        if (share->end) {
                r = state_unshare(state, session->client, share->buffer, &reply->refusal);
        } else {
                r = make_token(&fresh);
                if (!r)
                        r = state_share(state, session->client, share->buffer, &fresh,
                                        &reply->room->shared.token, &reply->refusal);
                body->token.len = TOKEN_BYTES;
                body->token.data = (uint8_t *)reply->room->shared.token.half;
        }
        if (r)
                return r;
        reply->wire.body_case = WIRE__REPLY__BODY_SHARE;
        reply->wire.share = body;
        return 0;
}

int handle_remove(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const char *name;
        uint32_t uid;
        int r;

        r = name_from_wire(session, request->remove->name, &uid, &name, reply);
        if (r)
                return r;
        return state_remove(session->server->state, session->client, uid, name, server_now_ns(),
                            &reply->refusal);
}
