/* SPDX-License-Identifier: MIT */
/*
 * From contiguous pieces, as they come, to the segments of a device.
 */
#pragma once

#include "device_reach.h"

#include <stdbool.h>
#include <stddef.h>

/**
 * struct cut - segments so far
 * @segments: NULL: they are only counted. Room for @room
 * @n:        how many there are
 * @ok:       the device takes all of it
 * @run:      what came last, and may go on; @length 0: nothing
 */
struct cut {
        const struct device_reach *reach;
        struct par_segment *segments;
        size_t room, n;
        bool ok;
        struct par_segment run;
};

void cut_init(struct cut *cut, const struct device_reach *reach, struct par_segment *segments,
              size_t room);

/* One more piece, behind all others in the mapping. @bytes > 0. */
void cut_add(struct cut *cut, uint64_t pointer, uint64_t dma, uint64_t bytes);

/**
 * cut_add_buffers() - memory that the device sees where it is, if it does
 * @view: of the device
 *
 * Return: false where some of it does not lie in buffers that the device reaches.
 */
bool cut_add_buffers(struct cut *cut, const struct lookup *lookup, uint32_t view, uint64_t pointer,
                     uint64_t bytes);

/* That was all. Return: whether the device takes it. */
bool cut_end(struct cut *cut);
