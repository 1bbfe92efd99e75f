/* SPDX-License-Identifier: MIT */
/*
 * Owns the buffers of slots, from the time that pard grants one until it is given back.
 *
 * Invariant: what is in bounce::chunks has a buffer. A chunk without one is spare, and all its
 * slots are taken. Refuses to give away what a mapping has slots of.
 */
#include "dma_grow.h"

#include "handle.h"
#include "segment.h"
#include "wish.h"

#include "macros.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

/* Whoever maps may need more slots: no single call is why they are there. */
#define SLOTS_CALL ((struct debug_call){ "par_map", NULL })

static int64_t now_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct bounce_chunk *chunk_at(const struct bounce *bounce, size_t i)
{
        return atomic_load_explicit(&bounce->chunks[i], memory_order_acquire);
}

static size_t count_of(const struct bounce *bounce)
{
        return atomic_load_explicit(&bounce->n_chunks, memory_order_acquire);
}

/* Whether no mapping gets slots of it any more. */
static bool is_leaving(const struct bounce_chunk *chunk)
{
        return atomic_load_explicit(&chunk->news, memory_order_relaxed);
}

uint64_t grow_used_bytes(const struct bounce *bounce)
{
        uint64_t used = 0;

        for (size_t i = 0; i < count_of(bounce); i++) {
                const struct bounce_chunk *chunk = chunk_at(bounce, i);

                if (chunk)
                        used += slots_used(&chunk->slots) * SLOT_BYTES;
        }
        return used;
}

/* Others may be taking and giving meanwhile. */
static uint64_t free_bytes(const struct bounce_chunk *chunk)
{
        const uint64_t all = atomic_load_explicit(&chunk->bytes, memory_order_relaxed);
        const uint64_t used = slots_used(&chunk->slots) * SLOT_BYTES;

        return all > used ? all - used : 0;
}

int grow_refuse(const struct bounce *bounce, const struct slot_want *want, const char *why)
{
        const size_t wanted = slots_span(want) * SLOT_BYTES;
        const uint64_t used = grow_used_bytes(bounce);
        uint64_t all = 0, left = 0;
        int r;

        for (size_t i = 0; i < count_of(bounce); i++) {
                const struct bounce_chunk *chunk = chunk_at(bounce, i);

                if (!chunk)
                        continue;
                all += atomic_load_explicit(&chunk->bytes, memory_order_relaxed);
                if (!is_leaving(chunk))
                        left += free_bytes(chunk);
        }
        r = left >= wanted ? -PAR_FRAGMENTED : -PAR_EXHAUSTED;
        error_set(r,
                  "%zu bytes of slots to bounce through for device %s: %llu of %llu are in use%s; "
                  "%s",
                  wanted, bounce->device->name, (unsigned long long)used, (unsigned long long)all,
                  r == -PAR_FRAGMENTED ? ", and so much is not free side by side" : "", why);
        return error_set_figures(r, &(struct par_refusal_info){
                                            .size = wanted,
                                            .free_in_window = left,
                                    });
}

/* ---- what is asked for ---------------------------------------------------------------------- */

/* A segment of slots begins where a page of pard's does, or a slot, where segments are shorter than
 * that; or as the device wants it. */
static struct constraint limits_of(const struct dma_reach *reach)
{
        struct constraint limits = reach->limits;
        const uint64_t longest = segment_bytes_max(&limits);
        const uint64_t unit = longest < BOUNCE_GRANULE ? SLOT_BYTES : BOUNCE_GRANULE;

        if (limits.align_bytes < unit)
                limits.align_bytes = unit;
        return limits;
}

uint64_t grow_segment_bytes(const struct dma_reach *reach)
{
        const struct constraint limits = limits_of(reach);

        return segment_bytes_max(&limits);
}

/* Memory in as few segments as the limits allow for so many bytes. */
static struct par_constraint constraint_of(const struct dma_reach *reach, size_t bytes)
{
        struct par_constraint constraint = reach_constraint(reach);
        const uint64_t stride = grow_stride(reach);
        struct constraint limits = limits_of(reach);

        if (limits.align_bytes < stride && stride <= grow_segment_bytes(reach))
                limits.align_bytes = stride;
        if (limits.boundary_bytes > limits.align_bytes && limits.boundary_bytes < bytes)
                limits.align_bytes = limits.boundary_bytes;
        constraint.align = limits.align_bytes;
        constraint.max_segments = (uint32_t)segment_count(&limits, range_of(0, bytes));
        return constraint;
}

/* Whether less may be had where so much is not. */
static bool is_about_size(int r)
{
        return r == -PAR_NEVER_FITS || r == -PAR_EXHAUSTED || r == -PAR_FRAGMENTED ||
               r == -PAR_QUOTA;
}

static int ask(struct bounce *bounce, size_t bytes, struct par_buffer **ret)
{
        const struct par_constraint constraint = constraint_of(bounce->reach, bytes);
        const struct asker asker = { .call = SLOTS_CALL, .holder = DEBUG_OF_SLOTS };
        char text[NAME_BYTES_MAX + 1], label[NAME_BYTES_MAX + 1];
        const struct par_alloc_options options = {
                .device = bounce->device,
                .pool = *bounce->pool ? bounce->pool : NULL,
                .label = label,
                .flags = PAR_ALLOC_UNINITIALIZED,
        };

        /* A name that is cut may be cut in the middle of a character. */
        snprintf(text, sizeof(text), "slots of %.40s", bounce->device->name);
        text_copy_good(label, NAME_BYTES_MAX, text);
        return buffer_ask(bounce->device->par, bytes, &constraint, &options, &asker, ret);
}

/* Whether it is behind an IOMMU. */
static bool is_attached(const struct par_device *device)
{
        return atomic_load_explicit(&device->view, memory_order_acquire) < VIEW_DEVICES;
}

/* What buffers are multiples of: pard's granule, or behind an IOMMU what that maps. */
static size_t unit_of(const struct bounce *bounce)
{
        const struct par_device *device = bounce->device;

        if (!is_attached(device) || io_space_granule(device->io_space) <= BOUNCE_GRANULE)
                return BOUNCE_GRANULE;
        return (size_t)io_space_granule(device->io_space);
}

/* How much more there may be. */
static size_t left_of(const struct bounce *bounce)
{
        return bounce->bytes < bounce->bytes_max ? bounce->bytes_max - bounce->bytes : 0;
}

/* Ask for less and less, down to @least. */
static int ask_down(struct bounce *bounce, size_t least, struct par_buffer **ret)
{
        const size_t unit = unit_of(bounce);
        size_t bytes = bounce->next_bytes > least ? bounce->next_bytes : least;
        int r;

        if (bytes > left_of(bounce))
                bytes = left_of(bounce);
        bytes &= ~(unit - 1);
        while ((r = ask(bounce, bytes, ret)) && is_about_size(r) && bytes > least) {
                bytes = bytes / 2 & ~(unit - 1);
                if (bytes < least)
                        bytes = least;
        }
        if (!r)
                bounce->next_bytes = bytes <= BOUNCE_BUFFER_MAX / 2 ? bytes * 2 : BOUNCE_BUFFER_MAX;
        return r;
}

/* ---- chunks --------------------------------------------------------------------------------- */

/* Areas that nothing is free in; NULL without memory. */
static struct slot_area *areas_new(size_t n)
{
        struct slot_area *areas = aligned_alloc(_Alignof(struct slot_area), n * sizeof(*areas));

        for (size_t i = 0; areas && i < n; i++)
                areas[i] = (struct slot_area){ .used = UINT64_MAX };
        return areas;
}

/* A chunk with room for so many areas: a spare one, or a new one; NULL without memory. */
static struct bounce_chunk *chunk_new(struct bounce *bounce, size_t areas)
{
        struct bounce_chunk **at = &bounce->spare, *chunk;

        for (; (chunk = *at); at = &chunk->next_spare) {
                if (chunk->slots.room < areas)
                        continue;
                *at = chunk->next_spare;
                return chunk;
        }
        chunk = calloc(1, sizeof(*chunk));
        if (!chunk)
                return NULL;
        chunk->bounce = bounce;
        chunk->slots.room = areas;
        chunk->slots.areas = areas_new(areas);
        if (chunk->slots.areas)
                return chunk;
        free(chunk);
        return NULL;
}

static size_t areas_in(const struct par_buffer *buffer)
{
        size_t areas = 0;

        for (size_t i = 0; i < buffer->n_segments; i++)
                areas += slots_areas(buffer->segments[i].length);
        return areas;
}

/* Memory that was granted before the device came behind an IOMMU is nothing to it now. */
static unsigned first_news(const struct bounce_chunk *chunk)
{
        return is_attached(chunk->bounce->device) && !chunk->buffer->io_space ? CHUNK_LEAVING : 0;
}

/* Let a chunk be found. With the lock of the handle, with which a device comes behind an IOMMU, and
 * retires the chunks that are there. */
static void publish(struct bounce *bounce, struct bounce_chunk *chunk, size_t place)
{
        struct par *par = bounce->device->par;

        pthread_mutex_lock(&par->lock);
        atomic_store_explicit(&chunk->news, first_news(chunk), memory_order_relaxed);
        atomic_store_explicit(&chunk->buffer->bounce, chunk, memory_order_release);
        atomic_store_explicit(&bounce->chunks[place], chunk, memory_order_release);
        if (place >= count_of(bounce))
                atomic_store_explicit(&bounce->n_chunks, place + 1, memory_order_release);
        pthread_mutex_unlock(&par->lock);
}

/* Fill a chunk, and let it be found at a place of its own. */
static void open_chunk(struct bounce *bounce, struct bounce_chunk *chunk, struct par_buffer *buffer,
                       size_t place)
{
        chunk->buffer = buffer;
        chunk->idle_ms = now_ms();
        atomic_store_explicit(&chunk->bytes, buffer->size, memory_order_relaxed);
        atomic_store_explicit(&chunk->touched, true, memory_order_relaxed);
        for (size_t i = 0; i < buffer->n_segments; i++) {
                const struct par_segment *segment = &buffer->segments[i];

                slots_open(&chunk->slots, segment->dma, buffer->data + segment->offset,
                           segment->length);
        }
        bounce->bytes += buffer->size;
        bounce->growths++;
        publish(bounce, chunk, place);
}

/* A place where there is no chunk; BOUNCE_CHUNKS_MAX: there is none. */
static size_t free_place(const struct bounce *bounce)
{
        size_t i = 0;

        while (i < BOUNCE_CHUNKS_MAX && chunk_at(bounce, i))
                i++;
        return i;
}

static uint64_t sweep(struct bounce *bounce, bool all);

/* Whether so much more may be there. */
static bool has_room(struct bounce *bounce, size_t bytes)
{
        return free_place(bounce) < BOUNCE_CHUNKS_MAX && bytes <= left_of(bounce);
}

/* Whether slots can be made of what pard granted. */
static int check_buffer(const struct par_buffer *buffer)
{
        for (size_t i = 0; i < buffer->n_segments; i++) {
                if (buffer->segments[i].dma & (SLOT_BYTES - 1))
                        return error_set(-EPROTO, "pard granted memory for slots at %#llx",
                                         (unsigned long long)buffer->segments[i].dma);
        }
        return 0;
}

int grow(struct bounce *bounce, const struct slot_want *want, bool instead)
{
        const size_t span = slots_span(want) * SLOT_BYTES, unit = unit_of(bounce);
        const size_t least = (span + unit - 1) & ~(unit - 1);
        struct bounce_chunk *chunk;
        struct par_buffer *buffer;
        int r;

        if (instead && !has_room(bounce, least))
                sweep(bounce, true);
        if (!has_room(bounce, least))
                return grow_refuse(bounce, want, "there may be no more of them");
        r = ask_down(bounce, least, &buffer);
        if (r)
                return r;
        r = buffer_check_dma(buffer);
        if (!r)
                r = check_buffer(buffer);
        chunk = r ? NULL : chunk_new(bounce, areas_in(buffer));
        if (!chunk) {
                buffer_release(buffer, SLOTS_CALL);
                return r ? r : error_set(-ENOMEM, "no memory for slots");
        }
        open_chunk(bounce, chunk, buffer, free_place(bounce));
        (void)bar_maps_read(&bounce->device->par->bars);
        return 0;
}

/* ---- giving back ---------------------------------------------------------------------------- */

/* All slots are taken. Return: bytes. */
static uint64_t close_chunk(struct bounce *bounce, size_t place)
{
        struct bounce_chunk *chunk = chunk_at(bounce, place);
        struct par_buffer *buffer = STEAL(chunk->buffer);
        const uint64_t bytes = buffer->size;

        atomic_store_explicit(&bounce->chunks[place], NULL, memory_order_release);
        chunk->next_spare = bounce->spare;
        bounce->spare = chunk;
        bounce->bytes -= bytes;
        bounce->shrinks++;
        atomic_store_explicit(&buffer->bounce, NULL, memory_order_release);
        buffer_release(buffer, SLOTS_CALL);
        return bytes;
}

static bool is_due(const struct bounce *bounce, struct bounce_chunk *chunk, int64_t now)
{
        if (atomic_exchange_explicit(&chunk->touched, false, memory_order_relaxed))
                chunk->idle_ms = now;
        return atomic_load_explicit(&chunk->news, memory_order_relaxed) & CHUNK_LEAVING ||
               now - chunk->idle_ms >= bounce->idle_after_ms;
}

static uint64_t sweep(struct bounce *bounce, bool all)
{
        const int64_t now = now_ms();
        uint64_t bytes = 0;

        for (size_t i = 0; i < count_of(bounce); i++) {
                struct bounce_chunk *chunk = chunk_at(bounce, i);

                if (chunk && (is_due(bounce, chunk, now) || all) && slots_close(&chunk->slots))
                        bytes += close_chunk(bounce, i);
        }
        return bytes;
}

uint64_t bounce_sweep(struct bounce *bounce, bool all)
{
        uint64_t bytes;

        if (!all && pthread_mutex_trylock(&bounce->growing))
                return 0; /* who has it looks, or somebody will later */
        if (all)
                pthread_mutex_lock(&bounce->growing);
        bytes = sweep(bounce, all);
        pthread_mutex_unlock(&bounce->growing);
        return bytes;
}

uint64_t bounce_close(struct bounce *bounce)
{
        const uint64_t used = grow_used_bytes(bounce);

        for (size_t i = 0; i < count_of(bounce); i++) {
                if (chunk_at(bounce, i))
                        close_chunk(bounce, i);
        }
        return used;
}

/* ---- having them ahead ---------------------------------------------------------------------- */

/* With bounce::growing: of what mappings may have slots of. @renew: it is wanted, so that the time
 * for which nobody uses it begins now. */
static uint64_t usable_bytes(const struct bounce *bounce, bool renew)
{
        uint64_t bytes = 0;

        for (size_t i = 0; i < count_of(bounce); i++) {
                struct bounce_chunk *chunk = chunk_at(bounce, i);

                if (!chunk || is_leaving(chunk))
                        continue;
                if (renew)
                        atomic_store_explicit(&chunk->touched, true, memory_order_relaxed);
                bytes += atomic_load_explicit(&chunk->bytes, memory_order_relaxed);
        }
        return bytes;
}

static int refuse_reserve(const struct bounce *bounce, size_t bytes, uint64_t usable)
{
        return error_set(-PAR_EXHAUSTED,
                         "%zu bytes of slots for device %s: %llu of %zu can be used, and there "
                         "may be no more (at most %zu bytes, in %d buffers)",
                         bytes, bounce->device->name, (unsigned long long)usable, bounce->bytes,
                         bounce->bytes_max, BOUNCE_CHUNKS_MAX);
}

/* With bounce::growing: as many bytes as that in all. */
static int reserve_more(struct bounce *bounce, size_t bytes)
{
        const size_t longest = (bounce_bytes_max(bounce) & ~(BOUNCE_GRANULE - 1));
        uint64_t usable;
        size_t missing;
        int r = 0;

        while (!r && (usable = usable_bytes(bounce, false)) < bytes) {
                if (!has_room(bounce, unit_of(bounce)))
                        return refuse_reserve(bounce, bytes, usable);
                missing = bytes - usable;
                if (missing > longest)
                        missing = longest;
                bounce->next_bytes = missing > bounce->next_bytes ? missing : bounce->next_bytes;
                r = grow(bounce,
                         &(struct slot_want){
                                 .bytes = BOUNCE_GRANULE,
                                 .stride = grow_stride(bounce->reach),
                         },
                         false);
        }
        return r;
}

/* What a mapping that could not wait would find now. */
static int reserve_missing(struct bounce *bounce)
{
        const size_t missing = atomic_exchange(&bounce->missing, 0);
        const struct slot_want want = {
                .bytes = missing,
                .stride = grow_stride(bounce->reach),
        };
        struct bounce_slot slot = { .chunk = NULL };
        int r;

        if (!missing)
                return 0;
        r = bounce_try(bounce, &want, &slot) ? 0 : grow(bounce, &want, false);
        if (r)
                bounce_miss(bounce, missing); /* it still is */
        else if (slot.chunk)
                (void)slots_give(&slot.chunk->slots, slot.run);
        return r;
}

int bounce_reserve(struct bounce *bounce, size_t bytes)
{
        int r;

        if (bytes > bounce->bytes_max)
                return error_set(-PAR_QUOTA,
                                 "%zu bytes of slots for device %s: par_map_setup() allows %zu",
                                 bytes, bounce->device->name, bounce->bytes_max);
        if (bytes && !bounce_bytes_max(bounce))
                return error_set(-PAR_NEVER_FITS, "no slot fits into a segment of device %s",
                                 bounce->device->name);
        pthread_mutex_lock(&bounce->growing);
        (void)usable_bytes(bounce, true);
        sweep(bounce, false); /* what is to leave, so that there is room */
        r = reserve_more(bounce, bytes);
        if (!r)
                r = reserve_missing(bounce);
        pthread_mutex_unlock(&bounce->growing);
        return r;
}
