/* SPDX-License-Identifier: MIT */
/*
 * Owns the choice between pages and slots, and the copying.
 *
 * Invariant: a part has either. Refuses to read what may be a device's registers.
 */
#include "dma_part.h"

#include "dma_cut.h"
#include "handle.h"

#include <errno.h>
#include <string.h>

/* A mapping in so many looks whether slots have been idle for long. */
#define SWEEP_EVERY 64

/* ---- whose memory it is --------------------------------------------------------------------- */

int part_check(const struct map_ask *ask, const void *memory, size_t length)
{
        struct bar_maps *bars = &ask->device->par->bars;
        const struct range range = range_of((uintptr_t)memory, length);

        if (ask->device->par->debug || ask->device->par->owner ||
            !atomic_load_explicit(&bars->table, memory_order_acquire))
                (void)bar_maps_read(bars); /* where it cannot be, nothing is known of any */
        if (!bar_maps_touch(bars, range))
                return 0;
        return error_set(-PAR_INVALID,
                         "%zu bytes at %p are registers or memory of a device: par_map_resource() "
                         "maps them",
                         length, memory);
}

/* Member by member, as a mapping. */
static inline void part_init(struct part *part, const void *memory, size_t length)
{
        part->memory = (char *)(uintptr_t)memory;
        part->length = length;
        part->offset = 0;
        part->pages = NULL;
        part->site = 0;
        part->slot.chunk = NULL;
        part->slot.data = NULL;
        part->slot.run = (struct slot_run){ 0 };
}

/* ---- pages ---------------------------------------------------------------------------------- */

/* Whether it can be had where the memory begins in its page. */
static bool fits_pages(const struct device_reach *reach, uint64_t at, uint64_t page)
{
        return reach->min_align_mask < page && !(at & (page - 1) & reach->low_mask) &&
               (reach->low_mask < page || !(at & (page - 1)));
}

/* As the kernel's dma_info_to_prot() has it. */
static enum io_access access_of(enum par_direction direction)
{
        switch (direction) {
        case PAR_TO_DEVICE: return IO_READ;
        case PAR_FROM_DEVICE: return IO_WRITE;
        default: return IO_READ_WRITE;
        }
}

/* Whether slots may do where pages do not: memory that the kernel does not pin, and limits that
 * whole pages do not satisfy. */
static bool may_bounce(int r)
{
        switch (r) {
        case -EFAULT:
        case -PAR_NEVER_FITS:
        case -PAR_INVALID:
        case -PAR_EXHAUSTED:
        case -PAR_FRAGMENTED: return true;
        default: return false;
        }
}

int part_try_pages(const struct map_ask *ask, const void *memory, size_t length, struct part *ret)
{
        struct par_device *device = ask->device;
        const uint64_t at = (uintptr_t)memory;
        struct pages_want want = {
                .device = device,
                .range = range_of(at, length),
                .constraint = reach_constraint(&device->reach),
                .access = access_of(ask->direction),
        };
        struct cut cut;
        int r;

        if (!fits_pages(&device->reach, at, io_space_granule(device->io_space)))
                return -EAGAIN;
        want.constraint.max_segments = ask->max_segments;
        part_init(ret, memory, length);
        r = page_maps_take(&device->dma->pages, &want, &ret->dma, &ret->pages);
        if (r)
                return r;
        cut_init(&cut, &device->reach, NULL, 0);
        cut_add(&cut, at, ret->dma, length);
        if (cut_end(&cut) && cut.n <= ask->max_segments)
                return 0;
        page_maps_give(&device->dma->pages, ret->pages, want.range);
        return -EAGAIN;
}

int part_map_pages(const struct map_ask *ask, const void *memory, size_t length, struct part *ret)
{
        const int r = part_try_pages(ask, memory, length, ret);

        return r && may_bounce(r) ? -EAGAIN : r;
}

/* ---- slots ---------------------------------------------------------------------------------- */

static int refuse_length(const struct map_ask *ask, size_t length, size_t most)
{
        error_set(-PAR_NEVER_FITS,
                  "%zu bytes at once have to be bounced for device %s: at most %zu can be "
                  "(par_device_max_mapping()), or more than %u segments be allowed",
                  length, ask->device->name, most, ask->max_segments);
        return error_set_figures(-PAR_NEVER_FITS, &(struct par_refusal_info){
                                                          .size = length,
                                                          .largest_run = most,
                                                  });
}

static int check_bounce(const struct map_ask *ask, const void *memory, size_t length)
{
        const size_t most = bounce_bytes_max(&ask->device->dma->bounce);

        if (ask->flags & PAR_MAP_NO_BOUNCE)
                return error_set(-PAR_NEVER_FITS,
                                 "device %s does not see %zu bytes at %p as they lie, and "
                                 "PAR_MAP_NO_BOUNCE forbids to copy them",
                                 ask->device->name, length, memory);
        return length > most ? refuse_length(ask, length, most) : 0;
}

int part_map_bounced(const struct map_ask *ask, const void *memory, size_t length, struct part *ret)
{
        struct dma *dma = ask->device->dma;
        const bool may_wait = !(ask->flags & PAR_MAP_ATOMIC);
        bool copies;
        int r;

        part_init(ret, memory, length);
        r = check_bounce(ask, memory, length);
        if (!r)
                r = bounce_take(&dma->bounce, (uintptr_t)memory, length, may_wait, &ret->slot);
        if (r) {
                atomic_fetch_add_explicit(&dma->failures, 1, memory_order_relaxed);
                return r;
        }
        /* Where there were more slots made just now, more is known as well. */
        if (ask->device->par->debug || !bar_maps_are_none(&ask->device->par->bars))
                r = part_check(ask, memory, length);
        if (r) {
                (void)bounce_give(ret->slot.chunk, ret->slot.run, may_wait);
                return r;
        }
        ret->dma = ret->slot.dma;
        ret->site = sites_find(&dma->sites, ask->label, ask->caller);
        copies = part_copies_in(ask->direction, ask->flags);
        if (copies)
                memcpy(ret->slot.data, memory, length);
        if (sites_count(&dma->sites, ret->site, copies ? length : 0) % SWEEP_EVERY == 0 && may_wait)
                bounce_sweep(&dma->bounce, false);
        return 0;
}

/* In pages, or in slots where that does not do. Apart, since slots alone are the short way. */
static __attribute__((__noinline__)) int map_with_iommu(const struct map_ask *ask,
                                                        const void *memory, size_t length,
                                                        struct part *ret)
{
        int r;

        r = part_check(ask, memory, length);
        if (!r)
                r = part_map_pages(ask, memory, length, ret);
        return r == -EAGAIN ? part_map_bounced(ask, memory, length, ret) : r;
}

int part_map(const struct map_ask *ask, const void *memory, size_t length, struct part *ret)
{
        return ask->view < VIEW_DEVICES ? map_with_iommu(ask, memory, length, ret)
                                        : part_map_bounced(ask, memory, length, ret);
}

int part_copy_in(const struct part *part, struct dma *dma, size_t offset, size_t length)
{
        int r;

        if (part->pages)
                return 0;
        r = bounce_check(&part->slot, true);
        if (r != -EHWPOISON) {
                memcpy(part->slot.data + offset, part->memory + offset, length);
                sites_copied(&dma->sites, part->site, length, true);
        }
        return r;
}

int part_copy_out(const struct part *part, struct dma *dma, size_t offset, size_t length)
{
        int r;

        if (part->pages)
                return 0;
        r = bounce_check(&part->slot, false);
        if (r != -EHWPOISON) {
                memcpy(part->memory + offset, part->slot.data + offset, length);
                sites_copied(&dma->sites, part->site, length, false);
        }
        return r;
}

int part_give(const struct part *part, struct dma *dma, bool may_wait)
{
        if (part->pages) {
                page_maps_give(&dma->pages, part->pages,
                               range_of((uintptr_t)part->memory, part->length));
                return 0;
        }
        return part->slot.run.word ? bounce_give(part->slot.chunk, part->slot.run, may_wait) : 0;
}
