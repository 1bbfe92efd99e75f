/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of requests. Invariant: every request gets exactly one reply, unless its session
 * ends. Refuses packets that are no message, and numbers that would make a reply ambiguous: after
 * either the two sides do not understand each other any more.
 */
#include "dispatch.h"

#include "log.h"
#include "server_private.h"

#include "macros.h"

#include <errno.h>

/* Who may ask. */
enum role {
        ROLE_STRANGER, /* before Hello, and only then */
        ROLE_CLIENT,
        ROLE_ADMIN,
};

struct handler {
        const char *name;
        enum role role;
        handler_function *handle;
};

static const struct handler handlers[] = {
        [WIRE__REQUEST__BODY_HELLO] = { "Hello", ROLE_STRANGER, handle_hello },
        [WIRE__REQUEST__BODY_BYE] = { "Bye", ROLE_CLIENT, handle_bye },
        [WIRE__REQUEST__BODY_ALLOC] = { "Alloc", ROLE_CLIENT, handle_alloc },
        [WIRE__REQUEST__BODY_EXTENTS] = { "Extents", ROLE_CLIENT, handle_extents },
        [WIRE__REQUEST__BODY_FREE] = { "Free", ROLE_CLIENT, handle_free },
        [WIRE__REQUEST__BODY_DROP] = { "Drop", ROLE_CLIENT, handle_drop },
        [WIRE__REQUEST__BODY_CANCEL] = { "Cancel", ROLE_CLIENT, handle_cancel },
        [WIRE__REQUEST__BODY_EXPLAIN] = { "explain", ROLE_CLIENT, handle_explain },
        [WIRE__REQUEST__BODY_DEVICE_OPEN] = { "DeviceOpen", ROLE_CLIENT, handle_device_open },
        [WIRE__REQUEST__BODY_RECLAIM] = { "Reclaim", ROLE_CLIENT, handle_reclaim },
        [WIRE__REQUEST__BODY_STATUS] = { "status", ROLE_CLIENT, handle_status },
        [WIRE__REQUEST__BODY_POOLS] = { "pools", ROLE_CLIENT, handle_pools },
        [WIRE__REQUEST__BODY_DEVICES] = { "devices", ROLE_CLIENT, handle_devices },
        [WIRE__REQUEST__BODY_LIMITS] = { "limits", ROLE_CLIENT, handle_limits },
        [WIRE__REQUEST__BODY_FRAMES] = { "frames", ROLE_CLIENT, handle_frames },
        [WIRE__REQUEST__BODY_BUFFERS] = { "buffers", ROLE_CLIENT, handle_buffers },
        [WIRE__REQUEST__BODY_CLIENTS] = { "clients", ROLE_CLIENT, handle_clients },
        [WIRE__REQUEST__BODY_MAP] = { "map", ROLE_CLIENT, handle_map },
        [WIRE__REQUEST__BODY_LOOKUP] = { "lookup", ROLE_CLIENT, handle_lookup },
        [WIRE__REQUEST__BODY_MAPPED] = { "Mapped", ROLE_CLIENT, handle_mapped },
        [WIRE__REQUEST__BODY_LOOKUP_IO] = { "lookup_io", ROLE_CLIENT, handle_lookup_io },
        [WIRE__REQUEST__BODY_RESIZE] = { "Resize", ROLE_ADMIN, handle_resize },
        [WIRE__REQUEST__BODY_DRAIN] = { "Drain", ROLE_ADMIN, handle_drain },
        [WIRE__REQUEST__BODY_REVOKE] = { "Revoke", ROLE_ADMIN, handle_revoke },
        [WIRE__REQUEST__BODY_RELEASE] = { "Release", ROLE_CLIENT, handle_release },
        [WIRE__REQUEST__BODY_KEPT] = { "Kept", ROLE_CLIENT, handle_kept },
        [WIRE__REQUEST__BODY_RELOAD] = { "Reload", ROLE_ADMIN, handle_reload },
        [WIRE__REQUEST__BODY_OPEN] = { "Open", ROLE_CLIENT, handle_open },
        [WIRE__REQUEST__BODY_SHARE] = { "Share", ROLE_CLIENT, handle_share },
        [WIRE__REQUEST__BODY_REMOVE] = { "Remove", ROLE_CLIENT, handle_remove },
        [WIRE__REQUEST__BODY_ALLOC_BATCH] = { "AllocBatch", ROLE_CLIENT, handle_alloc_batch },
        [WIRE__REQUEST__BODY_FREE_BATCH] = { "FreeBatch", ROLE_CLIENT, handle_free_batch },
        [WIRE__REQUEST__BODY_EXPORT_DMABUF] = { "ExportDmabuf", ROLE_CLIENT, handle_export_dmabuf },
};

static const struct handler *find(const Wire__Request *request)
{
        size_t body = request->body_case;

        return body < ARRAY_SIZE(handlers) && handlers[body].handle ? &handlers[body] : NULL;
}

void dispatch_labels(const char *ret[METRICS_REQUESTS_MAX])
{
        const ProtobufCMessageDescriptor *request = &wire__request__descriptor;

        _Static_assert(ARRAY_SIZE(handlers) <= METRICS_REQUESTS_MAX, "a place for each");
        for (size_t i = 0; i < METRICS_REQUESTS_MAX; i++)
                ret[i] = NULL;
        for (unsigned i = 0; i < request->n_fields; i++) {
                const ProtobufCFieldDescriptor *field = &request->fields[i];

                if (field->id < ARRAY_SIZE(handlers) && handlers[field->id].handle)
                        ret[field->id] = field->name;
        }
}

static void log_admin(const struct session *session, const char *request)
{
        const struct identity *identity = &session->peer.identity;
        const struct log_fields about = {
                .client = client_name(session->client),
                .has_uid = true,
                .uid = identity->uid,
        };

        log_event(LOG_INFO, &about, "uid %u (pid %u) asks for %s", identity->uid, identity->pid,
                  request);
}

static int handle(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const struct handler *handler = find(request);

        if (request->seq == 0 || request->seq == session->reload.seq ||
            session_wait(session, request->seq) || export_is_open(session, request->seq)) {
                reply->end = SESSION_DIED;
                return reply_say(reply, PAR_REFUSED_INVALID,
                                 "a request's seq is not 0, and not that of one that waits");
        }
        if (!session->client && (!handler || handler->role != ROLE_STRANGER)) {
                reply->end = SESSION_DIED;
                return reply_say(reply, -EPROTO, "the first request must be Hello");
        }
        if (!handler)
                return reply_say(reply, PAR_REFUSED_INVALID, "this pard knows no such request");
        if (session->client && handler->role == ROLE_STRANGER)
                return reply_say(reply, PAR_REFUSED_INVALID, "%s was said already", handler->name);
        if (handler->role == ROLE_ADMIN &&
            !client_is_admin(session->server->state, session->client))
                return reply_say(reply, PAR_REFUSED_DENIED,
                                 "%s is for administrators: root and the members of the "
                                 "configuration's admin_group",
                                 handler->name);
        if (handler->role == ROLE_ADMIN)
                log_admin(session, handler->name);
        return handler->handle(session, request, reply);
}

/* Whether nothing comes of a request but its answer. A grant goes with the session, if it does not
 * last without. */
static bool only_asks(const Wire__Request *request)
{
        switch (request->body_case) {
        case WIRE__REQUEST__BODY_ALLOC: return !request->alloc->lasting;
        case WIRE__REQUEST__BODY_ALLOC_BATCH:
        case WIRE__REQUEST__BODY_EXTENTS:
        case WIRE__REQUEST__BODY_EXPLAIN:
        case WIRE__REQUEST__BODY_DEVICE_OPEN:
        case WIRE__REQUEST__BODY_STATUS:
        case WIRE__REQUEST__BODY_POOLS:
        case WIRE__REQUEST__BODY_FRAMES:
        case WIRE__REQUEST__BODY_BUFFERS:
        case WIRE__REQUEST__BODY_CLIENTS:
        case WIRE__REQUEST__BODY_MAP:
        case WIRE__REQUEST__BODY_DEVICES:
        case WIRE__REQUEST__BODY_LOOKUP:
        case WIRE__REQUEST__BODY_LOOKUP_IO: return true;
        default: return false;
        }
}

void dispatch(struct session *session, const void *bytes, size_t size)
{
        struct server *server = session->server;
        Wire__Request *request;
        struct reply reply;
        int r;

        server->asked_ns = server_now_ns();
        r = message_unpack_request(&server->arena, bytes, size, &request);
        if (r) {
                session_blame(session, "a packet that is no request");
        } else if (!session->outbox.dead || !only_asks(request)) {
                /* Who has hung up is not looked for: that would take the time of others. */
                reply_init(&reply, &server->room);
                r = handle(session, request, &reply);
                if (r || !reply.later) {
                        reply_send(session, &reply, request->seq, r);
                        if (find(request))
                                metrics_count(&server->metrics.requests[request->body_case],
                                              server_now_ns() - server->asked_ns);
                }
        }
        message_arena_reset(&server->arena);
}
