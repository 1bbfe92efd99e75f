/* SPDX-License-Identifier: MIT */
/*
 * Owns the order of the buffers by address, for par_dma_address() and par_dma_pointer().
 *
 * Invariant: the buffers in it are whole, and their memory does not overlap. Refuses to take a
 * lock: a look-up never waits, neither for a request nor for another look-up.
 */
#include "lookup.h"

#include "handle.h"

#include "macros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void lookup_init(struct lookup *lookup)
{
        *lookup = (struct lookup){ .last_view = VIEW_DEVICES - 1 };
        SLIST_INIT(&lookup->views);
}

void lookup_deinit(struct lookup *lookup)
{
        struct view *view;

        while ((view = SLIST_FIRST(&lookup->views))) {
                SLIST_REMOVE_HEAD(&lookup->views, link);
                free(view);
        }
        address_index_deinit(&lookup->by_pointer);
        address_index_deinit(&lookup->by_dma);
        address_index_deinit(&lookup->by_home);
        spans_deinit(&lookup->spans);
}

int lookup_view(struct lookup *lookup, const char *name, uint32_t *ret)
{
        const size_t bytes = strlen(name) + 1;
        struct view *view;

        SLIST_FOREACH(view, &lookup->views, link)
        {
                if (!strcmp(view->name, name)) {
                        *ret = view->number;
                        return 0;
                }
        }
        if (lookup->last_view == INDEX_VIEWS - 1) {
                *ret = VIEW_NONE;
                return 0;
        }
        view = malloc(sizeof(*view) + bytes);
        if (!view)
                return -ENOMEM;
        memcpy(view->name, name, bytes);
        view->number = *ret = ++lookup->last_view;
        SLIST_INSERT_HEAD(&lookup->views, view, link);
        return 0;
}

/* ---- buffers that come and go --------------------------------------------------------------- */

static struct index_range pointers_of(const struct extent *extent)
{
        return (struct index_range){ .first = extent->first, .bytes = extent->bytes };
}

static struct index_range dma_of(const struct extent *extent)
{
        return (struct index_range){
                .view = extent->view,
                .first = extent->dma,
                .bytes = extent->bytes,
        };
}

static bool has_dma(const struct extent *extent)
{
        return extent->dma != PAR_PHYS_NONE && extent->view != VIEW_NONE;
}

static struct extent extent_of(const struct par_buffer *buffer, size_t i)
{
        const struct par_segment *segment = &buffer->segments[i];

        return (struct extent){
                .first = (uintptr_t)buffer->data + segment->offset,
                .bytes = segment->length,
                .dma = segment->dma,
                .view = buffer->view,
        };
}

static struct index_range home_of(const struct par_buffer *buffer)
{
        return (struct index_range){ .first = (uintptr_t)buffer->home, .bytes = buffer->size };
}

/* Nothing after this can fail. */
static int reserve(struct lookup *lookup, const struct par_buffer *buffer)
{
        struct index_range range = home_of(buffer);
        int r = 0;

        if (buffer->home)
                r = address_index_reserve(&lookup->by_home, &range);
        for (size_t i = 0; i < buffer->n_segments && !r; i++) {
                const struct extent extent = extent_of(buffer, i);

                range = pointers_of(&extent);
                r = address_index_reserve(&lookup->by_pointer, &range);
                range = dma_of(&extent);
                if (!r && has_dma(&extent))
                        r = address_index_reserve(&lookup->by_dma, &range);
        }
        return r;
}

static void publish(struct lookup *lookup, const struct extent *extent, struct span *span)
{
        struct index_range range = pointers_of(extent);

        span_write(span, extent);
        address_index_set(&lookup->by_pointer, &range, span);
        range = dma_of(extent);
        if (has_dma(extent))
                address_index_set(&lookup->by_dma, &range, span);
}

int lookup_insert(struct lookup *lookup, struct par_buffer *buffer)
{
        const struct index_range all = { .first = (uintptr_t)buffer->data, .bytes = buffer->size };
        const struct index_range home = home_of(buffer);
        struct span *span;
        int r;

        if (all.first & ((1u << INDEX_GRANULE_SHIFT) - 1) ||
            address_index_overlaps(&lookup->by_pointer, &all) ||
            (buffer->home && address_index_overlaps(&lookup->by_home, &home)))
                return -EPROTO;
        r = reserve(lookup, buffer);
        if (!r)
                r = spans_get(&lookup->spans, buffer->n_segments, &buffer->spans);
        if (r)
                return r;

        span = buffer->spans;
        if (buffer->home)
                address_index_set(&lookup->by_home, &home, span);
        for (size_t i = 0; i < buffer->n_segments; i++) {
                const struct extent extent = extent_of(buffer, i);

                publish(lookup, &extent, span);
                span = atomic_load_explicit(&span->next, memory_order_relaxed);
        }
        return 0;
}

void lookup_remove(struct lookup *lookup, struct par_buffer *buffer)
{
        struct index_range range = home_of(buffer);
        struct extent extent;

        if (buffer->home && buffer->spans)
                address_index_clear(&lookup->by_home, &range, buffer->spans);
        for (struct span *span = buffer->spans; span; span = extent.next) {
                (void)span_read(span, &extent); /* nobody else writes */
                range = pointers_of(&extent);
                address_index_clear(&lookup->by_pointer, &range, span);
                range = dma_of(&extent);
                if (has_dma(&extent))
                        address_index_clear(&lookup->by_dma, &range, span);
        }
        spans_put(&lookup->spans, STEAL(buffer->spans));
}

/* ---- from a pointer ------------------------------------------------------------------------- */

/* What is not the short way is out of it: no registers are saved there for this. */
#define OUT_OF_THE_WAY __attribute__((__noinline__, __cold__))

/* Whether the span that is found first is it. */
static inline bool find_pointer(const struct lookup *lookup, uint64_t address, struct extent *ret)
{
        const struct span *span = address_index_find(&lookup->by_pointer, VIEW_MEMORY, address);

        return span && span_read_place(span, ret) && address - ret->first < ret->bytes;
}

/* Segments shorter than a granule share one: the first is found, and those after it follow. */
bool lookup_pointer(const struct lookup *lookup, uint64_t address, struct extent *ret)
{
        const struct span *span = address_index_find(&lookup->by_pointer, VIEW_MEMORY, address);
        uint64_t expected;

        if (!span || !span_read(span, ret))
                return false;
        while (address - ret->first >= ret->bytes) {
                expected = ret->first + ret->bytes;
                if (address < expected || !ret->next || !span_read(ret->next, ret) ||
                    ret->first != expected)
                        return false;
        }
        return true;
}

static int check(const struct par *par, const void *ret)
{
        int r = handle_check(par);

        if (!r && !ret)
                r = error_set(-EINVAL, "no place for the address");
        return r;
}

static int tell_address(const struct extent *extent, uint64_t pointer, uint64_t *ret_dma,
                        size_t *ret_contiguous_bytes)
{
        const uint64_t into = pointer - extent->first;

        *ret_dma = extent->dma + into;
        if (ret_contiguous_bytes)
                *ret_contiguous_bytes = extent->bytes - into;
        return 0;
}

static OUT_OF_THE_WAY int address_far(struct par *par, const void *pointer, uint64_t *ret_dma,
                                      size_t *ret_contiguous_bytes, struct debug_call call)
{
        struct extent extent;
        int r;

        if (ret_dma)
                *ret_dma = 0;
        if (ret_contiguous_bytes)
                *ret_contiguous_bytes = 0;
        r = check(par, ret_dma);
        if (r)
                return r;
        if (!lookup_pointer(&par->lookup, (uintptr_t)pointer, &extent)) {
                if (debug_on())
                        debug_pointer_missed(pointer, call);
                return error_set(-EFAULT, "no buffer at %p", pointer);
        }
        if (debug_on() && ret_contiguous_bytes)
                debug_pointer_measured(pointer, call);
        if (extent.dma == PAR_PHYS_NONE)
                return error_set(-PAR_DENIED,
                                 "the pool of the buffer at %p hides the addresses of its memory: "
                                 "a device has some after par_device_attach_vfio()",
                                 pointer);
        return tell_address(&extent, (uintptr_t)pointer, ret_dma, ret_contiguous_bytes);
}

int par_dma_address(struct par *par, const void *pointer, uint64_t *ret_dma,
                    size_t *ret_contiguous_bytes)
{
        struct extent extent;

        if (ret_dma && handle_is_ours(par) && !debug_on() &&
            find_pointer(&par->lookup, (uintptr_t)pointer, &extent) && extent.dma != PAR_PHYS_NONE)
                return tell_address(&extent, (uintptr_t)pointer, ret_dma, ret_contiguous_bytes);
        return address_far(par, pointer, ret_dma, ret_contiguous_bytes, DEBUG_CALL);
}

/* ---- back ----------------------------------------------------------------------------------- */

static inline bool find_dma(const struct lookup *lookup, uint32_t view, uint64_t dma,
                            struct extent *ret)
{
        const struct span *span = address_index_find(&lookup->by_dma, view, dma);

        return span && span_read(span, ret) && dma - ret->dma < ret->bytes && ret->view == view;
}

/* As lookup_pointer(). */
static bool find_dma_far(const struct lookup *lookup, uint32_t view, uint64_t dma,
                         struct extent *ret)
{
        const struct span *span = address_index_find(&lookup->by_dma, view, dma);
        uint64_t expected;

        if (!span || !span_read(span, ret))
                return false;
        while (dma - ret->dma >= ret->bytes) {
                expected = ret->dma + ret->bytes;
                if (dma < expected || !ret->next || !span_read(ret->next, ret) ||
                    ret->dma != expected)
                        return false;
        }
        return ret->view == view;
}

/* Memory that a device, which is behind no IOMMU, sees at an address, though it was not allocated
 * for it: there, or where its bus windows say. Changes @dma to memory's own address. */
static bool find_seen(const struct lookup *lookup, const struct par_device *device, uint64_t *dma,
                      struct extent *ret)
{
        const uint64_t seen = *dma;
        size_t from = 0;

        while (reach_seen(&device->reach, seen, &from, dma)) {
                if (find_dma_far(lookup, VIEW_MEMORY, *dma, ret))
                        return true;
        }
        *dma = seen;
        return false;
}

static inline uint32_t view_of(const struct par_device *device)
{
        return device ? atomic_load_explicit(&device->view, memory_order_acquire) : VIEW_MEMORY;
}

static int tell_pointer(const struct extent *extent, uint64_t dma, void **ret_pointer,
                        size_t *ret_contiguous_bytes)
{
        const uint64_t into = dma - extent->dma;

        *ret_pointer = (void *)(uintptr_t)(extent->first + into);
        if (ret_contiguous_bytes)
                *ret_contiguous_bytes = extent->bytes - into;
        return 0;
}

static OUT_OF_THE_WAY int pointer_far(struct par *par, const struct par_device *device,
                                      uint64_t dma, void **ret_pointer,
                                      size_t *ret_contiguous_bytes, struct debug_call call)
{
        const uint32_t view = view_of(device);
        struct extent extent;
        int r;

        if (ret_pointer)
                *ret_pointer = NULL;
        if (ret_contiguous_bytes)
                *ret_contiguous_bytes = 0;
        r = check(par, ret_pointer);
        if (r)
                return r;
        if (device && device->par != par)
                return error_set(-EINVAL, "the device belongs to another connection");
        if (!find_dma_far(&par->lookup, view, dma, &extent) &&
            (view < VIEW_DEVICES || !find_seen(&par->lookup, device, &dma, &extent)))
                return error_set(-EFAULT, "no buffer at address %#llx of %s",
                                 (unsigned long long)dma, device ? device->name : "memory");
        (void)tell_pointer(&extent, dma, ret_pointer, ret_contiguous_bytes);
        if (debug_on() && ret_contiguous_bytes)
                debug_pointer_measured(*ret_pointer, call);
        return 0;
}

int par_dma_pointer(struct par *par, const struct par_device *device, uint64_t dma,
                    void **ret_pointer, size_t *ret_contiguous_bytes)
{
        struct extent extent;

        if (ret_pointer && handle_is_ours(par) && !debug_on() && (!device || device->par == par) &&
            find_dma(&par->lookup, view_of(device), dma, &extent))
                return tell_pointer(&extent, dma, ret_pointer, ret_contiguous_bytes);
        return pointer_far(par, device, dma, ret_pointer, ret_contiguous_bytes, DEBUG_CALL);
}
