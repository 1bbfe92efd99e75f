/* SPDX-License-Identifier: MIT */
/*
 * An inclusive range of addresses. Inclusive, because the exclusive end of the 64-bit space cannot
 * be represented.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct range - addresses from @first to @last, both included
 * @first: lowest address
 * @last:  highest address, >= @first
 *
 * Plain value. The whole 64-bit space is { 0, UINT64_MAX }; an empty range does not exist.
 */
struct range {
        uint64_t first, last;
};

#define RANGE_ALL ((struct range){ 0, UINT64_MAX })

/* Bytes in the range. The whole 64-bit space has none to say: it is not allowed here. */
static inline uint64_t range_size(struct range r)
{
        assert(r.first <= r.last && !(r.first == 0 && r.last == UINT64_MAX));
        return r.last - r.first + 1;
}

static inline struct range range_of(uint64_t first, uint64_t size_bytes)
{
        assert(size_bytes > 0 && first <= UINT64_MAX - (size_bytes - 1));
        return (struct range){ first, first + (size_bytes - 1) };
}

static inline bool range_contains(struct range outer, struct range inner)
{
        return outer.first <= inner.first && inner.last <= outer.last;
}

static inline bool range_overlaps(struct range a, struct range b)
{
        return a.first <= b.last && b.first <= a.last;
}

/* The part that both have; false where there is none. */
static inline bool range_intersect(struct range a, struct range b, struct range *ret)
{
        if (!range_overlaps(a, b))
                return false;
        ret->first = a.first > b.first ? a.first : b.first;
        ret->last = a.last < b.last ? a.last : b.last;
        return true;
}

static inline bool is_power_of_two(uint64_t v)
{
        return v && !(v & (v - 1));
}

/* @align is a power of two. */
static inline uint64_t align_down(uint64_t v, uint64_t align)
{
        return v & ~(align - 1);
}

/* False where the aligned value would not fit into 64 bits. */
static inline bool align_up(uint64_t v, uint64_t align, uint64_t *ret)
{
        uint64_t sum;

        if (__builtin_add_overflow(v, align - 1, &sum))
                return false;
        *ret = align_down(sum, align);
        return true;
}

/* Whether the range begins and ends where granules do. */
static inline bool range_on_granule(struct range r, uint64_t granule)
{
        return (r.first & (granule - 1)) == 0 && (r.last & (granule - 1)) == granule - 1;
}
