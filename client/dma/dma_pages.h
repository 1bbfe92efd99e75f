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
 * @uses: mappings that lie in them; protected by page_maps::lock
 */
struct pages {
        RB_ENTRY(pages) by_address; /* page_maps::tree */
        struct range at;
        struct io_wish wish;
        unsigned uses;
};

RB_HEAD(page_tree, pages);

/**
 * struct page_maps - those of a device
 * @lock: protects @tree
 * @maps: calls of the kernel, @shared: how often none was needed
 */
struct page_maps {
        pthread_mutex_t lock;
        struct page_tree tree;
        _Atomic(uint64_t) maps, shared;
};

void page_maps_init(struct page_maps *maps);

/* Unmap all, of a device that uses none any more. With the lock of the handle held. Return: how
 * many there were. */
size_t page_maps_close(struct page_maps *maps);

/* Free what there is; nothing is unmapped. */
void page_maps_deinit(struct page_maps *maps);

/**
 * page_maps_take() - map memory
 * @device:     attached
 * @range:      of this process
 * @constraint: of the addresses; its align is at most the IOMMU's page
 * @ret_dma:    of the first byte
 * @ret:        page_maps_give()
 *
 * Pages that are mapped already are used by both.
 *
 * Return: 0; what io_wish_init() and io_space_map() return; -ENOMEM. par_error() is set.
 */
int page_maps_take(struct page_maps *maps, struct par_device *device, struct range range,
                   const struct par_constraint *constraint, uint64_t *ret_dma, struct pages **ret);

/* One mapping less. */
void page_maps_give(struct page_maps *maps, struct pages *pages);
