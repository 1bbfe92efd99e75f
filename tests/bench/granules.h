/* SPDX-License-Identifier: MIT */
/*
 * Memory counted in granules, for those who place in whole ones. Granule n begins at the address n
 * times the size of a granule.
 */
#pragma once

#include "range.h"

/* How often 2 has to be doubled: granules are 1 << shift bytes. @granule_bytes: power of two */
static inline unsigned granule_shift(uint64_t granule_bytes)
{
        return (unsigned)__builtin_ctzll(granule_bytes);
}

/* Granules that hold so many bytes, > 0. */
static inline uint64_t granules_for(uint64_t bytes, unsigned shift)
{
        return ((bytes - 1) >> shift) + 1;
}

/* Numbers of the granules that lie in a range of addresses whole; false where none does. */
static inline bool granules_in(struct range addresses, unsigned shift, struct range *ret)
{
        const uint64_t mask = (UINT64_C(1) << shift) - 1;
        const uint64_t whole = (addresses.last & mask) == mask;

        ret->first = (addresses.first >> shift) + ((addresses.first & mask) != 0);
        ret->last = (addresses.last >> shift) - !whole;
        return (whole || addresses.last >> shift) && ret->first <= ret->last;
}
