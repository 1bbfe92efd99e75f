/* SPDX-License-Identifier: MIT */
/*
 * Owns the description of a granted buffer: where it is mapped, what the device sees of it, and how
 * it lies in memory.
 *
 * Invariant: the segments of a whole buffer lie end to end in the order of their offsets, and so do
 * its runs; both together are all of it. Refuses to change a buffer that its user has: what is read
 * here needs no lock.
 */
#include "buffer.h"

#include "debug.h"
#include "error.h"

#include "macros.h"
#include "mapping.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int buffer_compare(const struct par_buffer *a, const struct par_buffer *b)
{
        return (a->id > b->id) - (a->id < b->id);
}

TREE_GENERATE(buffer_tree, par_buffer, by_id, buffer_compare)

struct par_buffer *buffers_find(struct buffers *buffers, uint64_t id)
{
        struct par_buffer key = { .id = id };

        return RB_FIND(buffer_tree, &buffers->by_id, &key);
}

bool buffers_insert(struct buffers *buffers, struct par_buffer *buffer)
{
        return !RB_INSERT(buffer_tree, &buffers->by_id, buffer);
}

void buffers_remove(struct buffers *buffers, struct par_buffer *buffer)
{
        RB_REMOVE(buffer_tree, &buffers->by_id, buffer);
}

struct par_buffer *buffers_first(struct buffers *buffers)
{
        return RB_MIN(buffer_tree, &buffers->by_id);
}

struct par_buffer *buffers_from(struct buffers *buffers, uint64_t id)
{
        struct par_buffer key = { .id = id };

        return RB_NFIND(buffer_tree, &buffers->by_id, &key);
}

struct par_buffer *buffers_next(struct par_buffer *buffer)
{
        return RB_NEXT(buffer_tree, NULL, buffer);
}

struct par_buffer *buffer_new(struct par *par, bool keep_on_fork)
{
        struct par_buffer *buffer = calloc(1, sizeof(*buffer));

        if (!buffer)
                return NULL;
        buffer->par = par;
        buffer->keep_on_fork = keep_on_fork;
        buffer->dmabuf = -1;
        return buffer;
}

void buffer_unmap(struct par_buffer *buffer)
{
        if (buffer->dmabuf >= 0)
                close(STEAL_FD(buffer->dmabuf));
        if (buffer->window)
                mapping_release(STEAL(buffer->window), buffer->size);
        if (buffer->room)
                debug_window_close(buffer, buffer->record);
}

void buffer_free_parts(struct par_buffer *buffer)
{
        if (buffer->pieces != &buffer->only_piece)
                free(buffer->pieces);
        if (buffer->segments != &buffer->only_segment)
                free(buffer->segments);
        if (buffer->runs != &buffer->only_run)
                free(buffer->runs);
        buffer->pieces = NULL;
        buffer->segments = buffer->runs = NULL;
}

void buffer_free(struct par_buffer *buffer)
{
        if (!buffer)
                return;
        buffer_free_parts(buffer);
        free(buffer);
}

void buffer_expect(struct par_buffer *buffer, size_t piece_count, size_t segment_count)
{
        buffer->piece_count = piece_count;
        buffer->segment_count = segment_count;
        if (piece_count == 1) {
                buffer->pieces = &buffer->only_piece;
                buffer->piece_room = 1;
        }
        if (segment_count == 1) {
                buffer->segments = &buffer->only_segment;
                buffer->segment_room = 1;
        }
}

void buffer_replace_segments(struct par_buffer *buffer, struct par_segment *segments, size_t count)
{
        if (buffer->segments != &buffer->only_segment)
                free(buffer->segments);
        buffer->segments = segments;
        buffer->n_segments = buffer->segment_count = buffer->segment_room = count;
}

/* ---- description ---------------------------------------------------------------------------- */

const struct par_segment *buffer_segment_at(const struct par_buffer *buffer, uint64_t offset)
{
        size_t first = 0, last = buffer->n_segments - 1;

        while (first < last) {
                size_t middle = first + (last - first + 1) / 2;

                if (buffer->segments[middle].offset <= offset)
                        first = middle;
                else
                        last = middle - 1;
        }
        return &buffer->segments[first];
}

uint64_t buffer_dma_in(const struct par_segment *segment, uint64_t offset)
{
        if (segment->dma == PAR_PHYS_NONE)
                return PAR_PHYS_NONE;
        return segment->dma + (offset - segment->offset);
}

int buffer_check_dma(const struct par_buffer *buffer)
{
        if (buffer->segments[0].dma != PAR_PHYS_NONE)
                return 0;
        return error_set(-PAR_DENIED,
                         "pool %s hides the addresses of its memory: a device has some after "
                         "par_device_attach_vfio()",
                         buffer->pool);
}

/* Whether @piece goes on where @run stops. Undisclosed addresses never do. */
static bool goes_on(const struct par_segment *run, const struct piece *piece)
{
        return run->phys != PAR_PHYS_NONE && run->phys + run->length == piece->phys;
}

int buffer_finish_runs(struct par_buffer *buffer)
{
        const struct par_segment *segment;
        struct par_segment *run = NULL;
        uint64_t offset = 0;

        if (buffer->n_pieces == 1)
                buffer->runs = &buffer->only_run;
        else
                buffer->runs = calloc(buffer->n_pieces, sizeof(*buffer->runs));
        if (!buffer->runs)
                return -ENOMEM;
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                const struct piece *piece = &buffer->pieces[i];

                if (run && goes_on(run, piece)) {
                        run->length += piece->length;
                } else {
                        segment = buffer_segment_at(buffer, offset);
                        run = &buffer->runs[buffer->n_runs++];
                        run->dma = buffer_dma_in(segment, offset);
                        run->phys = piece->phys;
                        run->length = piece->length;
                        run->offset = offset;
                }
                offset += piece->length;
        }
        return 0;
}

/* ---- what users read ------------------------------------------------------------------------ */

/* Whether there is anything to be said of it. */
#define IS_THERE(buffer) ((buffer) && !IS_STALE(buffer, DEBUG_USE_FACT))

/* The same, where its user is told of all its bytes. */
#define IS_THERE_WHOLE(buffer) ((buffer) && !IS_STALE(buffer, DEBUG_USE_WHOLE))

void *par_buffer_data(const struct par_buffer *buffer)
{
        return IS_THERE(buffer) ? buffer->data : NULL;
}

size_t par_buffer_size(const struct par_buffer *buffer)
{
        return IS_THERE_WHOLE(buffer) ? buffer->size : 0;
}

uint64_t par_buffer_dma(const struct par_buffer *buffer)
{
        return IS_THERE(buffer) ? buffer->segments[0].dma : 0;
}

size_t par_buffer_page_size(const struct par_buffer *buffer)
{
        return IS_THERE(buffer) ? buffer->page_bytes : 0;
}

uint64_t par_buffer_id(const struct par_buffer *buffer)
{
        return IS_THERE(buffer) ? buffer->id : 0;
}

const char *par_buffer_pool(const struct par_buffer *buffer)
{
        return IS_THERE(buffer) ? buffer->pool : "";
}

size_t par_buffer_segments(const struct par_buffer *buffer, const struct par_segment **ret)
{
        const bool there = IS_THERE_WHOLE(buffer);

        if (ret)
                *ret = there ? buffer->segments : NULL;
        return there ? buffer->n_segments : 0;
}

size_t par_buffer_runs(const struct par_buffer *buffer, const struct par_segment **ret)
{
        const bool there = IS_THERE_WHOLE(buffer);

        if (ret)
                *ret = there ? buffer->runs : NULL;
        return there ? buffer->n_runs : 0;
}

static bool is_power_of_two(size_t n)
{
        return n && !(n & (n - 1));
}

/**
 * next_page() - the dma address of one page
 * @segment: where the page before lay; moved on
 *
 * Return: 0; -ERANGE.
 */
static int next_page(const struct par_segment **segment, uint64_t offset, size_t page_bytes,
                     uint64_t *ret_dma)
{
        uint64_t into, dma;

        while (offset - (*segment)->offset >= (*segment)->length)
                (*segment)++;
        into = offset - (*segment)->offset;
        dma = (*segment)->dma + into;
        if ((*segment)->length - into < page_bytes)
                return error_set(-ERANGE, "the page at offset %#lx lies in two segments",
                                 (unsigned long)offset);
        if (dma & (page_bytes - 1))
                return error_set(-ERANGE,
                                 "the page at offset %#lx starts at %#lx for the device, "
                                 "which is no multiple of %#zx",
                                 (unsigned long)offset, (unsigned long)dma, page_bytes);
        *ret_dma = dma;
        return 0;
}

/* Whether these pages are pages at all, and in the buffer. Return: 0; -EINVAL. */
static int check_pages(const struct par_buffer *buffer, size_t offset, size_t page_bytes,
                       const uint64_t *dma, size_t count)
{
        size_t bytes;

        if (!buffer || (!dma && count))
                return error_set(-EINVAL, "no %s", buffer ? "place for the addresses" : "buffer");
        if (!is_power_of_two(page_bytes))
                return error_set(-EINVAL, "a page of %zu bytes: it takes a power of two",
                                 page_bytes);
        if (offset & (page_bytes - 1))
                return error_set(-EINVAL, "offset %zu is no multiple of the page's %zu bytes",
                                 offset, page_bytes);
        if (__builtin_mul_overflow(count, page_bytes, &bytes) || offset > buffer->size ||
            bytes > buffer->size - offset)
                return error_set(-EINVAL,
                                 "%zu pages of %zu bytes from offset %zu: the buffer has %zu bytes",
                                 count, page_bytes, offset, buffer->size);
        return 0;
}

int par_buffer_pages(const struct par_buffer *buffer, size_t offset, size_t page_bytes,
                     uint64_t *dma, size_t count)
{
        const struct par_segment *segment;
        uint64_t ignored;
        int r;

        if (buffer && IS_STALE(buffer, DEBUG_USE_WHOLE))
                buffer = NULL;
        r = check_pages(buffer, offset, page_bytes, dma, count);
        if (!r)
                r = buffer_check_dma(buffer);
        if (r)
                return r;
        if (!count)
                return 0;

        segment = buffer_segment_at(buffer, offset);
        for (size_t i = 0; i < count; i++) {
                r = next_page(&segment, offset + i * page_bytes, page_bytes, &ignored);
                if (r)
                        return r;
        }
        segment = buffer_segment_at(buffer, offset);
        for (size_t i = 0; i < count; i++) {
                r = next_page(&segment, offset + i * page_bytes, page_bytes, &dma[i]);
                if (r)
                        return r;
        }
        return 0;
}
