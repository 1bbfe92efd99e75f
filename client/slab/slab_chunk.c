/* SPDX-License-Identifier: MIT */
/*
 * Owns the chunks of a slab: buffers, and how they are divided.
 *
 * Invariant: each object lies in one segment of its buffer, which is contiguous for the device,
 * within all limits, and crosses no boundary; so does the object. Objects of a chunk ascend.
 * Refuses to keep anything of its own in the buffer: devices write there.
 */
#include "slab.h"

#include "macros.h"

#include <errno.h>
#include <stdlib.h>

static int compare(const struct slab_chunk *a, const struct slab_chunk *b)
{
        return (a->first > b->first) - (a->first < b->first);
}

TREE_GENERATE(slab_chunk_tree, slab_chunk, by_address, compare)

static size_t taken_bytes(const struct par_slab *slab)
{
        return slab->object_bytes + (slab->debug ? SLAB_RED_ZONE_BYTES : 0);
}

size_t slab_chunk_room(const struct par_slab *slab, size_t bytes)
{
        return bytes / taken_bytes(slab);
}

/* Where in a segment an object may begin, from @offset of the buffer on. */
static uint64_t aligned(const struct par_slab *slab, const struct par_buffer *buffer,
                        const struct par_segment *segment, uint64_t offset)
{
        const uint64_t dma = buffer_dma_in(segment, offset);
        const uint64_t address =
                dma == PAR_PHYS_NONE ? (uintptr_t)buffer->data + offset : dma; /* hidden */

        return offset + (-address & (slab->align - 1));
}

/* The rest of a segment behind @offset; 0: that lies behind it. */
static uint64_t rest(const struct par_segment *segment, uint64_t offset)
{
        const uint64_t into = offset - segment->offset;

        return into < segment->length ? segment->length - into : 0;
}

/* Return: how many objects there are now. */
static size_t divide(const struct par_slab *slab, const struct par_buffer *buffer, uint64_t most,
                     struct par_object *objects)
{
        uint64_t cursor = 0, at;
        size_t n = 0;

        for (size_t i = 0; i < buffer->n_segments; i++) {
                const struct par_segment *segment = &buffer->segments[i];

                if (cursor < segment->offset)
                        cursor = segment->offset;
                while (n < most && cursor - segment->offset < segment->length) {
                        at = aligned(slab, buffer, segment, cursor);
                        if (rest(segment, at) < slab->object_bytes ||
                            buffer->size - at < taken_bytes(slab))
                                break;
                        objects[n++] = (struct par_object){
                                .data = buffer->data + at,
                                .dma = buffer_dma_in(segment, at),
                        };
                        cursor = at + taken_bytes(slab);
                }
        }
        return n;
}

static int note_objects(struct slab_chunk *chunk, const struct par_object *objects)
{
        chunk->records = calloc(chunk->objects, sizeof(*chunk->records));
        if (!chunk->records)
                return -ENOMEM;
        for (size_t i = 0; i < chunk->objects; i++)
                chunk->records[i].object = objects[i];
        return 0;
}

int slab_chunk_new(const struct par_slab *slab, struct par_buffer *buffer, uint64_t most,
                   struct par_object *objects, struct slab_chunk **ret)
{
        struct slab_chunk *chunk = calloc(1, sizeof(*chunk));

        if (!chunk)
                return error_set(-ENOMEM, "no memory for a buffer of a slab");
        chunk->buffer = buffer;
        chunk->first = (uintptr_t)buffer->data;
        chunk->last = chunk->first + (buffer->size - 1);
        chunk->objects = divide(slab, buffer, most, objects);
        if (!chunk->objects) {
                slab_chunk_free(chunk);
                return error_set(-PAR_FRAGMENTED,
                                 "no object of %zu bytes fits into any of the %zu segments of a "
                                 "buffer of %zu bytes",
                                 slab->object_bytes, buffer->n_segments, buffer->size);
        }
        if (slab->debug && note_objects(chunk, objects)) {
                slab_chunk_free(chunk);
                return error_set(-ENOMEM, "no memory to look after the objects of a slab");
        }
        if (slab->debug)
                slab_debug_prepare(slab, chunk);
        *ret = chunk;
        return 0;
}

void slab_chunk_free(struct slab_chunk *chunk)
{
        if (!chunk)
                return;
        free(chunk->records);
        free(chunk);
}

/* ---- all of a slab -------------------------------------------------------------------------- */

struct slab_chunk *slab_chunk_find(struct par_slab *slab, const void *at)
{
        struct slab_chunk *chunk = RB_ROOT(&slab->chunks);
        const uintptr_t address = (uintptr_t)at;

        while (chunk && (address < chunk->first || address > chunk->last))
                chunk = address < chunk->first ? RB_LEFT(chunk, by_address)
                                               : RB_RIGHT(chunk, by_address);
        return chunk;
}

void slab_chunk_insert(struct par_slab *slab, struct slab_chunk *chunk)
{
        RB_INSERT(slab_chunk_tree, &slab->chunks, chunk);
        slab->n_chunks++;
        slab->objects += chunk->objects;
        slab->bytes += chunk->last - chunk->first + 1;
        atomic_store_explicit(&chunk->buffer->slab, slab, memory_order_release);
}

void slab_chunk_remove(struct par_slab *slab, struct slab_chunk *chunk)
{
        RB_REMOVE(slab_chunk_tree, &slab->chunks, chunk);
        slab->n_chunks--;
        slab->objects -= chunk->objects;
        slab->bytes -= chunk->last - chunk->first + 1;
}

struct slab_chunk *slab_chunk_first(struct par_slab *slab)
{
        return RB_MIN(slab_chunk_tree, &slab->chunks);
}

struct slab_chunk *slab_chunk_next(struct slab_chunk *chunk)
{
        return RB_NEXT(slab_chunk_tree, NULL, chunk);
}
