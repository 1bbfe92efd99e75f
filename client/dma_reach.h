/* SPDX-License-Identifier: MIT */
/*
 * What a device reaches, and how its memory has to lie: for look-ups on the short way, so that
 * everything that can be is worked out beforehand.
 */
#pragma once

#include "constraint.h"
#include "lookup.h"

#include <stdbool.h>
#include <stdint.h>

#define REACH_WINDOWS_MAX 32 /* of several devices together */

/**
 * struct reach_window - memory that a device sees, and where
 * @phys:   physical addresses; first above last: none
 * @offset: to be added to one for the device's, modulo 2^64
 */
struct reach_window {
        struct range phys;
        uint64_t offset;
};

/**
 * struct dma_reach - of a device, after par_map_setup() for good
 * @limits:         of its addresses; size_bytes is not used. align_bytes is of the first byte
 * @min_align_mask: 2^n - 1: these bits of a pointer and of its address are the same
 * @segment_bytes_max: the longest segment
 * @boundary_mask:  the bits of an address that are the same in all of a segment
 * @low_mask:       those that are 0 in the first address of a segment
 * @windows:        @n_windows; none: it sees memory where it is
 */
struct dma_reach {
        struct constraint limits;
        uint64_t min_align_mask, segment_bytes_max, boundary_mask, low_mask;
        struct reach_window windows[REACH_WINDOWS_MAX];
        size_t n_windows;
};

/**
 * reach_init() - from what the daemon says of a device
 * @limits:      as it says them
 * @start_align: what a first address is a multiple of; @limits' align has @min_align_mask in it
 * @windows:     stay as they are
 */
void reach_init(struct dma_reach *reach, const struct par_constraint *limits, uint64_t start_align,
                uint64_t min_align_mask);

/**
 * reach_narrow() - leave what a constraint allows as well
 * @constraint: valid
 *
 * Return: false where that is nothing.
 */
bool reach_narrow(struct dma_reach *reach, const struct par_constraint *constraint);

/* As a request for a buffer, in one segment. */
struct par_constraint reach_constraint(const struct dma_reach *reach);

/* Where a device sees physical memory; false where it does not. */
bool reach_see(const struct dma_reach *reach, uint64_t phys, uint64_t bytes, uint64_t *ret_dma);

/* Back: the next place, from the @from-th window on, where memory may be that a device sees at an
 * address; @from moves on. Return: whether there is one. */
bool reach_seen(const struct dma_reach *reach, uint64_t dma, size_t *from, uint64_t *ret_phys);

/* Whether memory at @dma is one segment for the device. @bytes > 0, and does not wrap. */
static inline bool reach_takes(const struct dma_reach *reach, uint64_t pointer, uint64_t dma,
                               uint64_t bytes)
{
        const uint64_t last = dma + (bytes - 1);

        return dma >= reach->limits.window.first && last <= reach->limits.window.last &&
               bytes <= reach->segment_bytes_max && !((dma ^ last) & reach->boundary_mask) &&
               !(dma & reach->low_mask) && !((dma ^ pointer) & reach->min_align_mask);
}

/**
 * reach_find() - where a device sees part of a buffer
 * @view:   of the device, see lookup.h
 * @extent: of the buffer
 * @into:   how far into it
 * @bytes:  from there on
 *
 * Return: false where it does not.
 */
static inline bool reach_find(const struct dma_reach *reach, uint32_t view,
                              const struct extent *extent, uint64_t into, uint64_t bytes,
                              uint64_t *ret_dma)
{
        if (extent->dma == PAR_PHYS_NONE || extent->view == VIEW_NONE)
                return false;
        *ret_dma = extent->dma + into;
        if (extent->view == view)
                return true;
        /* Memory's own addresses are nothing to a device behind an IOMMU. */
        if (extent->view != VIEW_MEMORY || view < VIEW_DEVICES)
                return false;
        return !reach->n_windows || reach_see(reach, *ret_dma, bytes, ret_dma);
}
