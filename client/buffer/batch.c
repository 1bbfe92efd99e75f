/* SPDX-License-Identifier: MIT */
/*
 * Owns the way of several buffers at once: par_alloc_batch() and par_free_batch().
 *
 * Invariant: as in alloc.c, for all of them; and a batch is granted whole or not at all. What pard
 * does not grant in one request is asked for one by one, and given back where one is refused: so a
 * batch is refused only for what rules a single buffer out. It never waits for others, who might
 * wait for what it has already.
 */
#include "alloc.h"
#include "debug.h"
#include "grant.h"
#include "io_tell.h"

#include "macros.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

/**
 * struct batch - an AllocBatch under way
 * @request: must be first
 * @buffers: @count of them, being filled
 * @asked_bytes: of each
 * @told:    as in struct grant
 * @fault:   the first that grant_take_whole() found
 */
struct batch {
        struct request request;
        struct par *par;
        struct par_buffer **buffers;
        size_t count;
        uint64_t asked_bytes, told;
        int fault;
};

/* ---- what arrives --------------------------------------------------------------------------- */

static uint64_t moved(uint64_t address, uint64_t by)
{
        return address == PAR_PHYS_NONE ? PAR_PHYS_NONE : address + by;
}

/* Buffer @index of a run, as if it had come alone. */
static int take_one(struct batch *batch, const Wire__GrantBatch *all, const Wire__BatchRun *run,
                    size_t index, size_t nth, struct packet *packet)
{
        const uint64_t offset = index * all->size;
        struct grant grant = { .par = batch->par };
        Wire__Piece piece = WIRE__PIECE__INIT;
        Wire__Segment segment = WIRE__SEGMENT__INIT;
        Wire__ExtentList extents = WIRE__EXTENT_LIST__INIT;
        Wire__Grant head = WIRE__GRANT__INIT;
        int r;

        piece.frame = run->frame;
        piece.phys = segment.phys = moved(run->phys, offset);
        segment.dma = moved(run->dma, offset);
        piece.length = segment.length = head.size = all->size;
        piece.frame_offset = run->frame_offset + offset;
        piece.has_fd = run->has_fd && !index;
        piece.zeroed = run->zeroed;
        piece.keep = run->keep;
        extents.n_pieces = extents.n_segments = 1;
        extents.pieces = (Wire__Piece *[]){ &piece };
        extents.segments = (Wire__Segment *[]){ &segment };
        head.buffer = all->buffer + nth;
        head.pool = run->pool;
        head.page_size = run->page_size;
        head.segment_count = head.piece_count = 1;
        head.extents = &extents;

        grant.buffer = batch->buffers[nth];
        grant.asked_bytes = batch->asked_bytes;
        grant.told = batch->told;
        r = grant_take_whole(&grant, &head, packet);
        if (!batch->fault)
                batch->fault = grant.fault;
        return r;
}

/* request::take of an AllocBatch. */
static int take_batch(struct request *request, const Wire__Reply *reply, struct packet *packet)
{
        struct batch *batch = CONTAINER_OF(request, struct batch, request);
        const Wire__GrantBatch *all = reply->alloc_batch;
        size_t n = 0;
        int r;

        if (reply->body_case != WIRE__REPLY__BODY_ALLOC_BATCH)
                return -EPROTO;
        for (size_t i = 0; i < all->n_runs; i++) {
                const Wire__BatchRun *run = all->runs[i];

                if (run->count > batch->count - n || all->size > run->page_size ||
                    run->frame_offset > run->page_size)
                        return -EPROTO;
                for (size_t j = 0; j < run->count; j++) {
                        r = take_one(batch, all, run, j, n++, packet);
                        if (r)
                                return r;
                }
        }
        return n == batch->count ? 0 : -EPROTO;
}

/* As ask_again() in alloc.c. */
static void ask_again(struct request *request)
{
        struct batch *batch = CONTAINER_OF(request, struct batch, request);

        batch->told = batch->par->frames.told;
        request->message->alloc_batch->alloc->again = true;
}

/* ---- giving back ---------------------------------------------------------------------------- */

static void free_again(struct request *request)
{
        request->message->free_batch->n_dropped_frames = 0;
}

/* One that is gone does not keep the others; a worker without batches is told of each. With the
 * lock held. */
static void send_free(struct par *par, uint64_t *ids, size_t count)
{
        Wire__FreeBatch body = WIRE__FREE_BATCH__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        struct request request = { .again = free_again };
        int r = -PAR_INVALID;

        body.n_buffers = count;
        body.buffers = ids;
        body.dropped_frames = par->frames.telling;
        message.body_case = WIRE__REQUEST__BODY_FREE_BATCH;
        message.free_batch = &body;
        if (count > 1 && count <= par->connection.batch_max)
                r = alloc_tell_freed(par, &message, &body.n_dropped_frames, &request);
        for (size_t i = 0; r == -PAR_INVALID && i < count; i++)
                alloc_send_free(par, ids[i]);
        if (r == -PAR_GONE && !par->connection.gone)
                handle_log(par, LOG_INFO, "of %zu buffers some had been revoked: %s", count,
                           request.sentence);
        else if (r && r != -PAR_INVALID)
                handle_log(par, LOG_WARNING, "freeing %zu buffers: %s", count,
                           *request.sentence ? request.sentence : par_strerror(r));
}

/* Of the frames that a batch leaves empty pard keeps one for us, the last: the others would stay
 * mapped, and charged, until a later call hears that nobody needs them. */
static void let_go(struct par_buffer *buffer, const struct par_buffer *last)
{
        struct frame *frame = buffer->n_pieces == 1 ? buffer->pieces[0].frame : NULL;

        if (frame && frame->buffers == 1 && (!last->n_pieces || frame != last->pieces[0].frame))
                frame->keep = false;
}

/* At most PAR_BATCH_MAX. With the lock held. */
static void give_back(struct par *par, struct par_buffer *const *buffers, size_t count)
{
        uint64_t ids[PAR_BATCH_MAX];
        size_t n = 0;

        for (size_t i = 0; i < count; i++) {
                struct par_buffer *buffer = buffers[i];

                if (!buffer->id)
                        continue;
                lookup_remove(&par->lookup, buffer);
                let_go(buffer, buffers[count - 1]);
                grant_give_up(par, buffer);
                if (!buffer->revoked)
                        ids[n++] = buffer->id;
        }
        if (n)
                send_free(par, ids, n);
        handle_tell_dropped(par); /* of those that did not fit into the message */
        io_tell_more(par);
}

static void free_some(struct par *par, struct par_buffer *const *buffers, size_t count)
{
        for (size_t i = 0; i < count; i++)
                io_unmap(buffers[i]);
        pthread_mutex_lock(&par->lock);
        give_back(par, buffers, count);
        for (size_t i = 0; i < count; i++)
                io_space_unref(buffers[i]->io_space);
        pthread_mutex_unlock(&par->lock);
        for (size_t i = 0; i < count; i++)
                buffer_free(buffers[i]);
}

static void release_batch(struct par_buffer *const *buffers, size_t count, struct debug_call call)
{
        struct par_buffer *some[PAR_BATCH_MAX];
        size_t n = 0;

        for (size_t i = 0; i < count; i++) {
                if (!buffers[i])
                        continue;
                /* What is looked after, or is the library's own, has an end of its own. */
                if (debug_on() || atomic_load_explicit(&buffers[i]->bounce, memory_order_acquire)) {
                        buffer_release(buffers[i], call);
                        continue;
                }
                /* In a child par_disconnect() frees it. Asking may cost a system call. */
                if (!(n && some[0]->par == buffers[i]->par) && handle_check(buffers[i]->par))
                        continue;
                if (n && (n == PAR_BATCH_MAX || some[0]->par != buffers[i]->par)) {
                        free_some(some[0]->par, some, n);
                        n = 0;
                }
                some[n++] = buffers[i];
        }
        if (n)
                free_some(some[0]->par, some, n);
}

void par_free_batch(struct par_buffer *const *buffers, size_t count)
{
        const int errno_before = errno;

        release_batch(buffers, count, DEBUG_CALL);
        errno = errno_before;
}

/* ---- getting -------------------------------------------------------------------------------- */

static int check(const struct par_alloc_options *options, size_t count, struct par_buffer **ret)
{
        if (!ret)
                return error_set(-EINVAL, "no place for the buffers");
        if (!count || count > PAR_BATCH_MAX)
                return error_set(-EINVAL, "a batch of %zu: 1 to %d are possible", count,
                                 PAR_BATCH_MAX);
        if (!options)
                return 0;
        if (options->wait_ms)
                return error_set(-EINVAL, "a batch does not wait: wait_ms is %d", options->wait_ms);
        if (options->name || options->allow ||
            (options->flags & (PAR_ALLOC_SHARED | PAR_ALLOC_LASTING)))
                return error_set(-EINVAL, "buffers of a batch are not shared");
        return 0;
}

/* Ask once. With the lock held. On anything but 0 nothing is granted. */
static int acquire(struct batch *batch, struct wish *wish)
{
        struct connection *connection = &batch->par->connection;
        Wire__AllocBatch body = WIRE__ALLOC_BATCH__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        int r;

        body.alloc = &wish->alloc;
        body.count = (uint32_t)batch->count;
        message.body_case = WIRE__REQUEST__BODY_ALLOC_BATCH;
        message.alloc_batch = &body;
        r = connection_send(connection, &message, &batch->request);
        if (r)
                return r;
        batch->told = batch->par->frames.told;
        (void)connection_await(connection, &batch->request, false);
        r = batch->request.result;
        if (r)
                r = request_error(&batch->request);
        else if (batch->fault)
                r = alloc_fault(batch->fault);
        if (r)
                give_back(batch->par, batch->buffers, batch->count);
        return r;
}

/* Let them be found. With the lock held. Return: 0; -EPROTO, which ends the session; -ENOMEM. */
static int make_known(struct batch *batch, uint32_t view)
{
        struct par *par = batch->par;
        int r = 0;

        for (size_t i = 0; i < batch->count && !r; i++) {
                batch->buffers[i]->view = alloc_view(batch->buffers[i], view);
                r = lookup_insert(&par->lookup, batch->buffers[i]);
        }
        if (r == -EPROTO) {
                connection_end(&par->connection, r, "pard gave memory out twice");
                return error_set(r, "pard gave memory out twice");
        }
        return r ? error_set(r, "no memory to find the buffers by their addresses") : 0;
}

/* One look at each frame is enough. With the lock held. */
static int look_for_failures(const struct batch *batch)
{
        const struct frame *looked_at = NULL;

        for (size_t i = 0; i < batch->count; i++) {
                struct par_buffer *buffer = batch->buffers[i];

                if (buffer->pieces[0].frame == looked_at)
                        continue;
                looked_at = buffer->pieces[0].frame;
                if (!alloc_has_failed(buffer))
                        continue;
                grant_not_again(buffer);
                return error_set(-EHWPOISON, "memory that was granted has failed");
        }
        return 0;
}

/* All in one request. Return: 0; why not, and nothing is granted. */
static int try_once(struct batch *batch, struct wish *wish)
{
        struct par *par = batch->par;
        int r;

        pthread_mutex_lock(&par->lock);
        r = acquire(batch, wish);
        if (!r) {
                r = look_for_failures(batch);
                if (!r)
                        r = make_known(batch, wish->view);
                if (r)
                        give_back(par, batch->buffers, batch->count);
        }
        pthread_mutex_unlock(&par->lock);
        for (size_t i = 0; !r && i < batch->count && !(wish->flags & PAR_ALLOC_UNINITIALIZED); i++)
                alloc_zero(batch->buffers[i]);
        return r;
}

/* Return: as try_once(); -ENOMEM. */
static int get_at_once(struct par *par, size_t count, struct wish *wish, struct par_buffer **ret)
{
        struct batch batch = {
                .request.take = take_batch,
                .request.again = ask_again,
                .par = par,
                .buffers = ret,
                .asked_bytes = wish->alloc.size,
        };
        int r = 0;

        for (; batch.count < count && !r; batch.count++) {
                ret[batch.count] = buffer_new(par, wish->flags & PAR_ALLOC_KEEP_ON_FORK);
                if (!ret[batch.count])
                        r = error_set(-ENOMEM, "no memory for the descriptions of buffers");
        }
        if (!r)
                r = try_once(&batch, wish);
        for (size_t i = 0; i < count && r; i++) {
                buffer_free(ret[i]);
                ret[i] = NULL;
        }
        return r;
}

/* Whether one by one may do better. */
static bool is_of_batches(int r)
{
        switch (r) {
        case -PAR_EXHAUSTED: /* pools may grow for one */
        case -PAR_FRAGMENTED:
        case -PAR_QUOTA:   /* one waits for what was given back a moment ago */
        case -PAR_INVALID: /* what is no batch's, or this pard's worker knows none */
        case -PAR_BUSY:
        case -EHWPOISON:
        case -ESTALE: return true;
        default: return false;
        }
}

static int get_one_by_one(struct par *par, size_t count, size_t size,
                          const struct par_constraint *constraint,
                          const struct par_alloc_options *options, const struct asker *asker,
                          struct par_buffer **ret)
{
        struct par_refusal_info figures;
        char sentence[ERROR_BYTES];
        int r = 0;
        size_t n;

        for (n = 0; n < count && !r; n++)
                r = buffer_ask(par, size, constraint, options, asker, &ret[n]);
        if (!r)
                return 0;
        snprintf(sentence, sizeof(sentence), "%s", par_error(par));
        if (par_last_refusal(par, &figures))
                memset(&figures, 0, sizeof(figures));
        release_batch(ret, n, asker->call);
        memset(ret, 0, count * sizeof(*ret));
        if (count > 1)
                error_set(r, "buffer %zu of %zu: %.450s", n, count, sentence);
        else
                error_set_sentence(r, sentence);
        return error_set_figures(r, &figures);
}

/* Whether pard may be asked for all at once. What is looked after has pages of its own around it.
 */
static bool may_be_batch(struct par *par, size_t count, const struct par_alloc_options *options)
{
        bool may;

        pthread_mutex_lock(&par->lock);
        may = count > 1 && count <= par->connection.batch_max && !par->owner &&
              !(options && options->device && options->device->io_space);
        pthread_mutex_unlock(&par->lock);
        return may;
}

int par_alloc_batch(struct par *par, size_t count, size_t size,
                    const struct par_constraint *constraint,
                    const struct par_alloc_options *options, struct par_buffer **ret)
{
        const struct asker asker = { .call = DEBUG_CALL };
        struct wish wish;
        int r;

        if (ret && count <= PAR_BATCH_MAX)
                memset(ret, 0, count * sizeof(*ret));
        r = handle_check(par);
        if (!r)
                r = check(options, count, ret);
        if (!r)
                r = alloc_check(par, constraint, options);
        if (r)
                return r;

        if (may_be_batch(par, count, options)) {
                wish_alloc(&wish, size, constraint, options);
                wish.alloc.again = false;
                r = get_at_once(par, count, &wish, ret);
                if (!r || !is_of_batches(r))
                        return r;
        }
        return get_one_by_one(par, count, size, constraint, options, &asker, ret);
}
