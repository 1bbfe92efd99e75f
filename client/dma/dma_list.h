/* SPDX-License-Identifier: MIT */
/*
 * A mapping of several pieces, or in several segments.
 */
#pragma once

#include "dma_cut.h"
#include "dma_part.h"

/**
 * struct map_list - what the device sees
 * @length:   of all
 * @flags:    PAR_MAPPING_*
 * @parts:    @n_parts of it that it does not see where they are, in their order
 * @segments: @n_segments of all
 */
struct map_list {
        size_t length;
        uint32_t flags;
        size_t n_parts, n_segments;
        struct part *parts;
        struct par_segment *segments;
};

/**
 * map_list_new() - map pieces one after the other
 * @pieces: @count of them, which were checked; borrowed
 * @ret:    map_list_free()
 *
 * Return: 0; what par_map_sg() returns.
 */
int map_list_new(const struct map_ask *ask, const struct iovec *pieces, size_t count,
                 struct map_list **ret);

/* Copy some of it, as far as it is bounced, into slots or back. Return: 0; -EHWPOISON, -ESTALE. */
int map_list_copy(const struct map_list *list, struct dma *dma, size_t offset, size_t length,
                  bool in);

/* Give all parts back; nothing is copied. Return: 0; -EALREADY. */
int map_list_free(struct map_list *list, struct dma *dma, bool may_wait);
