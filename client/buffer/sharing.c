/* SPDX-License-Identifier: MIT */
/*
 * Owns the ways to buffers that others have as well: par_open(), tokens, and par_remove().
 *
 * What is opened is never written to here: it has what its holders put into it.
 */
#include "wish.h"

#include "macros.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int check_options(const struct par_open_options *options)
{
        if (!options)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(options->reserved); i++)
                if (options->reserved[i])
                        return error_set(-EINVAL, "options: a reserved field is not zero");
        if (options->flags & ~PAR_ALLOC_KEEP_ON_FORK || options->reserved_flags)
                return error_set(-EINVAL, "options: an unknown flag");
        return 0;
}

/* @name, or @token where that is not NULL. */
static int open_buffer(struct par *par, const char *name, const struct par_token *token,
                       const struct par_open_options *options, struct debug_call call,
                       struct par_buffer **ret)
{
        struct wish wish;
        int r;

        if (ret)
                *ret = NULL;
        r = handle_check(par);
        if (!r && (!ret || (!name && !token)))
                r = error_set(-EINVAL, "no %s", ret ? "name or token" : "place for the buffer");
        if (!r)
                r = check_options(options);
        if (r)
                return r;
        wish_init(&wish);
        wish.flags = PAR_ALLOC_UNINITIALIZED | (options ? options->flags : 0);
        wish.message.body_case = WIRE__REQUEST__BODY_OPEN;
        wish.message.open = &wish.open;
        if (token) {
                wish.open.token.len = sizeof(token->bytes);
                wish.open.token.data = (uint8_t *)(uintptr_t)token->bytes;
        } else {
                wish.open.name = (char *)(uintptr_t)name;
        }
        r = wish_fulfil(par, &wish, ret);
        if (!r && par->owner)
                debug_buffer_made(*ret, &(struct debug_birth){ .call = call, .label = name });
        return r;
}

int par_open(struct par *par, const char *name, const struct par_open_options *options,
             struct par_buffer **ret)
{
        return open_buffer(par, name, NULL, options, DEBUG_CALL, ret);
}

int par_open_shared(struct par *par, const struct par_token *token,
                    const struct par_open_options *options, struct par_buffer **ret)
{
        return open_buffer(par, NULL, token, options, DEBUG_CALL, ret);
}

/* ---- tokens --------------------------------------------------------------------------------- */

/* A Share under way. @request: must be first. @ended: the token is taken back. */
struct sharing {
        struct request request;
        bool ended;
        struct par_token token;
};

static int take_shared(struct request *request, const Wire__Reply *reply, struct packet *packet)
{
        struct sharing *sharing = CONTAINER_OF(request, struct sharing, request);
        const size_t bytes = sharing->ended ? 0 : sizeof(sharing->token.bytes);

        (void)packet;
        if (reply->body_case != WIRE__REPLY__BODY_SHARE || reply->share->token.len != bytes)
                return -EPROTO;
        if (bytes)
                memcpy(sharing->token.bytes, reply->share->token.data, bytes);
        return 0;
}

static int ask(struct par_buffer *buffer, struct sharing *sharing)
{
        Wire__Share body = WIRE__SHARE__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        struct par *par;
        int r;

        if (!buffer)
                return error_set(-EINVAL, "no buffer");
        par = buffer->par;
        r = handle_check(par);
        if (r)
                return r;
        body.buffer = buffer->id;
        body.end = sharing->ended;
        message.body_case = WIRE__REQUEST__BODY_SHARE;
        message.share = &body;
        pthread_mutex_lock(&par->lock);
        r = connection_call(&par->connection, &message, &sharing->request);
        pthread_mutex_unlock(&par->lock);
        return r;
}

int par_buffer_share(struct par_buffer *buffer, struct par_token *ret)
{
        struct sharing sharing = { .request = { .take = take_shared } };
        int r;

        if (!ret)
                return error_set(-EINVAL, "no place for the token");
        *ret = (struct par_token){ { 0 } };
        if (buffer && IS_STALE(buffer, DEBUG_USE_WHOLE))
                buffer = NULL;
        r = ask(buffer, &sharing);
        if (!r)
                *ret = sharing.token;
        return r;
}

int par_buffer_unshare(struct par_buffer *buffer)
{
        struct sharing sharing = { .request = { .take = take_shared }, .ended = true };

        if (buffer && IS_STALE(buffer, DEBUG_USE_FACT))
                buffer = NULL;
        return ask(buffer, &sharing);
}

/* ---- names ---------------------------------------------------------------------------------- */

int par_remove(struct par *par, const char *name)
{
        Wire__Remove body = WIRE__REMOVE__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        struct request request = { 0 };
        int r;

        r = handle_check(par);
        if (!r && !name)
                r = error_set(-EINVAL, "no name");
        if (r)
                return r;
        body.name = (char *)(uintptr_t)name;
        message.body_case = WIRE__REQUEST__BODY_REMOVE;
        message.remove = &body;
        pthread_mutex_lock(&par->lock);
        r = connection_call(&par->connection, &message, &request);
        if (r == -PAR_GONE && request.resent && !par->connection.gone)
                r = 0; /* the worker that died had done it */
        pthread_mutex_unlock(&par->lock);
        return r;
}

void wish_forget_name(struct par *par, const struct wish *wish, int r)
{
        struct par_refusal_info figures;
        char sentence[ERROR_BYTES];

        if (wish->message.body_case != WIRE__REQUEST__BODY_ALLOC || !wish->alloc.lasting)
                return;
        snprintf(sentence, sizeof(sentence), "%s", par_error(par));
        if (par_last_refusal(par, &figures))
                memset(&figures, 0, sizeof(figures));
        (void)!par_remove(par, wish->alloc.name);
        error_set_sentence(r, sentence);
        error_set_figures(r, &figures);
}
