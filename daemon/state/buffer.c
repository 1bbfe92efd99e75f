/* SPDX-License-Identifier: MIT */
/*
 * A buffer's own shape: pieces by frame, runs of memory, and the segments that follow from them.
 * Segments are computed when somebody asks, never stored: a small boundary makes a great many.
 */
#include "buffer.h"

#include "account.h"
#include "client.h"
#include "macros.h"
#include "pool.h"
#include "segment.h"

#include <errno.h>
#include <stdlib.h>

static size_t count_pieces(const struct range *places, size_t n_places, uint64_t page_bytes)
{
        size_t count = 0;

        for (size_t i = 0; i < n_places; i++)
                count += (places[i].last / page_bytes) - (places[i].first / page_bytes) + 1;
        return count;
}

static void fill_pieces(struct buffer *buffer, const struct range *places, size_t n_places,
                        uint64_t page_bytes)
{
        size_t n = 0;

        for (size_t i = 0; i < n_places; i++) {
                uint64_t at = places[i].first;

                for (;;) {
                        struct buffer_piece *piece = &buffer->pieces[n++];
                        uint64_t page_last = at | (page_bytes - 1);
                        uint64_t last = page_last < places[i].last ? page_last : places[i].last;

                        piece->buffer = buffer;
                        piece->phys = at;
                        piece->length_bytes = last - at + 1;
                        piece->frame_offset = at & (page_bytes - 1);
                        if (last == places[i].last)
                                break;
                        at = last + 1;
                }
        }
        assert(n == buffer->n_pieces);
}

/* Places that follow each other in memory are one run. */
static void fill_runs(struct buffer *buffer, const struct range *places, size_t n_places)
{
        for (size_t i = 0; i < n_places; i++) {
                struct range *run = buffer->n_runs ? &buffer->runs[buffer->n_runs - 1] : NULL;

                if (run && run->last != UINT64_MAX && run->last + 1 == places[i].first)
                        run->last = places[i].last;
                else
                        buffer->runs[buffer->n_runs++] = places[i];
        }
        for (size_t i = 0; i < buffer->n_runs; i++) {
                buffer->segment_count += segment_count(&buffer->limits, buffer->runs[i]);
                buffer->size_bytes += range_size(buffer->runs[i]);
        }
}

int buffer_new(const struct range *places, size_t n_places, uint64_t page_bytes,
               const struct constraint *limits, struct buffer **ret)
{
        size_t n_pieces = count_pieces(places, n_places, page_bytes);
        struct buffer *buffer;

        buffer = calloc(1, sizeof(*buffer) + n_pieces * sizeof(buffer->pieces[0]));
        if (!buffer)
                return -ENOMEM;
        buffer->runs = calloc(n_places, sizeof(buffer->runs[0]));
        if (!buffer->runs) {
                free(buffer);
                return -ENOMEM;
        }
        buffer->limits = *limits;
        buffer->record = LEDGER_NONE;
        buffer->n_pieces = n_pieces;
        fill_pieces(buffer, places, n_places, page_bytes);
        fill_runs(buffer, places, n_places);
        *ret = buffer;
        return 0;
}

void buffer_free(struct buffer *buffer)
{
        if (!buffer)
                return;
        free(buffer->runs);
        free(buffer);
}

uint64_t buffer_offset(const struct buffer *buffer, uint64_t phys)
{
        const struct range *run = buffer->runs;
        uint64_t before = 0;

        for (; !range_contains(*run, (struct range){ phys, phys }); run++) {
                assert(run < buffer->runs + buffer->n_runs - 1);
                before += range_size(*run);
        }
        return before + (phys - run->first);
}

struct range buffer_extent(const struct buffer *buffer)
{
        struct range extent = buffer->runs[0];

        for (size_t i = 1; i < buffer->n_runs; i++) {
                if (buffer->runs[i].first < extent.first)
                        extent.first = buffer->runs[i].first;
                if (buffer->runs[i].last > extent.last)
                        extent.last = buffer->runs[i].last;
        }
        return extent;
}

void buffer_view(const struct buffer *buffer, struct buffer_view *ret)
{
        const struct pool_settings *settings = buffer->holding->account->pool->settings;

        *ret = (struct buffer_view){
                .id = buffer->id,
                .size_bytes = buffer->size_bytes,
                .page_bytes = settings->page_bytes,
                .segment_count = settings->hidden ? 1 : buffer->segment_count,
                .pool = settings->name,
                .hidden = settings->hidden,
                .piece_count = buffer->n_pieces,
                .dma_offset = buffer->dma_offset,
                .as_dmabuf = settings->handout == HANDOUT_DMABUF,
        };
}

void buffer_piece(const struct buffer *buffer, size_t index, struct piece *ret)
{
        const struct buffer_piece *piece = &buffer->pieces[index];
        const struct pool_settings *settings = piece->frame->pool->settings;

        assert(index < buffer->n_pieces);
        *ret = (struct piece){
                .frame = piece->frame->name,
                .phys = piece->phys,
                .length_bytes = piece->length_bytes,
                .frame_offset = piece->frame_offset,
                /* What is shared was zero when it was granted, and is its holders' since then. */
                .zeroed = piece->zeroed || buffer->share,
                /* One empty frame is kept for an owner, so keeping makes sense for small buffers.
                 */
                .keep = buffer->n_pieces == 1 && settings->reuse_delay_ns > 0 && !buffer->share,
        };
}

bool buffer_next_segment(const struct buffer *buffer, struct segment_cursor *cursor,
                         struct range *ret)
{
        const struct range *run;
        uint64_t first, length;

        if (cursor->run >= buffer->n_runs)
                return false;
        run = &buffer->runs[cursor->run];
        first = run->first + cursor->offset_bytes;
        length = segment_length(&buffer->limits, first, run->last - first + 1);
        *ret = range_of(first, length);
        if (ret->last == run->last)
                *cursor = (struct segment_cursor){ .run = cursor->run + 1 };
        else
                cursor->offset_bytes += length;
        return true;
}
