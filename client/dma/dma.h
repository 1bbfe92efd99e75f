/* SPDX-License-Identifier: MIT */
/*
 * What streaming mappings of a device share, and how one is asked for.
 */
#pragma once

#include "dma_bounce.h"
#include "dma_pages.h"
#include "dma_sites.h"

#include <stdatomic.h>
#include <stdbool.h>

/**
 * struct dma - of a device, as long as that is open
 * @device:   borrowed
 * @failures: bounces that were refused
 * @used:     something was mapped, or set up: par_map_setup() comes too late
 */
struct dma {
        struct sites sites;
        struct par_device *device;
        struct bounce bounce;
        struct page_maps pages;
        _Atomic(uint64_t) failures;
        atomic_bool used;
};

/* Return: NULL without memory. */
struct dma *dma_new(struct par_device *device);

/* Free it, of a device that is closed, or whose handle goes. NULL is fine. */
void dma_free(struct dma *dma);

/* The device uses nothing any more: give everything back that is not the handle's, and tell the log
 * what was not unmapped. */
void dma_close(struct dma *dma);

/* No mapping of a device stays in an IOMMU. With the lock of the handle held. */
void dma_unmap_pages(struct dma *dma);

/* par_mapping.flags beside PAR_MAPPING_*: a list; what was unmapped; whose mistakes are looked for,
 * also when it was; the direction; what par_map() was told. */
#define MAPPING_LIST            (UINT32_C(1) << 8)
#define MAPPING_ENDED           (UINT32_C(1) << 9)
#define MAPPING_WATCHED         (UINT32_C(1) << 12)
#define MAPPING_DIRECTION_SHIFT 10
#define MAPPING_OPTIONS_SHIFT   16

/* par_mapping.opaque */
enum {
        OPAQUE_PART,  /* where its slots are mapped; or its pages; or the list */
        OPAQUE_CHUNK, /* NULL: it is in pages */
        OPAQUE_RUN,
        OPAQUE_SITE,
        OPAQUE_WATCH, /* its number, with MAPPING_WATCHED */
};

static inline uint32_t mapping_flags(enum par_direction direction, uint32_t options)
{
        return (uint32_t)direction << MAPPING_DIRECTION_SHIFT | options << MAPPING_OPTIONS_SHIFT;
}

static inline enum par_direction mapping_direction(const struct par_mapping *mapping)
{
        return (enum par_direction)(mapping->flags >> MAPPING_DIRECTION_SHIFT & 3);
}

static inline uint32_t mapping_options(const struct par_mapping *mapping)
{
        return mapping->flags >> MAPPING_OPTIONS_SHIFT;
}

/**
 * struct map_ask - what par_map() was asked for
 * @view:   of the device's addresses, see lookup.h
 * @flags:  PAR_MAP_*
 * @max_segments: > 0
 * @label, @caller: whose it is
 */
struct map_ask {
        struct par_device *device;
        enum par_direction direction;
        uint32_t view, flags, max_segments;
        const char *label;
        const void *caller;
};

/**
 * map_ask_init() - what options mean
 * @options: NULL: as all zero
 * @otherwise: max_segments where @options do not say
 *
 * Return: 0; -EINVAL; -ECHILD. par_error() is set.
 */
int map_ask_init(struct map_ask *ask, struct par_device *device, enum par_direction direction,
                 const struct par_map_options *options, uint32_t otherwise, const void *caller);

/* Return: 0; -EINVAL for no memory, or what wraps. par_error() is set. */
int map_ask_check(const void *pointer, size_t length);
