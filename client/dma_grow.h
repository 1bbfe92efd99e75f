/* SPDX-License-Identifier: MIT */
/*
 * Buffers for slots: how they are asked for, and when they go. With bounce::growing held, all of
 * it.
 */
#pragma once

#include "dma_bounce.h"

#define BOUNCE_BUFFER_FIRST ((size_t)256 * 1024)

/* What slots of a device begin on multiples of, at which a mapping may begin. */
static inline uint64_t grow_stride(const struct dma_reach *reach)
{
        uint64_t stride = SLOT_BYTES;

        if (reach->low_mask >= stride)
                stride = reach->low_mask + 1;
        return reach->min_align_mask >= stride ? reach->min_align_mask + 1 : stride;
}

/* The longest segment that buffers for slots have. */
uint64_t grow_segment_bytes(const struct dma_reach *reach);

/**
 * grow() - get a buffer in which there is room for what is wanted
 * @instead: of buffers that nobody uses, where there may be no more
 *
 * Return: 0; -PAR_EXHAUSTED, -PAR_FRAGMENTED where there may be no more; what par_alloc() returns;
 * -ENOMEM. par_error() is set.
 */
int grow(struct bounce *bounce, const struct slot_want *want, bool instead);

/* Why there is nothing now. Needs no lock. Return: -PAR_EXHAUSTED, or -PAR_FRAGMENTED where so much
 * is free; par_error() is set. */
int grow_refuse(const struct bounce *bounce, const struct slot_want *want, const char *why);

/* Of slots. Needs no lock. */
uint64_t grow_used_bytes(const struct bounce *bounce);
