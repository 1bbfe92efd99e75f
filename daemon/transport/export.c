/* SPDX-License-Identifier: MIT */
/*
 * Owns the queue of dma-bufs that are asked for. Invariant: one is made at a time, from descriptors
 * of its own, so a frame that leaves meanwhile is seen to be in use; and a session has a bounded
 * number of them anywhere, so whoever asks much waits for himself. A buffer that is gone when its
 * dma-buf is made is answered like one that never was, and the dma-buf is closed.
 */
#include "export.h"

#include "dispatch.h"
#include "grant.h"
#include "server_private.h"

#include "macros.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/**
 * struct export - see export.h
 * @session:   NULL: it ended while this was made
 * @buffer:    number of the buffer
 * @kind:      of the request: WIRE__REQUEST__BODY_*. But for an ExportDmabuf it has the buffer by
 * it
 * @asked_ns:  when it was received; 0: not to be counted
 * @result, @fd: with EXPORT_MADE; @fd is owned, -1 where @result is not 0
 */
struct export
{
        TAILQ_ENTRY(export) link;      /* as its stage says */
        LIST_ENTRY(export) of_session; /* export_list::all */
        struct session *session;
        enum export_stage stage;
        uint32_t seq;
        uint64_t buffer, asked_ns;
        int kind, result, fd;
};

static void close_made(struct server *server, int fd)
{
        /* Unpinning may take long, and is nobody's hurry. */
        if (fd >= 0)
                reaper_close_stranger(server->reaper, fd);
}

/* In no queue; its session, if any, has one less. */
static void export_free(struct server *server, struct export *export)
{
        if (export->session) {
                LIST_REMOVE(export, of_session);
                export->session->exports.count--;
        }
        close_made(server, export->fd);
        free(export);
}

/* ---- making --------------------------------------------------------------------------------- */

static void close_parts(struct udmabuf_part *parts, size_t count)
{
        for (size_t i = 0; i < count; i++)
                close(parts[i].file);
        free(parts);
}

/**
 * parts_of() - where a buffer lies
 * @ret: @count of them on the heap, with files of their own
 *
 * Return: 0; -EMFILE, -EIO where a frame has no descriptor; -ENOMEM.
 */
static int parts_of(const struct server *server, const struct buffer *buffer, size_t count,
                    struct udmabuf_part **ret)
{
        struct udmabuf_part *parts = calloc(count, sizeof(*parts));
        struct piece piece;

        if (!parts)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                int fd, r;

                buffer_piece(buffer, i, &piece);
                fd = keeper_link_frame_fd(server->keeper, piece.frame);
                r = fd < 0 ? -EIO : 0;
                if (!r) {
                        fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
                        r = fd < 0 ? -errno : 0;
                }
                if (r) {
                        close_parts(parts, i);
                        return r;
                }
                parts[i] = (struct udmabuf_part){ fd, piece.frame_offset, piece.length_bytes };
        }
        *ret = parts;
        return 0;
}

/* Return: 0: it is being made; PAR_REFUSED_GONE; negative errno. */
static int begin(struct server *server, const struct export *export)
{
        const struct buffer *buffer = client_buffer(export->session->client, export->buffer);
        struct udmabuf_part *parts;
        struct buffer_view view;
        int r;

        if (!buffer)
                return PAR_REFUSED_GONE;
        buffer_view(buffer, &view);
        r = parts_of(server, buffer, view.piece_count, &parts);
        if (r)
                return r;
        return dmabuf_maker_begin(server->exporter.maker, parts, view.piece_count);
}

static void made(struct server *server, struct export *export, int r, int fd)
{
        export->stage = EXPORT_MADE;
        export->result = r;
        export->fd = fd;
        if (!export->session) {
                export_free(server, export);
                return;
        }
        TAILQ_INSERT_TAIL(&export->session->exports.made, export, link);
        session_mark(export->session);
}

/* Go on with the queue until one is under way. */
static void go_on(struct server *server)
{
        struct exporter *exporter = &server->exporter;
        struct export *export;
        int r;

        if (exporter->running)
                return;
        while ((export = TAILQ_FIRST(&exporter->queue))) {
                TAILQ_REMOVE(&exporter->queue, export, link);
                r = begin(server, export);
                if (!r) {
                        export->stage = EXPORT_RUNS;
                        exporter->running = export;
                        return;
                }
                made(server, export, r, -1);
        }
}

static void on_made(evutil_socket_t event, short what, void *data)
{
        struct server *server = data;
        struct export *export = server->exporter.running;
        int fd, r;

        (void)event;
        (void)what;
        if (!dmabuf_maker_take(server->exporter.maker, &r, &fd)) {
                server->exporter.running = NULL;
                made(server, export, r, fd);
                go_on(server);
        }
        server_settle(server);
}

/* ---- asking --------------------------------------------------------------------------------- */

/* "128 MiB in 64 pieces" is more than the kernel makes. */
static int refuse_size(const struct udmabuf_limits *limits, const struct buffer_view *view,
                       struct reply *reply)
{
        int r = reply_say(
                reply, PAR_REFUSED_NEVER_FITS,
                "buffer %" PRIu64 " has %" PRIu64 " KiB in %zu pages, and the kernel makes "
                "a dma-buf of %" PRIu64 " KiB in %u at most: size_limit_mb and list_limit "
                "of its module udmabuf",
                view->id, view->size_bytes / KiB, view->piece_count, limits->bytes / KiB,
                limits->parts);

        reply->refusal.permanent = true;
        return r;
}

/* Whether a dma-buf of a buffer can be asked for. Return: 0; -ENOTSUP where this system makes none;
 * PAR_REFUSED_NEVER_FITS where the kernel makes none so large; PAR_REFUSED_QUOTA with
 * SESSION_EXPORTS_MAX under way. The reply has the sentence. */
static int check(struct session *session, const struct buffer *buffer, struct reply *reply)
{
        const struct exporter *exporter = &session->server->exporter;
        struct buffer_view view;

        if (!exporter->maker)
                return reply_say(reply, -ENOTSUP,
                                 "this system makes no dma-bufs of memory: it has no /dev/udmabuf "
                                 "(CONFIG_UDMABUF) that pard may open");
        buffer_view(buffer, &view);
        if (view.size_bytes > exporter->limits.bytes || view.piece_count > exporter->limits.parts)
                return refuse_size(&exporter->limits, &view, reply);
        if (session->exports.count == SESSION_EXPORTS_MAX)
                return reply_say(reply, PAR_REFUSED_QUOTA,
                                 "%u dma-bufs of this session are under way, which is as many as "
                                 "may be: receive them",
                                 session->exports.count);
        return 0;
}

/**
 * ask() - have a dma-buf made and sent
 * @seq:      of the request
 * @buffer:   of the session's client, noted as exported
 * @asked_ns: when the request was received
 * @kind:     of the request: WIRE__REQUEST__BODY_*
 *
 * Return: 0: the reply comes later; -ENOMEM.
 */
static int ask(struct session *session, uint32_t seq, const struct buffer *buffer,
               uint64_t asked_ns, int kind)
{
        struct server *server = session->server;
        struct export *export = calloc(1, sizeof(*export));
        struct buffer_view view;

        if (!export)
                return -ENOMEM;
        buffer_view(buffer, &view);
        export->session = session;
        export->stage = EXPORT_WAITS;
        export->seq = seq;
        export->buffer = view.id;
        export->asked_ns = asked_ns;
        export->kind = kind;
        export->fd = -1;
        LIST_INSERT_HEAD(&session->exports.all, export, of_session);
        session->exports.count++;
        TAILQ_INSERT_TAIL(&server->exporter.queue, export, link);
        go_on(server);
        return 0;
}

/* Of whatever is shared with another uid, too, where that can be: who has nothing but a dma-buf can
 * neither punch nor seal the memory. Where none is to be had he gets what everybody gets. Whoever
 * made the buffer chose with whom to share it, and nobody else's memory lies in its frames. */
bool export_suits(const struct session *session, const struct buffer *buffer)
{
        struct buffer_view view;

        buffer_view(buffer, &view);
        return view.as_dmabuf ||
               (session->server->exporter.maker && client_is_stranger(session->client, buffer));
}

int export_grant(struct session *session, uint32_t seq, int kind, const struct buffer *buffer,
                 uint64_t asked_ns, struct reply *reply)
{
        struct buffer_view view;
        int r;

        reply->opened = kind == WIRE__REQUEST__BODY_OPEN;
        if (!export_suits(session, buffer))
                return grant_answer(session, buffer, reply);
        buffer_view(buffer, &view);
        reply->granted = view.id;
        r = check(session, buffer, reply);
        if (r)
                return r;
        r = ask(session, seq, buffer, asked_ns, kind);
        if (r)
                return r;
        reply->granted = 0; /* not by this reply */
        reply->later = true;
        return 0;
}

int handle_export_dmabuf(struct session *session, const Wire__Request *request, struct reply *reply)
{
        const uint64_t id = request->export_dmabuf->buffer;
        const struct buffer *buffer = client_buffer(session->client, id);
        int r;

        if (!buffer)
                return reply_say(reply, PAR_REFUSED_GONE, "no buffer %" PRIu64 " of yours", id);
        r = check(session, buffer, reply);
        if (r)
                return r;
        r = state_export(session->server->state, session->client, id, &reply->refusal);
        if (r)
                return r;
        r = ask(session, request->seq, buffer, session->server->asked_ns,
                WIRE__REQUEST__BODY_EXPORT_DMABUF);
        if (r)
                state_unexport(session->client, id);
        reply->later = !r;
        return r;
}

/* ---- answering ------------------------------------------------------------------------------ */

/* What the kernel said, in words; its errno means nothing to a client. */
static int say_why(const struct export *export, struct reply *reply)
{
        switch (export->result) {
        case -EINVAL:
        case -EBADFD:
                return reply_say(reply, -ENOTSUP,
                                 "the kernel makes no dma-buf of the memory of buffer %" PRIu64
                                 " (%s): it has to be that of a memfd, unsealed by its holder",
                                 export->buffer, strerror(-export->result));
        case PAR_REFUSED_GONE:
                return reply_say(reply, PAR_REFUSED_GONE, "no buffer %" PRIu64 " of yours",
                                 export->buffer);
        default: return export->result;
        }
}

static bool is_grant(const struct export *export)
{
        return export->kind != WIRE__REQUEST__BODY_EXPORT_DMABUF;
}

static int fill_reply(struct session *session, const struct export *export, struct reply *reply)
{
        const struct buffer *buffer = client_buffer(session->client, export->buffer);
        Wire__Exported *body = &reply->room->exported;
        struct buffer_view view;

        if (!buffer)
                return reply_say(reply, PAR_REFUSED_GONE, "no buffer %" PRIu64 " of yours",
                                 export->buffer);
        if (is_grant(export))
                reply->granted = export->buffer;
        reply->opened = export->kind == WIRE__REQUEST__BODY_OPEN;
        if (export->result)
                return say_why(export, reply);
        reply->descriptors[reply->n_descriptors++] = export->fd;
        if (is_grant(export))
                return grant_answer(session, buffer, reply);
        buffer_view(buffer, &view);
        wire__exported__init(body);
        body->size = view.size_bytes;
        reply->wire.body_case = WIRE__REPLY__BODY_EXPORT_DMABUF;
        reply->wire.export_dmabuf = body;
        return 0;
}

void export_send(struct session *session)
{
        struct server *server = session->server;
        struct export *export = TAILQ_FIRST(&session->exports.made);
        struct reply reply;
        int r;

        TAILQ_REMOVE(&session->exports.made, export, link);
        reply_init(&reply, &server->room);
        r = fill_reply(session, export, &reply);
        if (r && !is_grant(export))
                state_unexport(session->client, export->buffer);
        reply_send(session, &reply, export->seq, r);
        if (export->asked_ns)
                metrics_count(&server->metrics.requests[export->kind],
                              server_now_ns() - export->asked_ns);
        export_free(server, export);
}

bool export_is_open(const struct session *session, uint32_t seq)
{
        const struct export *export;

        LIST_FOREACH (export, &session->exports.all, of_session)
                if (export->seq == seq)
                        return true;
        return false;
}

/* ---- life ----------------------------------------------------------------------------------- */

void export_list_init(struct export_list *list)
{
        LIST_INIT(&list->all);
        TAILQ_INIT(&list->made);
}

void export_forget_all(struct session *session)
{
        struct server *server = session->server;
        struct export *export;

        while ((export = LIST_FIRST(&session->exports.all))) {
                if (export->stage == EXPORT_RUNS) {
                        LIST_REMOVE(export, of_session);
                        export->session = NULL;
                        continue;
                }
                TAILQ_REMOVE(export->stage == EXPORT_WAITS ? &server->exporter.queue
                                                           : &session->exports.made,
                             export, link);
                export_free(server, export);
        }
}

int exporter_init(struct server *server)
{
        struct exporter *exporter = &server->exporter;
        int r;

        TAILQ_INIT(&exporter->queue);
        if (exporter->device < 0)
                return 0;
        udmabuf_read_limits(NULL, &exporter->limits);
        r = dmabuf_maker_new(exporter->device, &exporter->maker);
        if (r)
                return r;
        exporter->event = event_new(server->base, dmabuf_maker_fd(exporter->maker),
                                    EV_READ | EV_PERSIST, on_made, server);
        if (!exporter->event || event_priority_set(exporter->event, PRIORITY_QUICK) ||
            event_add(exporter->event, NULL))
                return -ENOMEM;
        return 0;
}

void exporter_deinit(struct server *server)
{
        struct exporter *exporter = &server->exporter;

        if (exporter->event)
                event_free(exporter->event);
        dmabuf_maker_free(exporter->maker);
        free(exporter->running);
        if (exporter->device >= 0)
                close(exporter->device);
}
