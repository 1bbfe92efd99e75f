/* SPDX-License-Identifier: MIT */
/*
 * Three zones with a buddy each, as Linux has them on x86-64: DMA below 16 MiB, DMA32 below 4 GiB,
 * NORMAL. A zone that has no memory is left out. No free run reaches over the border of a zone.
 *
 * A request with a highest address goes the way of dma_direct_alloc() (kernel/dma/direct.c): the
 * address chooses the highest zone, DMA for at most 24 bits, DMA32 for at most 32; the first block
 * that this zone or one below has is looked at; where it lies too high it goes back, and the next
 * try is from DMA32 and at last from DMA. Nothing searches a zone for a better block. Neither has
 * Linux a lowest address: what lies below it is refused.
 *
 * A lower zone is left to those who need it by lowmem_reserve (sysctl lowmem_reserve_ratio,
 * setup_per_zone_lowmem_reserve()): whoever could have used the zones above must leave 1/256 of
 * their memory free in it. Watermarks are 0, where Linux keeps a little more for itself.
 *
 * An alignment beyond the size is that of a larger block, of which only the beginning is kept, as
 * alloc_pages_exact() does.
 */
#include "placer.h"

#include "buddy.h"
#include "granules.h"
#include "macros.h"
#include "result.h"

#include <errno.h>
#include <stdlib.h>

enum zone { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONES };

#define DMA_LAST   (16 * MiB - 1)
#define DMA32_LAST (4 * GiB - 1)

/* sysctl_lowmem_reserve_ratio, which is the same for the two zones that have one above them. */
#define RESERVE_RATIO 256

/**
 * struct zones - the memory
 * @buddy:   of each zone, NULL where it has no memory; owned
 * @managed: granules of each zone
 * @reserve: [zone][highest]: granules that must stay free in a zone for who may use up to @highest
 */
struct zones {
        struct buddy *buddy[ZONES];
        uint64_t managed[ZONES];
        uint64_t reserve[ZONES][ZONES];
        unsigned shift;
};

static const struct range zone_ranges[ZONES] = {
        [ZONE_DMA] = { 0, DMA_LAST },
        [ZONE_DMA32] = { DMA_LAST + 1, DMA32_LAST },
        [ZONE_NORMAL] = { DMA32_LAST + 1, UINT64_MAX },
};

static void zones_close(void *placer)
{
        struct zones *zones = placer;

        if (!zones)
                return;
        for (unsigned i = 0; i < ZONES; i++)
                buddy_free(zones->buddy[i]);
        free(zones);
}

/* The part of a range of memory that a zone has, in granules; false where there is none. */
static bool part_of_zone(const struct zones *zones, enum zone zone, struct range memory,
                         struct range *ret)
{
        return range_intersect(memory, zone_ranges[zone], &memory) &&
               granules_in(memory, zones->shift, ret);
}

static int open_zone(struct zones *zones, enum zone zone, const struct range *memory,
                     size_t n_memory)
{
        const struct range all = { memory[0].first, memory[n_memory - 1].last };
        struct range part;
        int r;

        if (!part_of_zone(zones, zone, all, &part))
                return 0;
        r = buddy_new(part, &zones->buddy[zone]);
        if (r)
                return r;
        for (size_t i = 0; i < n_memory; i++)
                if (part_of_zone(zones, zone, memory[i], &part))
                        buddy_add(zones->buddy[zone], part);
        zones->managed[zone] = buddy_free_count(zones->buddy[zone]);
        return 0;
}

static void set_reserves(struct zones *zones)
{
        for (unsigned zone = 0; zone < ZONES; zone++) {
                uint64_t above = 0;

                for (unsigned highest = zone + 1; highest < ZONES; highest++) {
                        above += zones->managed[highest];
                        zones->reserve[zone][highest] = above / RESERVE_RATIO;
                }
        }
}

static int zones_open(const struct range *memory, size_t n_memory, uint64_t granule_bytes,
                      void **ret)
{
        struct zones *zones;
        int r = 0;

        /* A granule must not reach over the border of a zone. */
        if (granule_bytes > DMA_LAST + 1)
                return -ENOTSUP;
        zones = calloc(1, sizeof(*zones));
        if (!zones)
                return -ENOMEM;
        zones->shift = granule_shift(granule_bytes);
        for (unsigned zone = 0; zone < ZONES && !r; zone++)
                r = open_zone(zones, zone, memory, n_memory);
        if (r) {
                zones_close(zones);
                return r;
        }
        set_reserves(zones);
        *ret = zones;
        return 0;
}

static uint64_t free_count(const struct zones *zones)
{
        uint64_t sum = 0;

        for (unsigned i = 0; i < ZONES; i++)
                sum += zones->buddy[i] ? buddy_free_count(zones->buddy[i]) : 0;
        return sum;
}

/* The highest zone for a highest address: dma_direct_optimal_gfp_mask(). */
static enum zone highest_zone(uint64_t addr_max)
{
        if (addr_max <= DMA_LAST)
                return ZONE_DMA;
        return addr_max <= DMA32_LAST ? ZONE_DMA32 : ZONE_NORMAL;
}

static enum zone zone_of(const struct zones *zones, uint64_t granule)
{
        return highest_zone(granule << zones->shift);
}

/* The block that a zone or one below it has first: get_page_from_freelist(). */
static bool first_block(const struct zones *zones, enum zone highest, unsigned order,
                        struct block *ret)
{
        for (unsigned zone = highest + 1; zone-- > 0;) {
                const struct buddy *buddy = zones->buddy[zone];
                const uint64_t least = zones->reserve[zone][highest] + (UINT64_C(1) << order);

                if (buddy && buddy_free_count(buddy) >= least && buddy_first(buddy, order, ret))
                        return true;
        }
        return false;
}

/* __dma_direct_alloc_pages(); where nothing comes at all, it gives up as well. */
static int find_block(const struct zones *zones, const struct constraint *want,
                      struct block *ret_from, struct block *ret_block)
{
        const uint64_t count = granules_for(want->size_bytes, zones->shift);
        const uint64_t align = want->align_bytes >> zones->shift;
        const unsigned order = buddy_order(count);
        enum zone highest = highest_zone(want->window.last);
        struct range window;

        if (count > free_count(zones) || !granules_in(want->window, zones->shift, &window))
                return PAR_REFUSED_EXHAUSTED;
        while (first_block(zones, highest, buddy_order(count > align ? count : align), ret_from)) {
                *ret_block = (struct block){ ret_from->first, order };
                if (range_contains(window, range_of(ret_from->first, count)))
                        return 0;
                if (highest == ZONE_DMA)
                        break;
                highest--;
        }
        return PAR_REFUSED_FRAGMENTED;
}

static int zones_find(const void *placer, const struct constraint *want, uint64_t *ret_first)
{
        const struct zones *zones = placer;
        struct block from, block;
        int r;

        r = find_block(zones, want, &from, &block);
        if (!r)
                *ret_first = block.first << zones->shift;
        return r;
}

static int zones_take(void *placer, const struct constraint *want, uint64_t *ret_first)
{
        struct zones *zones = placer;
        struct block from, block;
        int r;

        r = find_block(zones, want, &from, &block);
        if (r)
                return r;
        buddy_take(zones->buddy[zone_of(zones, block.first)], from, block);
        *ret_first = block.first << zones->shift;
        return 0;
}

static void zones_give(void *placer, uint64_t first, uint64_t size_bytes)
{
        struct zones *zones = placer;
        const struct block block = { first >> zones->shift,
                                     buddy_order(granules_for(size_bytes, zones->shift)) };

        buddy_give(zones->buddy[zone_of(zones, block.first)], block);
}

static uint64_t zones_free_bytes(const void *placer)
{
        const struct zones *zones = placer;

        return free_count(zones) << zones->shift;
}

static uint64_t zones_largest_bytes(const void *placer, struct range window)
{
        const struct zones *zones = placer;
        uint64_t longest = 0, run;
        struct range granules;

        if (!granules_in(window, zones->shift, &granules))
                return 0;
        for (unsigned i = 0; i < ZONES; i++) {
                run = zones->buddy[i] ? buddy_longest(zones->buddy[i], granules) : 0;
                longest = run > longest ? run : longest;
        }
        return longest << zones->shift;
}

static size_t zones_metadata_bytes(const void *placer)
{
        const struct zones *zones = placer;
        size_t sum = sizeof(*zones);

        for (unsigned i = 0; i < ZONES; i++)
                sum += zones->buddy[i] ? buddy_metadata_bytes(zones->buddy[i]) : 0;
        return sum;
}

const struct placer_ops placer_zones = {
        .name = "zones",
        .open = zones_open,
        .close = zones_close,
        .find = zones_find,
        .take = zones_take,
        .give = zones_give,
        .free_bytes = zones_free_bytes,
        .largest_bytes = zones_largest_bytes,
        .metadata_bytes = zones_metadata_bytes,
};
