/* SPDX-License-Identifier: MIT */
/*
 * Owns the way of a buffer: par_alloc() and par_free().
 *
 * Invariant: a buffer that the daemon has granted is either in the hands of the caller, or given
 * back before par_alloc() returns. Memory is unmapped before the daemon is told that it is no
 * longer mapped, and before that it is taken from the device. Refuses itself only what the wire
 * cannot carry, and what a device behind an IOMMU cannot be given; everything else is for the
 * daemon to judge, which can say why.
 */
#include "alloc.h"

#include "grant.h"
#include "io_tell.h"
#include "wish.h"

#include "macros.h"
#include "mapping.h"
#include "zero.h"

#include <errno.h>
#include <syslog.h>
#include <time.h>

/* How often to ask again for a buffer that another thread's par_free() made stale on its way, or
 * whose memory failed before anybody had it. */
#define TRIES_MAX 64

/* ---- giving back ---------------------------------------------------------------------------- */

/* Another worker is told which frames are mapped, and these are not among them: they may be mapped
 * again before it hears of this. */
static void free_again(struct request *request)
{
        request->message->free->n_dropped_frames = 0;
}

int alloc_tell_freed(struct par *par, Wire__Request *message, size_t *n_dropped,
                     struct request *request)
{
        int r = -PAR_GONE;

        while (!par->connection.gone) {
                *n_dropped = frames_untold(&par->frames);
                r = connection_try_send(&par->connection, message, request);
                if (r != -EAGAIN)
                        break;
                /* Others may tell of the same frames meanwhile: list them anew. */
                connection_wait_for_room(&par->connection, 0);
        }
        if (r)
                return 0; /* the session is over, and the daemon takes everything back by itself */

        frames_told(&par->frames, *n_dropped);
        (void)connection_await(&par->connection, request, false);
        if (request->result == -PAR_GONE && request->resent)
                return 0; /* the worker that died had done it */
        return request->result;
}

void alloc_send_free(struct par *par, uint64_t id)
{
        Wire__Free body = WIRE__FREE__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        struct request request = { .again = free_again };
        int r;

        body.buffer = id;
        body.dropped_frames = par->frames.telling;
        message.body_case = WIRE__REQUEST__BODY_FREE;
        message.free = &body;

        r = alloc_tell_freed(par, &message, &body.n_dropped_frames, &request);
        if (r == -PAR_GONE && !par->connection.gone)
                handle_log(par, LOG_INFO, "buffer %llu had been revoked", (unsigned long long)id);
        else if (r)
                handle_log(par, LOG_WARNING, "freeing buffer %llu: %s", (unsigned long long)id,
                           *request.sentence ? request.sentence : par_strerror(r));
}

static void give_back(struct par *par, struct par_buffer *buffer)
{
        if (!buffer->id)
                return;
        grant_give_up(par, buffer);
        if (!buffer->revoked)
                alloc_send_free(par, buffer->id);
        handle_tell_dropped(par); /* of those that did not fit into the message */
        io_tell_more(par);
}

void buffer_release(struct par_buffer *buffer, struct debug_call call)
{
        const int errno_before = errno;
        struct par *par;

        if (!buffer || (debug_on() && !debug_buffer_ends(buffer, call)) ||
            handle_check(buffer->par))
                return; /* in a child par_disconnect() frees it */
        par = buffer->par;
        if (atomic_load_explicit(&buffer->bounce, memory_order_acquire)) {
                handle_log(par, LOG_INFO, "buffer %llu holds slots: it is freed with the last",
                           (unsigned long long)buffer->id);
                return;
        }
        io_unmap(buffer);
        pthread_mutex_lock(&par->lock);
        lookup_remove(&par->lookup, buffer);
        give_back(par, buffer);
        io_space_unref(buffer->io_space);
        pthread_mutex_unlock(&par->lock);
        if (buffer->record)
                debug_buffer_bury(buffer);
        else
                buffer_free(buffer);
        errno = errno_before;
}

void par_free(struct par_buffer *buffer)
{
        buffer_release(buffer, DEBUG_CALL);
}

/* ---- getting -------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A signal ended the waiting: have the daemon answer now. Return: -EINTR, or what came of it. */
static int cancel(struct grant *grant)
{
        struct connection *connection = &grant->par->connection;
        Wire__Cancel body = WIRE__CANCEL__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;

        grant->cancelled = true;
        body.seq = grant->request.seq;
        message.body_case = WIRE__REQUEST__BODY_CANCEL;
        message.cancel = &body;
        /* Where it cannot be sent the session is over, and the request answered by that. */
        (void)connection_send(connection, &message, NULL);
        (void)connection_await(connection, &grant->request, false);
        if (connection->gone)
                return error_set_sentence(grant->request.result ? grant->request.result : -PAR_GONE,
                                          connection->why);
        return error_set(-EINTR, "a signal ended the waiting");
}

/* Another worker is asked: for what time is left, and it knows what was unmapped before. An Open
 * does not wait. */
static void ask_again(struct request *request)
{
        struct grant *grant = CONTAINER_OF(request, struct grant, request);
        Wire__Alloc *alloc = request->message->alloc;
        int64_t left_ms = grant->deadline_ms - now_ms();

        grant->told = grant->par->frames.told;
        if (request->message->body_case == WIRE__REQUEST__BODY_OPEN) {
                request->message->open->again = true;
                return;
        }
        alloc->again = true;
        if (grant->cancelled)
                alloc->wait_ms = 0;
        else if (alloc->wait_ms > 0)
                alloc->wait_ms = left_ms > 0 ? (int32_t)left_ms : 0;
}

/* Ask for memory. Return: 0: granted, as far as it is described yet; otherwise why not. */
static int ask(struct grant *grant, struct wish *wish)
{
        struct connection *connection = &grant->par->connection;
        int r;

        grant->request.take = grant_take_alloc;
        grant->request.again = ask_again;
        wish->alloc.again = wish->open.again = false;
        r = connection_send(connection, &wish->message, &grant->request);
        if (r)
                return r;
        grant->told = grant->par->frames.told;
        r = connection_await(connection, &grant->request, wish->alloc.wait_ms != 0);
        if (r)
                return cancel(grant);
        r = grant->request.result;
        return r ? request_error(&grant->request) : 0;
}

/* Ask for the rest of the description. */
static int ask_rest(struct grant *grant)
{
        Wire__Extents body = WIRE__EXTENTS__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        int r;

        message.body_case = WIRE__REQUEST__BODY_EXTENTS;
        message.extents = &body;
        grant->request.take = grant_take_extents;
        grant->request.again = NULL;
        while (grant->cursor && !grant->fault) {
                body.buffer = grant->buffer->id;
                body.cursor = grant->cursor;
                r = connection_call(&grant->par->connection, &message, &grant->request);
                if (r == -PAR_INVALID) {
                        /* Another worker, which does not know where the description stopped. */
                        grant->fault = -ESTALE;
                        return 0;
                }
                if (r)
                        return r;
        }
        return 0;
}

int alloc_fault(int fault)
{
        switch (fault) {
        case -EMFILE:
                return error_set(fault, "the process has too few descriptors left to receive the "
                                        "memory: raise RLIMIT_NOFILE");
        case -ENOMEM:
                return error_set(fault, "no address space, or too many mappings for this process "
                                        "(vm.max_map_count)");
        default: return error_set(fault, "mapping the memory: %s", par_strerror(fault));
        }
}

/* With the lock held. On anything but 0 the buffer has been given back, where it was granted. */
static int acquire(struct grant *grant, struct wish *wish)
{
        struct par *par = grant->par;
        int r;

        r = ask(grant, wish);
        if (!r)
                r = ask_rest(grant);
        if (r == -PAR_GONE && grant->buffer->id && !par->connection.gone) {
                /* Revoked before it was described: the caller has never seen it. Ask again. */
                grant_revoked(grant->buffer);
                grant->fault = -ESTALE;
                r = 0;
        }
        if (!r && !grant->fault)
                return 0;

        give_back(par, grant->buffer);
        return r ? r : alloc_fault(grant->fault);
}

/* Pieces lie side by side, so that those in a row are one. */
void alloc_zero(struct par_buffer *buffer)
{
        char *at = buffer->data;
        size_t bytes = 0;

        for (size_t i = 0; i < buffer->n_pieces; i++) {
                const struct piece *piece = &buffer->pieces[i];

                if (!piece->zeroed) {
                        bytes += piece->length;
                        continue;
                }
                zero_bytes(at, bytes);
                at += bytes + piece->length;
                bytes = 0;
        }
        zero_bytes(at, bytes);
}

/* A hugepage fails as a whole, so it is enough to look at some of it. */
bool alloc_has_failed(const struct par_buffer *buffer)
{
        char *at = buffer->data;

        for (size_t i = 0; i < buffer->n_pieces; i++) {
                const struct frame *frame = buffer->pieces[i].frame;

                if (frame && frame->huge && mapping_has_failed(at))
                        return true;
                at += buffer->pieces[i].length;
        }
        return false;
}

/* Give a buffer back that nobody has seen yet. */
static void take_back(struct par *par, struct par_buffer *buffer, bool frames_too)
{
        io_unmap(buffer);
        pthread_mutex_lock(&par->lock);
        if (frames_too)
                grant_not_again(buffer);
        give_back(par, buffer);
        io_space_unref(buffer->io_space);
        pthread_mutex_unlock(&par->lock);
        buffer_free(buffer);
}

/* Give it back with the frames that it lies in. */
static int reject(struct par *par, struct par_buffer *buffer)
{
        take_back(par, buffer, true);
        return error_set(-EHWPOISON, "the memory that was granted has failed (a hardware error)");
}

/* Whether a device sees a buffer elsewhere than the processor does, though behind no IOMMU. */
static bool is_translated(const struct par_buffer *buffer)
{
        for (size_t i = 0; i < buffer->n_segments; i++) {
                const struct par_segment *segment = &buffer->segments[i];

                if (segment->phys != PAR_PHYS_NONE && segment->phys != segment->dma)
                        return true;
        }
        return false;
}

uint32_t alloc_view(const struct par_buffer *buffer, uint32_t view)
{
        if (buffer->io_space)
                return io_space_number(buffer->io_space);
        if (!is_translated(buffer))
                return VIEW_MEMORY;
        return view >= VIEW_DEVICES ? view : VIEW_NONE;
}

/* Let a buffer be found. Return: 0; -EPROTO, which ends the session; -ENOMEM. */
static int make_known(struct par *par, struct par_buffer *buffer)
{
        int r;

        pthread_mutex_lock(&par->lock);
        r = lookup_insert(&par->lookup, buffer);
        if (r == -EPROTO)
                connection_end(&par->connection, r, "pard gave memory out twice");
        pthread_mutex_unlock(&par->lock);
        if (r == -EPROTO)
                return error_set(r, "pard gave memory out twice");
        return r ? error_set(r, "no memory to find the buffer by its address") : 0;
}

/* @ret_granted: the daemon had granted it, whatever came of that. */
static int try_once(struct par *par, struct wish *wish, bool *ret_granted, struct par_buffer **ret)
{
        struct grant grant = {
                .par = par,
                .asked_bytes = wish->alloc.size,
                .deadline_ms = now_ms() + wish->alloc.wait_ms,
        };
        int r;

        *ret_granted = false;
        grant.buffer = buffer_new(par, wish->flags & PAR_ALLOC_KEEP_ON_FORK);
        if (!grant.buffer)
                return error_set(-ENOMEM, "no memory for a buffer's description");

        pthread_mutex_lock(&par->lock);
        r = acquire(&grant, wish);
        pthread_mutex_unlock(&par->lock);
        *ret_granted = grant.buffer->id;
        if (r) {
                buffer_free(grant.buffer);
                return r;
        }
        if (par->owner)
                debug_window_open(grant.buffer);
        if (alloc_has_failed(grant.buffer))
                return reject(par, grant.buffer);
        r = io_wish_map(&wish->io, grant.buffer);
        if (r) {
                take_back(par, grant.buffer, false);
                return r;
        }
        grant.buffer->view = alloc_view(grant.buffer, wish->view);
        r = make_known(par, grant.buffer);
        if (r) {
                take_back(par, grant.buffer, false);
                return r;
        }
        io_tell_first(grant.buffer, wish->io.want.who);
        if (!(wish->flags & PAR_ALLOC_UNINITIALIZED))
                alloc_zero(grant.buffer);
        *ret = grant.buffer;
        return 0;
}

int wish_fulfil(struct par *par, struct wish *wish, struct par_buffer **ret)
{
        const int64_t deadline_ms = now_ms() + wish->alloc.wait_ms;
        int64_t left_ms;
        bool granted;
        int r = 0;

        for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
                r = try_once(par, wish, &granted, ret);
                if (r && granted)
                        wish_forget_name(par, wish, r);
                if (r != -ESTALE && r != -EHWPOISON)
                        return r;
                if (wish->alloc.wait_ms > 0) {
                        left_ms = deadline_ms - now_ms();
                        wish->alloc.wait_ms = left_ms > 0 ? (int32_t)left_ms : 0;
                }
        }
        if (r == -EHWPOISON)
                return r;
        return error_set(-PAR_BUSY,
                         "other threads or an administrator took the same memory %d times while it "
                         "was being granted",
                         TRIES_MAX);
}

/* Look after a buffer from now on. Who shares one has all of it, and so have the library's own. */
static void watch(struct par_buffer *buffer, size_t asked_bytes,
                  const struct par_alloc_options *options, const struct asker *asker)
{
        const bool shared = options && (options->name ||
                                        options->flags & (PAR_ALLOC_SHARED | PAR_ALLOC_LASTING));
        const struct debug_birth birth = {
                .call = asker->call,
                .label = options && options->label ? options->label
                         : options                 ? options->name
                                                   : NULL,
                .asked_bytes = shared || asker->holder != DEBUG_OF_USER ? 0 : asked_bytes,
                .holder = asker->holder,
        };

        debug_buffer_made(buffer, &birth);
}

int buffer_ask(struct par *par, size_t size, const struct par_constraint *constraint,
               const struct par_alloc_options *options, const struct asker *asker,
               struct par_buffer **ret)
{
        struct wish wish;
        int r;

        if (ret)
                *ret = NULL;
        r = handle_check(par);
        if (!r && !ret)
                r = error_set(-EINVAL, "no place for the buffer");
        if (!r)
                r = alloc_check(par, constraint, options);
        if (r)
                return r;

        wish_alloc(&wish, size, constraint, options);
        r = wish_principals(&wish, options);
        if (r)
                return r;
        r = wish_plan(&wish, par, constraint, options ? options->device : NULL);
        if (!r)
                r = wish_fulfil(par, &wish, ret);
        io_wish_deinit(&wish.io);
        if (!r && par->owner)
                watch(*ret, size, options, asker);
        return r;
}

int par_alloc(struct par *par, size_t size, const struct par_constraint *constraint,
              const struct par_alloc_options *options, struct par_buffer **ret)
{
        const struct asker asker = { .call = DEBUG_CALL };

        return buffer_ask(par, size, constraint, options, &asker, ret);
}
