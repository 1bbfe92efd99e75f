/* SPDX-License-Identifier: MIT */
/*
 * How often each duration was seen, in buckets that are exact below 128 and at most 1/64 wide
 * above.
 */
#pragma once

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 6  /* buckets in each doubling: 64 */
#define HISTOGRAM_SHIFT_MAX 34 /* 2^41 ticks and more are in the last bucket */
#define HISTOGRAM_BUCKETS   ((HISTOGRAM_SHIFT_MAX + 2) << HISTOGRAM_STEP_BITS)

/**
 * struct histogram - all zero: nothing was seen
 * @count: values that were added
 * @max:   the largest
 */
struct histogram {
        uint64_t count, max;
        uint32_t buckets[HISTOGRAM_BUCKETS];
};

/* How far a value is shifted so that what is left has HISTOGRAM_STEP_BITS + 1 bits. */
static inline unsigned histogram_shift(uint64_t value)
{
        const unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);

        return bits > HISTOGRAM_STEP_BITS + 1 ? bits - (HISTOGRAM_STEP_BITS + 1) : 0;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
        const unsigned shift = histogram_shift(value);
        uint64_t bucket = ((uint64_t)shift << HISTOGRAM_STEP_BITS) + (value >> shift);

        if (bucket >= HISTOGRAM_BUCKETS)
                bucket = HISTOGRAM_BUCKETS - 1;
        histogram->buckets[bucket]++;
        histogram->count++;
        if (value > histogram->max)
                histogram->max = value;
}

/**
 * histogram_at() - a percentile, never less than it is
 * @histogram: of at least one value
 * @permille:  1 to 1000: 500 is the median
 *
 * Return: the upper end of the bucket that holds it.
 */
uint64_t histogram_at(const struct histogram *histogram, unsigned permille);
