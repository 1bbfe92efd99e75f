/* SPDX-License-Identifier: MIT */
/*
 * Owns the handle: par_connect() to par_disconnect(), events, and what else concerns the session as
 * a whole.
 *
 * Invariant: only the process that connected uses the session. Refuses to take a lock in a child of
 * fork(): a thread that is not there any more may hold it.
 */
#include "devices.h"
#include "dma.h"
#include "grant.h"
#include "io_tell.h"
#include "io_wish.h"
#include "iova.h"
#include "slab.h"

#include "macros.h"
#include "protocol.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* How long par_disconnect() waits for the daemon to confirm. It reads the Bye in any case. */
#define BYE_MS 2000

/* A worker may die before it answers a Hello. The socket is the keeper's, so the next call is for
 * the next worker; one that never answers is not called for ever. */
#define CONNECT_TRIES 3

/* ---- what arrives unasked ------------------------------------------------------------------- */

static void take_event(struct par *par, const Wire__Event *wire)
{
        struct par_event event = { .type = wire->type };
        struct event *slots = par->events.own;

        if (wire->type == PAR_EVENT_NONE || wire->type > EVENT_SLOTS ||
            wire->type == PAR_EVENT_RECONNECTED || wire->type == PAR_EVENT_LOST)
                return; /* of a newer daemon, or nonsense */
        if (wire->buffer) {
                event.buffer = buffers_find(&par->buffers, wire->buffer);
                if (!event.buffer)
                        return; /* freed since */
                slots = event.buffer->events;
                if (wire->type == PAR_EVENT_REVOKED)
                        grant_revoked(event.buffer);
                if (!bounce_heard(event.buffer, wire->type))
                        return;
                if (wire->offset < event.buffer->size) {
                        event.offset = wire->offset;
                        event.length = event.buffer->size - wire->offset;
                        if (wire->length < event.length)
                                event.length = wire->length;
                }
        } else {
                event.length = wire->length;
        }
        handle_log(par, LOG_NOTICE, "event %u of buffer %llu", wire->type,
                   (unsigned long long)wire->buffer);
        events_push(&par->events, &slots[wire->type - 1], &event);
}

static void take_notice(void *data, const Wire__Notice *notice)
{
        struct par *par = data;

        for (size_t i = 0; i < notice->n_unneeded_frames; i++)
                frames_unneeded(&par->frames, notice->unneeded_frames[i]);
        for (size_t i = 0; i < notice->n_events; i++)
                take_event(par, notice->events[i]);
        handle_tell_dropped(par);
}

static void take_end(void *data, int r, const char *sentence)
{
        struct par *par = data;
        const struct par_event lost = { .type = PAR_EVENT_LOST };

        (void)r;
        events_unwatch(&par->events, par->connection.socket);
        events_push(&par->events, &par->events.lost, &lost);
        handle_log(par, LOG_WARNING, "%s", sentence);
}

/* What was unmapped meanwhile is not told of as mapped; there is nothing to take back. */
static void take_loss(void *data)
{
        struct par *par = data;

        events_unwatch(&par->events, par->connection.socket);
        frames_lose(&par->frames);
        handle_log(par, LOG_NOTICE, "pard's worker is gone: waiting for another one");
}

static int take_descriptor(void *data, int fd)
{
        struct par *par = data;

        return events_watch(&par->events, fd);
}

static size_t list_mapped(void *data, uint64_t after, uint64_t *ret, size_t room)
{
        struct par *par = data;

        return frames_list(&par->frames, after, ret, room);
}

static void take_resumption(void *data)
{
        struct par *par = data;
        const struct par_event event = { .type = PAR_EVENT_RECONNECTED };

        frames_resume(&par->frames);
        io_tell_anew(par);
        events_push(&par->events, &par->events.reconnected, &event);
        handle_log(par, LOG_NOTICE, "another worker of pard serves: everything goes on");
}

static const struct connection_ops connection_ops = {
        .notice = take_notice,
        .lost = take_loss,
        .watch = take_descriptor,
        .mapped = list_mapped,
        .resumed = take_resumption,
        .ended = take_end,
};

/* ---- connect -------------------------------------------------------------------------------- */

static int check_options(const struct par_connect_options *options)
{
        if (!options)
                return 0;
        if (options->flags & ~PAR_CONNECT_DEBUG || options->reserved[0] || options->reserved[1] ||
            options->reserved[2] || options->reserved[3])
                return error_set(-EINVAL, "options: an unknown flag, or reserved is not zero");
        return handle_check_name("client name", options->client_name);
}

/* A handle without a connection; NULL without memory. */
static struct par *handle_new(const struct par_connect_options *options)
{
        const char *name = program_invocation_short_name;
        const char *debug = getenv("PAR_DEBUG");
        struct par *par;

        par = calloc(1, sizeof(*par));
        if (!par)
                return NULL;
        par->pid = getpid();
        fork_mark_init(&par->mark);
        if (options && options->client_name)
                name = options->client_name;
        text_copy_good(par->name, NAME_BYTES_MAX, name);
        par->debug = debug && !strcmp(debug, "1");
        if (options) {
                par->log = options->log;
                par->log_data = options->log_data;
                par->connection.spin_us = options->spin_us;
        }
        par->connection.socket = par->connection.resume.clock = -1;
        par->events.bell = par->events.poller = -1;
        pthread_mutex_init(&par->lock, NULL);
        lookup_init(&par->lookup);
        bar_maps_init(&par->bars);
        frames_init(&par->frames);
        RB_INIT(&par->buffers.by_id);
        LIST_INIT(&par->devices);
        LIST_INIT(&par->slabs);
        LIST_INIT(&par->iovas);
        io_spaces_init(&par->io_spaces);
        debug_begin(par, par->debug || (options && options->flags & PAR_CONNECT_DEBUG));
        return par;
}

/* @in_child: as handle_free(). */
static void free_buffer(struct par_buffer *buffer, bool in_child)
{
        if (!in_child || buffer->keep_on_fork)
                buffer_unmap(buffer);
        if (!in_child && buffer->record)
                debug_buffer_bury(buffer);
        else
                buffer_free(buffer);
}

/* Free whatever is there. @in_child: of fork(), whose memory is a copy. */
static void handle_free(struct par *par, bool in_child)
{
        struct par_device *device;
        struct par_buffer *buffer;
        struct par_iova *range;
        struct par_slab *slab;

        while ((range = LIST_FIRST(&par->iovas))) {
                LIST_REMOVE(range, link);
                iova_free(range, in_child);
        }
        while ((slab = LIST_FIRST(&par->slabs))) {
                LIST_REMOVE(slab, of_handle);
                slab_free(slab, in_child);
        }
        while ((device = LIST_FIRST(&par->devices))) {
                LIST_REMOVE(device, link);
                device_free(device);
        }
        while ((buffer = buffers_first(&par->buffers))) {
                buffers_remove(&par->buffers, buffer);
                io_space_unref(buffer->io_space);
                free_buffer(buffer, in_child);
        }
        frames_deinit(&par->frames, in_child);
        connection_deinit(&par->connection);
        events_deinit(&par->events);
        lookup_deinit(&par->lookup);
        bar_maps_deinit(&par->bars);
        fork_mark_deinit(&par->mark);
        if (!in_child)
                debug_end(par);
        if (!in_child)
                pthread_mutex_destroy(&par->lock);
        free(par);
}

/* Hello under way. */
struct hello_request {
        struct request request;
        uint64_t token;
        uint32_t batch_max;
};

static int take_welcome(struct request *request, const Wire__Reply *reply, struct packet *packet)
{
        struct hello_request *hello = CONTAINER_OF(request, struct hello_request, request);

        (void)packet;
        if (reply->body_case != WIRE__REPLY__BODY_HELLO ||
            reply->hello->version != PROTOCOL_VERSION)
                return -EPROTO;
        hello->token = reply->hello->resume_token;
        hello->batch_max = reply->hello->batch_max;
        return 0;
}

static int say_hello(struct par *par)
{
        Wire__Hello body = WIRE__HELLO__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        struct hello_request hello = { .request.take = take_welcome };
        int r;

        body.version = PROTOCOL_VERSION;
        body.client_name = par->name;
        message.body_case = WIRE__REQUEST__BODY_HELLO;
        message.hello = &body;
        pthread_mutex_lock(&par->lock);
        r = connection_call(&par->connection, &message, &hello.request);
        par->connection.batch_max = hello.batch_max;
        if (!r)
                r = connection_make_resumable(&par->connection, par->name, hello.token);
        pthread_mutex_unlock(&par->lock);
        return r;
}

static int handle_connect(struct par *par, const char *path)
{
        int r;

        r = events_init(&par->events);
        if (r)
                return error_set(r, "descriptors for events: %s", par_strerror(r));
        r = connection_init(&par->connection, path, &par->lock, &connection_ops, par);
        if (r)
                return r;
        r = events_watch(&par->events, par->connection.socket);
        if (r)
                return error_set(r, "descriptors for events: %s", par_strerror(r));
        return say_hello(par);
}

static const char *default_socket(void)
{
        /* A program with privileges that its caller does not have believes no daemon of his choice:
         * a device is going to be given the addresses. */
        const char *path = secure_getenv("PAR_SOCKET");

        return path && *path ? path : SOCKET_DEFAULT;
}

/* @ret_again: set where whoever listened is gone without a word: another one may answer. */
static int try_to_connect(const char *path, const struct par_connect_options *options,
                          bool *ret_again, struct par **ret)
{
        struct par *par;
        int r;

        par = handle_new(options);
        if (!par)
                return error_set(-ENOMEM, "no memory for a connection");
        r = handle_connect(par, path);
        if (r) {
                *ret_again = r == -PAR_GONE && !par->connection.resume.absent;
                handle_free(par, false);
                return r;
        }
        *ret = par;
        return 0;
}

int par_connect(const char *socket_path, const struct par_connect_options *options,
                struct par **ret)
{
        int r;

        if (ret)
                *ret = NULL;
        else
                return error_set(-EINVAL, "no place for the connection");
        r = check_options(options);
        if (r)
                return r;
        if (!socket_path)
                socket_path = default_socket();

        for (int tries = 1;; tries++) {
                bool again = false;

                r = try_to_connect(socket_path, options, &again, ret);
                if (!again || tries == CONNECT_TRIES)
                        return r;
        }
}

/* ---- disconnect ----------------------------------------------------------------------------- */

/* In a child of fork(): free the copy, as far as it is known to be in order. */
static void disconnect_in_child(struct par *par)
{
        if (!pthread_mutex_trylock(&par->lock)) {
                handle_free(par, true);
                return;
        }
        /* At the fork another thread was changing it: its memory stays where it is. */
        close(par->connection.socket);
        if (par->connection.resume.clock >= 0)
                close(par->connection.resume.clock);
        events_deinit(&par->events);
        io_spaces_abandon(&par->io_spaces);
}

static void say_bye(struct par *par)
{
        Wire__Bye body = WIRE__BYE__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        struct request request = { .take = NULL };
        struct timespec now;

        message.body_case = WIRE__REQUEST__BODY_BYE;
        message.bye = &body;
        clock_gettime(CLOCK_MONOTONIC, &now);
        request.deadline_ns =
                (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec + BYE_MS * NS_PER_MS;
        (void)connection_call(&par->connection, &message, &request);
}

/* No device may use what is about to be given back. */
static void unmap_all(struct par *par)
{
        struct par_buffer *buffer = buffers_first(&par->buffers);
        const struct par_device *device;
        struct par_iova *range;

        LIST_FOREACH (range, &par->iovas, link)
                iova_unmap(range);
        for (; buffer; buffer = buffers_next(buffer))
                io_unmap(buffer);
        LIST_FOREACH (device, &par->devices, link)
                dma_unmap_pages(device->dma);
}

/* Their frames are gone then: a notice that still arrives finds nothing in them. */
static void unmap_buffers(struct par *par)
{
        for (struct par_buffer *buffer = buffers_first(&par->buffers); buffer;
             buffer = buffers_next(buffer)) {
                buffer_unmap(buffer);
                buffer->n_pieces = 0;
        }
        frames_deinit(&par->frames, false);
}

static void disconnect(struct par *par, struct debug_call call)
{
        if (par->pid != getpid()) {
                disconnect_in_child(par);
                return;
        }
        if (par->owner)
                debug_tell_leaks(par, call);
        pthread_mutex_lock(&par->lock);
        unmap_all(par);
        /* Before the daemon looks who still has them mapped. */
        unmap_buffers(par);
        if (!par->connection.gone)
                say_bye(par);
        pthread_mutex_unlock(&par->lock);
        handle_free(par, false);
}

void par_disconnect(struct par *par)
{
        const int errno_before = errno;

        if (par)
                disconnect(par, DEBUG_CALL);
        errno = errno_before;
}

/* ---- events and the rest -------------------------------------------------------------------- */

int par_fd(const struct par *par)
{
        int r = handle_check(par);

        return r ? r : par->events.poller;
}

int par_next_event(struct par *par, struct par_event *ret)
{
        int r;

        if (ret)
                *ret = (struct par_event){ .type = PAR_EVENT_NONE };
        r = handle_check(par);
        if (r)
                return r;
        if (!ret)
                return error_set(-EINVAL, "no place for the event");

        pthread_mutex_lock(&par->lock);
        connection_read(&par->connection);
        handle_tell_dropped(par);
        io_tell_more(par);
        r = events_pop(&par->events, ret) ? 0 : -EAGAIN; /* no failure: no sentence */
        pthread_mutex_unlock(&par->lock);
        return r;
}

struct reclaim_request {
        struct request request;
        uint64_t bytes;
};

static int take_reclaimed(struct request *request, const Wire__Reply *reply, struct packet *packet)
{
        struct reclaim_request *reclaim = CONTAINER_OF(request, struct reclaim_request, request);

        (void)packet;
        if (reply->body_case != WIRE__REPLY__BODY_RECLAIM)
                return -EPROTO;
        reclaim->bytes = reply->reclaim->bytes;
        return 0;
}

int par_reclaim(struct par *par, const char *client_name, uint64_t *ret_bytes)
{
        Wire__Reclaim body = WIRE__RECLAIM__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        struct reclaim_request reclaim = { .request.take = take_reclaimed };
        int r;

        if (ret_bytes)
                *ret_bytes = 0;
        r = handle_check(par);
        if (r)
                return r;
        r = handle_check_name("client name", client_name);
        if (r)
                return r;
        body.client_name = (char *)(client_name ? client_name : "");
        message.body_case = WIRE__REQUEST__BODY_RECLAIM;
        message.reclaim = &body;

        pthread_mutex_lock(&par->lock);
        r = connection_call(&par->connection, &message, &reclaim.request);
        handle_tell_dropped(par);
        pthread_mutex_unlock(&par->lock);
        if (!r && ret_bytes)
                *ret_bytes = reclaim.bytes;
        return r;
}
