/* SPDX-License-Identifier: MIT */
/*
 * A piece of memory that the device does not see where it is: in slots, or in pages that are mapped
 * for it.
 */
#pragma once

#include "dma.h"

/**
 * struct part - contiguous for both
 * @memory: the caller's, @length bytes
 * @offset: in the mapping
 * @dma:    where the device sees it
 * @pages:  NULL: it is bounced
 * @slot:   @slot.data is what is copied; run none: the slots are another part's
 * @site:   whose it is, where it is bounced: its number
 */
struct part {
        char *memory;
        size_t length, offset;
        uint64_t dma;
        struct pages *pages;
        struct bounce_slot slot;
        size_t site;
};

/**
 * part_map() - let the device see memory
 * @memory: no more than bounce_bytes_max(), unless @ret_long
 * @ret:    @offset is 0; part_give()
 *
 * What is bounced is copied, where the direction asks for it.
 *
 * Return: 0; what par_map() returns. par_error() is set.
 */
int part_map(const struct map_ask *ask, const void *memory, size_t length, struct part *ret);

/* Only in pages. Return: 0; -EAGAIN where the device's limits do not go with whole pages; what
 * page_maps_take() returns. */
int part_try_pages(const struct map_ask *ask, const void *memory, size_t length, struct part *ret);

/* The same. Return: 0; -EAGAIN where it has to be bounced; what part_map() returns. */
int part_map_pages(const struct map_ask *ask, const void *memory, size_t length, struct part *ret);

/* Only bounced. */
int part_map_bounced(const struct map_ask *ask, const void *memory, size_t length,
                     struct part *ret);

/* Refuse what belongs to a device. Return: 0; -PAR_INVALID. par_error() is set. */
int part_check(const struct map_ask *ask, const void *memory, size_t length);

/* What is copied when a mapping is made, and when it ends. */
static inline bool part_copies_in(enum par_direction direction, uint32_t flags)
{
        return !(flags & PAR_MAP_SKIP_SYNC) &&
               (direction != PAR_FROM_DEVICE || !(flags & PAR_MAP_OVERWRITE));
}

static inline bool part_copies_out(enum par_direction direction, uint32_t flags)
{
        return !(flags & PAR_MAP_SKIP_SYNC) && direction != PAR_TO_DEVICE;
}

/* Copy part of a part, where it is bounced. Return: 0; -EHWPOISON, -ESTALE. par_error() is set. */
int part_copy_in(const struct part *part, struct dma *dma, size_t offset, size_t length);
int part_copy_out(const struct part *part, struct dma *dma, size_t offset, size_t length);

/* The device does not see it any more; nothing is copied. Return: 0; -EALREADY. par_error() is set.
 */
int part_give(const struct part *part, struct dma *dma, bool may_wait);
