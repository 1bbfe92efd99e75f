/* SPDX-License-Identifier: MIT */
/*
 * Which memory the devices of a request see, all of them, and where on their buses.
 */
#pragma once

#include "device_settings.h"

#define VIEWS_MAX 32 /* more than so many devices with windows can have in common */

/**
 * struct view - memory, and where devices see it
 * @phys:       physical addresses
 * @dma_offset: to be added to one for its bus address, modulo 2^64
 */
struct view {
        struct range phys;
        uint64_t dma_offset;
};

/**
 * struct reach - the memory of several views, which do not overlap
 * @open: no device has been asked yet: all memory, at whatever addresses; there are no views
 */
struct reach {
        bool open;
        struct view views[VIEWS_MAX];
        size_t count;
};

/**
 * struct sight - how devices see memory, all of them
 * @min_align_mask: the widest of theirs
 * @start_align_bytes: what their alignments are but for that
 * @reach:          what all of them see
 */
struct sight {
        uint64_t min_align_mask, start_align_bytes;
        struct reach reach;
};

/* All memory, wherever devices see it. */
void reach_init(struct reach *reach);

enum reach_loss {
        REACH_SOME,      /* something is left */
        REACH_APART,     /* the device sees none of that memory */
        REACH_DIFFERENT, /* it sees some, but nothing at the same bus address */
};

/**
 * reach_narrow() - leave only what a device sees as well, at the same bus addresses
 * @device: borrowed; REQUEST_DEVICES_MAX of them fit
 *
 * Return: what is left. With anything but REACH_SOME @reach is empty.
 */
enum reach_loss reach_narrow(struct reach *reach, const struct device_settings *device);

/* Whether all memory is seen, and where it is. */
bool reach_is_all(const struct reach *reach);

/* The bus addresses of a view. */
struct range view_dma(const struct view *view);

/* From the lowest to the highest bus address of all views, of which there is one. */
struct range reach_dma_hull(const struct reach *reach);
