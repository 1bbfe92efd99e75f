/* SPDX-License-Identifier: MIT */
/*
 * Owns the way of a buffer's I/O addresses: planned before pard is asked for memory, mapped when
 * the memory is there, unmapped before it is given back.
 *
 * Invariant: a buffer with an io_space is mapped there as a whole, with one mapping, and its
 * segments are those addresses. Refuses to give up a place that could not be unmapped.
 */
#include "io_wish.h"

#include "handle.h"
#include "segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

/* ---- the place ----------------------------------------------------------------------------- */

int io_wish_init(struct io_wish *wish, struct par *par, size_t size,
                 const struct par_constraint *constraint, const struct par_device *device)
{
        uint64_t granule, bytes;
        int r;

        *wish = (struct io_wish){ .par = par };
        if (device)
                wish->space = device_io_space(device);
        if (!wish->space)
                return 0;

        granule = io_space_granule(wish->space);
        io_want_init(&wish->want, align_up(size, granule, &bytes) ? bytes : size, constraint);
        io_want_narrow(&wish->want, &device->limits, device->name);
        r = io_space_take(wish->space, &wish->want, &wish->place);
        wish->taken = !r;
        return r;
}

void io_wish_deinit(struct io_wish *wish)
{
        if (wish->taken)
                io_space_give(wish->space, wish->place);
        if (!wish->space)
                return;
        pthread_mutex_lock(&wish->par->lock);
        io_space_unref(wish->space);
        pthread_mutex_unlock(&wish->par->lock);
}

/* ---- the buffer as the device sees it ------------------------------------------------------- */

/* Where bytes of a buffer lie in memory; PAR_PHYS_NONE where they are not contiguous there. */
static uint64_t phys_of(const struct par_buffer *buffer, size_t *at, uint64_t offset,
                        uint64_t length)
{
        const struct par_segment *run;

        while (offset - buffer->runs[*at].offset >= buffer->runs[*at].length)
                (*at)++;
        run = &buffer->runs[*at];
        if (run->phys == PAR_PHYS_NONE || run->offset + run->length - offset < length)
                return PAR_PHYS_NONE;
        return run->phys + (offset - run->offset);
}

/* Cut the I/O addresses into segments, as they would be cut in memory. */
static void cut(const struct par_buffer *buffer, const struct constraint *limits, uint64_t first,
                struct par_segment *segments)
{
        uint64_t offset = 0;
        size_t run = 0;

        for (size_t i = 0; offset < buffer->size; i++) {
                const uint64_t length =
                        segment_length(limits, first + offset, buffer->size - offset);

                segments[i] = (struct par_segment){
                        .dma = first + offset,
                        .phys = phys_of(buffer, &run, offset, length),
                        .length = length,
                        .offset = offset,
                };
                offset += length;
        }
}

/* The whole buffer lies at @place for the device, so the runs in memory have their addresses. */
static void describe(struct par_buffer *buffer, const struct constraint *limits,
                     struct par_segment *segments, size_t count, struct range place)
{
        cut(buffer, limits, place.first, segments);
        for (size_t i = 0; i < buffer->n_runs; i++)
                buffer->runs[i].dma = place.first + buffer->runs[i].offset;
        buffer_replace_segments(buffer, segments, count);
}

/* Where memory turned out to have failed, the place was given back. */
static int plan_again(struct io_wish *wish)
{
        int r = 0;

        if (!wish->taken)
                r = io_space_take(wish->space, &wish->want, &wish->place);
        wish->taken = false; /* the caller's from now on */
        return r;
}

int io_wish_map(struct io_wish *wish, struct par_buffer *buffer)
{
        const struct constraint *limits = &wish->want.limits;
        struct par_segment *segments;
        size_t count;
        int r;

        if (!wish->space)
                return 0;
        if (buffer->size != limits->size_bytes)
                return error_set(-EPROTO, "pard granted %zu bytes for %llu", buffer->size,
                                 (unsigned long long)limits->size_bytes);
        r = plan_again(wish);
        if (r)
                return r;
        r = io_space_map(wish->space, buffer->data, &wish->want, &wish->place);
        if (r)
                return r;

        count = segment_count(limits, wish->place);
        segments = calloc(count, sizeof(*segments));
        if (!segments) {
                (void)io_space_unmap(wish->space, wish->place);
                return error_set(-ENOMEM, "no memory for the segments of a buffer");
        }
        describe(buffer, limits, segments, count, wish->place);
        buffer->io_space = wish->space;
        buffer->io_first = wish->place.first;
        wish->space = NULL; /* its reference is the buffer's now */
        return 0;
}

void io_unmap(struct par_buffer *buffer)
{
        int r;

        if (!buffer->io_space)
                return;
        r = io_space_unmap(buffer->io_space, range_of(buffer->io_first, buffer->size));
        if (r)
                handle_log(buffer->par, LOG_WARNING,
                           "buffer %llu cannot be unmapped from I/O address %#llx: %s",
                           (unsigned long long)buffer->id, (unsigned long long)buffer->io_first,
                           par_strerror(r));
}
