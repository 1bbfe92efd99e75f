/* SPDX-License-Identifier: MIT */
/*
 * Owns a mapping from par_map() to par_unmap(), and the short way of memory that the device sees
 * where it is.
 *
 * Invariant: a mapping that is none is all zero, but for the mark that it was one. Refuses to do
 * more on the short way than to look the address up; whatever is not as simple as that is found out
 * on the long one.
 */
#include "dma_map.h"

#include "dma_list.h"
#include "dma_watch.h"
#include "handle.h"

#include <errno.h>
#include <string.h>

/* What is not the short way is out of it: no registers are saved there for this. */
#define OUT_OF_THE_WAY __attribute__((__noinline__))

/* A bounce is a few dozen instructions of each of several functions, beside which calls count. */
#define IN_ONE __attribute__((__flatten__))

/* ---- a part in a mapping -------------------------------------------------------------------- */

/* Member by member: clearing all of it first takes longer than everything else here. What is opaque
 * means nothing where there are no parts. */
static inline void set_direct(struct par_mapping *mapping, struct par_device *device,
                              const void *pointer, size_t length, uint64_t dma, uint32_t flags)
{
        mapping->dma = dma;
        mapping->length = length;
        mapping->pointer = (void *)(uintptr_t)pointer;
        mapping->device = device;
        mapping->n_segments = 1;
        mapping->flags = flags;
        mapping->segment.dma = dma;
        mapping->segment.phys = PAR_PHYS_NONE;
        mapping->segment.length = length;
        mapping->segment.offset = 0;
}

/* It is none any more. */
static inline void set_ended(struct par_mapping *mapping)
{
        set_direct(mapping, NULL, NULL, 0, 0, MAPPING_ENDED | (mapping->flags & MAPPING_WATCHED));
        mapping->n_segments = 0;
}

static void set_part(struct par_mapping *mapping, const struct map_ask *ask,
                     const struct part *part)
{
        set_direct(mapping, ask->device, part->memory, part->length, part->dma,
                   mapping_flags(ask->direction, ask->flags) |
                           (part->pages ? PAR_MAPPING_IOMMU : PAR_MAPPING_BOUNCED));
        mapping->opaque[OPAQUE_PART] =
                part->pages ? (uintptr_t)part->pages : (uintptr_t)part->slot.data;
        mapping->opaque[OPAQUE_CHUNK] = (uintptr_t)part->slot.chunk;
        mapping->opaque[OPAQUE_RUN] = part->slot.run.word;
        mapping->opaque[OPAQUE_SITE] = part->site;
}

void mapping_set_resource(struct par_mapping *mapping, const struct map_ask *ask,
                          const struct part *part)
{
        set_part(mapping, ask, part);
        mapping->flags &= ~PAR_MAPPING_BOUNCED;
        mapping->flags |= PAR_MAPPING_RESOURCE;
}

static inline struct bounce_chunk *chunk_of(const struct par_mapping *mapping)
{
        return (struct bounce_chunk *)(uintptr_t)mapping->opaque[OPAQUE_CHUNK];
}

static inline struct slot_run run_of(const struct par_mapping *mapping)
{
        return (struct slot_run){ mapping->opaque[OPAQUE_RUN] };
}

static inline void part_of(const struct par_mapping *mapping, struct part *ret)
{
        const uintptr_t at = (uintptr_t)mapping->opaque[OPAQUE_PART];
        const bool in_pages = mapping->flags & PAR_MAPPING_IOMMU;

        ret->memory = mapping->pointer;
        ret->length = mapping->length;
        ret->offset = 0;
        ret->dma = mapping->dma;
        ret->site = (size_t)mapping->opaque[OPAQUE_SITE];
        ret->pages = in_pages ? (struct pages *)at : NULL;
        ret->slot.chunk = chunk_of(mapping);
        ret->slot.run = run_of(mapping);
        ret->slot.data = in_pages ? NULL : (char *)at;
        ret->slot.dma = mapping->dma;
}

static struct map_list *list_of(const struct par_mapping *mapping)
{
        return (struct map_list *)(uintptr_t)mapping->opaque[OPAQUE_PART];
}

/* Whether there is anything but what the device sees where it is. */
static bool has_parts(const struct par_mapping *mapping)
{
        return mapping->flags & (PAR_MAPPING_BOUNCED | PAR_MAPPING_IOMMU | MAPPING_LIST);
}

/* ---- what is asked for ---------------------------------------------------------------------- */

static bool are_valid(const struct par_map_options *options)
{
        uint64_t reserved = options->flags & ~(PAR_MAP_ATOMIC | PAR_MAP_OVERWRITE |
                                               PAR_MAP_SKIP_SYNC | PAR_MAP_NO_BOUNCE);

        for (size_t i = 0; i < sizeof(options->reserved) / sizeof(options->reserved[0]); i++)
                reserved |= options->reserved[i];
        return !reserved;
}

int map_ask_init(struct map_ask *ask, struct par_device *device, enum par_direction direction,
                 const struct par_map_options *options, uint32_t otherwise, const void *caller)
{
        int r;

        if (!device)
                return error_set(-EINVAL, "no device");
        r = handle_is_ours(device->par) ? 0 : handle_check(device->par);
        if (r)
                return r;
        if ((unsigned)direction > PAR_FROM_DEVICE)
                return error_set(-EINVAL, "there is no direction %u", (unsigned)direction);
        if (options && !are_valid(options))
                return error_set(-EINVAL, "options: an unknown flag, or reserved is not zero");
        *ask = (struct map_ask){
                .device = device,
                .direction = direction,
                .view = atomic_load_explicit(&device->view, memory_order_acquire),
                .flags = options ? options->flags : 0,
                .max_segments =
                        options && options->max_segments ? options->max_segments : otherwise,
                .label = options ? options->label : NULL,
                .caller = caller,
        };
        if (device->reach.limits.max_segments < ask->max_segments)
                ask->max_segments = device->reach.limits.max_segments;
        if (!atomic_load_explicit(&device->dma->used, memory_order_relaxed))
                atomic_store_explicit(&device->dma->used, true, memory_order_relaxed);
        return 0;
}

int map_ask_check(const void *pointer, size_t length)
{
        uintptr_t last;

        if (!pointer || !length)
                return error_set(-EINVAL, "no memory to map");
        if (__builtin_add_overflow((uintptr_t)pointer, length - 1, &last))
                return error_set(-EINVAL, "%zu bytes at %p are beyond all memory", length, pointer);
        return 0;
}

/* ---- mapping -------------------------------------------------------------------------------- */

/* How many segments memory is that the device sees where it is; 0: it does not see all of it, or
 * too many. */
static size_t count_direct(const struct map_ask *ask, const void *pointer, size_t length,
                           uint64_t *ret_dma)
{
        const struct par_device *device = ask->device;
        struct cut cut;

        if (!address_index_find(&device->par->lookup.by_pointer, VIEW_MEMORY, (uintptr_t)pointer))
                return 0; /* most of what gets here is no memory of pard's at all */
        cut_init(&cut, &device->reach, NULL, 0);
        if (!cut_add_buffers(&cut, &device->par->lookup, ask->view, (uintptr_t)pointer, length))
                return 0;
        *ret_dma = cut.run.dma;
        return cut_end(&cut) && cut.n <= ask->max_segments ? cut.n : 0;
}

static void set_list(struct par_mapping *mapping, const struct map_ask *ask, const void *pointer,
                     struct map_list *list)
{
        set_direct(mapping, ask->device, pointer, list->length, list->segments[0].dma,
                   mapping_flags(ask->direction, ask->flags) | MAPPING_LIST | list->flags);
        mapping->n_segments = (uint32_t)list->n_segments;
        mapping->segment = list->segments[0];
        mapping->opaque[OPAQUE_PART] = (uintptr_t)list;
}

static OUT_OF_THE_WAY int map_list(const struct map_ask *ask, const struct iovec *pieces,
                                   size_t count, struct par_mapping *ret)
{
        struct map_list *list;
        int r;

        r = map_list_new(ask, pieces, count, &list);
        if (!r)
                set_list(ret, ask, pieces[0].iov_base, list);
        return r;
}

static int map_one(const struct map_ask *ask, const void *pointer, size_t length,
                   struct par_mapping *ret)
{
        const struct iovec piece = { (void *)(uintptr_t)pointer, length };
        struct part part;
        uint64_t dma;
        size_t n;
        int r;

        n = count_direct(ask, pointer, length, &dma);
        if (n == 1) {
                set_direct(ret, ask->device, pointer, length, dma,
                           mapping_flags(ask->direction, ask->flags));
                return 0;
        }
        /* Behind an IOMMU pages may be several segments where that is allowed. */
        if (n || (ask->max_segments > 1 && (ask->view < VIEW_DEVICES ||
                                            length > bounce_bytes_max(&ask->device->dma->bounce))))
                return map_list(ask, &piece, 1, ret);
        r = part_map(ask, pointer, length, &part);
        if (!r)
                set_part(ret, ask, &part);
        return r;
}

static OUT_OF_THE_WAY IN_ONE int map_far(struct par_device *device, const void *pointer,
                                         size_t length, enum par_direction direction,
                                         const struct par_map_options *options,
                                         struct par_mapping *ret, struct debug_call call)
{
        struct map_ask ask;
        int r;

        if (!ret)
                return error_set(-EINVAL, "no place for the mapping");
        r = map_ask_init(&ask, device, direction, options, 1, call.address);
        if (!r)
                r = map_ask_check(pointer, length);
        if (!r && debug_on())
                r = watch_maps(&(struct iovec){ (void *)(uintptr_t)pointer, length }, 1, call);
        if (!r)
                r = map_one(&ask, pointer, length, ret);
        if (r)
                *ret = (struct par_mapping){ .dma = 0 };
        else if (debug_on())
                watch_mapped(ret, ask.label, NULL, 0, call);
        return r;
}

int par_map(struct par_device *device, const void *pointer, size_t length,
            enum par_direction direction, const struct par_map_options *options,
            struct par_mapping *ret)
{
        const uint64_t at = (uintptr_t)pointer;
        struct extent extent;
        uint64_t dma;

        if (device && ret && !options && length && (unsigned)direction <= PAR_FROM_DEVICE &&
            handle_is_ours(device->par) && lookup_near(&device->par->lookup, at, &extent) &&
            length <= extent.bytes - (at - extent.first) &&
            reach_find(&device->reach, atomic_load_explicit(&device->view, memory_order_acquire),
                       &extent, at - extent.first, length, &dma) &&
            reach_takes(&device->reach, at, dma, length)) {
                set_direct(ret, device, pointer, length, dma, mapping_flags(direction, 0));
                if (debug_on())
                        watch_mapped(ret, NULL, NULL, 0, DEBUG_CALL);
                return 0;
        }
        return map_far(device, pointer, length, direction, options, ret, DEBUG_CALL);
}

static int check_pieces(const struct iovec *pieces, size_t count)
{
        size_t all = 0;
        int r = 0;

        if (!pieces || !count)
                return error_set(-EINVAL, "no memory to map");
        for (size_t i = 0; i < count && !r; i++) {
                r = map_ask_check(pieces[i].iov_base, pieces[i].iov_len);
                if (!r && __builtin_add_overflow(all, pieces[i].iov_len, &all))
                        r = error_set(-EINVAL, "the list is longer than all memory");
        }
        return r;
}

int par_map_sg(struct par_device *device, const struct iovec *list, size_t count,
               enum par_direction direction, const struct par_map_options *options,
               struct par_mapping *ret)
{
        struct map_ask ask;
        int r;

        if (!ret)
                return error_set(-EINVAL, "no place for the mapping");
        *ret = (struct par_mapping){ .dma = 0 };
        r = map_ask_init(&ask, device, direction, options, PAR_SEGMENTS_ANY,
                         __builtin_return_address(0));
        if (!r)
                r = check_pieces(list, count);
        if (!r && debug_on())
                r = watch_maps(list, count, DEBUG_CALL);
        if (!r)
                r = map_list(&ask, list, count, ret);
        if (!r && debug_on())
                watch_mapped(ret, ask.label, list, count, DEBUG_CALL);
        return r;
}

size_t par_mapping_segments(const struct par_mapping *mapping, const struct par_segment **ret)
{
        const struct par_segment *segments = NULL;

        if (mapping && mapping->n_segments)
                segments = mapping->flags & MAPPING_LIST ? list_of(mapping)->segments
                                                         : &mapping->segment;
        if (ret)
                *ret = segments;
        return mapping ? mapping->n_segments : 0;
}

/* ---- whose turn it is ----------------------------------------------------------------------- */

/* Is it one, and ours, and the part in it? @length: 0, with @offset 0: all. */
static int check_sync(const struct par_mapping *mapping, size_t offset, size_t *length)
{
        if (!mapping || !mapping->n_segments)
                return error_set(-EINVAL, "it is no mapping");
        if (!handle_is_ours(mapping->device->par)) {
                const int r = handle_check(mapping->device->par);

                if (r)
                        return r;
        }
        if (!offset && !*length)
                *length = mapping->length;
        if (offset > mapping->length || *length > mapping->length - offset)
                return error_set(-EINVAL, "%zu bytes from offset %zu: the mapping has %zu", *length,
                                 offset, mapping->length);
        return 0;
}

static OUT_OF_THE_WAY int copy(const struct par_mapping *mapping, size_t offset, size_t length,
                               bool in)
{
        struct dma *dma = mapping->device->dma;
        struct part part;

        if (mapping->flags & MAPPING_LIST)
                return map_list_copy(list_of(mapping), dma, offset, length, in);
        part_of(mapping, &part);
        return in ? part_copy_in(&part, dma, offset, length)
                  : part_copy_out(&part, dma, offset, length);
}

int par_sync_for_device(struct par_mapping *mapping, size_t offset, size_t length)
{
        int r = 0;

        if (debug_on() && mapping)
                r = watch_syncs(mapping, offset, length, true, DEBUG_CALL);
        if (r)
                return r;
        r = check_sync(mapping, offset, &length);
        if (r)
                return r;
        if (has_parts(mapping) && mapping_direction(mapping) != PAR_FROM_DEVICE)
                r = copy(mapping, offset, length, true);
        atomic_thread_fence(memory_order_release);
        return r;
}

int par_sync_for_cpu(struct par_mapping *mapping, size_t offset, size_t length)
{
        int r = 0;

        if (debug_on() && mapping)
                r = watch_syncs(mapping, offset, length, false, DEBUG_CALL);
        if (r)
                return r;
        r = check_sync(mapping, offset, &length);
        if (r)
                return r;
        atomic_thread_fence(memory_order_acquire);
        if (has_parts(mapping) && mapping_direction(mapping) != PAR_TO_DEVICE)
                r = copy(mapping, offset, length, false);
        return r;
}

/* ---- the end -------------------------------------------------------------------------------- */

static OUT_OF_THE_WAY int unmap_none(struct par_mapping *mapping)
{
        if (!mapping)
                return error_set(-EINVAL, "no mapping");
        if (mapping->flags & MAPPING_ENDED)
                return error_set(-EALREADY, "the mapping was unmapped before");
        return 0;
}

static OUT_OF_THE_WAY int give_pages(const struct par_mapping *mapping, bool may_wait)
{
        struct part part;

        part_of(mapping, &part);
        return part_give(&part, mapping->device->dma, may_wait);
}

static int give(const struct par_mapping *mapping, bool may_wait)
{
        if (mapping->flags & MAPPING_LIST)
                return map_list_free(list_of(mapping), mapping->device->dma, may_wait);
        if (mapping->flags & PAR_MAPPING_IOMMU)
                return give_pages(mapping, may_wait);
        return bounce_give(chunk_of(mapping), run_of(mapping), may_wait);
}

static int unmap_parts(const struct par_mapping *mapping)
{
        const uint32_t options = mapping_options(mapping);
        int r = 0, given;

        if (part_copies_out(mapping_direction(mapping), options))
                r = copy(mapping, 0, mapping->length, false);
        given = give(mapping, !(options & PAR_MAP_ATOMIC));
        return given ? given : r;
}

int par_unmap(struct par_mapping *mapping)
{
        int r = 0;

        if (debug_on() && mapping)
                r = watch_unmaps(mapping, DEBUG_CALL);
        if (r)
                return r;
        if (!mapping || !mapping->n_segments)
                return unmap_none(mapping);
        if (!handle_is_ours(mapping->device->par))
                r = handle_check(mapping->device->par);
        if (r)
                return r;
        if (has_parts(mapping))
                r = unmap_parts(mapping);
        set_ended(mapping);
        return r;
}
