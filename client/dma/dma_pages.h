/* SPDX-License-Identifier: MIT */
/*
 * Pages of any memory that are mapped in an IOMMU for a device, as long as a mapping needs them.
 */
#pragma once

#include "io_wish.h"
#include "rb_tree.h"

#include <pthread.h>
#include <stdatomic.h>

/**
 * struct pages - pages side by side, mapped as one
 * @at:   in this process
 * @wish: where they are mapped, and in which space, of which it has a reference
 * @uses: mappings that lie in them, @whole: those of them that need all of these pages; both
 *        protected by page_maps::lock
 * @wish.want.access: what the device may do with all of them, as long as they are mapped
 *
 * While there is one that needs all of them the memory is what it was. Where there are others
 * alone, pages that none of these needs may be somebody else's memory in this process by now: then
 * nobody else gets them.
 */
struct pages {
        RB_ENTRY(pages) by_address; /* page_maps::trees */
        struct range at;
        struct io_wish wish;
        unsigned uses, whole;
};

RB_HEAD(page_tree, pages);

/**
 * struct page_maps - those of a device
 * @lock:  protects @trees
 * @trees: a page may be in each of them, at another address for the device: what one mapping lets
 *         it do says nothing of what the next one does, and nobody can change it while it is mapped
 * @maps: calls of the kernel, @shared: how often none was needed
 */
struct page_maps {
        pthread_mutex_t lock;
        struct page_tree trees[IO_ACCESSES];
        _Atomic(uint64_t) maps, shared;
};

void page_maps_init(struct page_maps *maps);

/* Unmap all, of a device that uses none any more. With the lock of the handle held. Return: how
 * many there were. */
size_t page_maps_close(struct page_maps *maps);

/* Free what there is; nothing is unmapped. */
void page_maps_deinit(struct page_maps *maps);

/**
 * struct pages_want - memory for a device; plain, and borrowed
 * @device:     attached
 * @range:      of this process
 * @constraint: of the addresses; its align is at most the IOMMU's page
 * @access:     what the device may do with it
 */
struct pages_want {
        struct par_device *device;
        struct range range;
        struct par_constraint constraint;
        enum io_access access;
};

/**
 * page_maps_take() - map memory
 * @ret_dma: of the first byte
 * @ret:     page_maps_give()
 *
 * Pages that are mapped already are used by both, where the device may do the same with them and
 * the constraint allows it.
 *
 * Return: 0; what io_wish_init() and io_space_map() return; -ENOMEM. par_error() is set.
 */
int page_maps_take(struct page_maps *maps, const struct pages_want *want, uint64_t *ret_dma,
                   struct pages **ret);

/* One mapping less: of @range, as page_maps_take() had it. */
void page_maps_give(struct page_maps *maps, struct pages *pages, struct range range);
