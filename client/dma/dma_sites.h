/* SPDX-License-Identifier: MIT */
/*
 * Who bounces: counters by the place in the program that mapped. Counted without a lock.
 */
#pragma once

#include "public.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SITES_MAX 64 /* a power of two; the last is for all that have no place of their own */

/**
 * struct site - a place
 * @key:    an address, with SITE_LABEL where it is that of a label; 0: nobody's
 * @recent: bounces and bytes in that are not in the others yet, the former in the upper bits: one
 *          addition counts both
 * @settling: somebody moves them
 */
struct site {
        _Alignas(64) _Atomic(uintptr_t) key;
        _Atomic(uint64_t) recent, bounces, bytes_in, bytes_out;
        atomic_bool settling;
};

#define SITE_RECENT_SHIFT 40
#define SITE_RECENT_BYTES ((UINT64_C(1) << SITE_RECENT_SHIFT) - 1)

/* All zero: nobody has bounced. */
struct sites {
        struct site all[SITES_MAX];
};

/* The site of a label, or where it is NULL of a caller. */
struct site *sites_find(struct sites *sites, const char *label, const void *caller);

/* Move what is recent to where it belongs. */
void site_settle(struct site *site);

/* One bounce more, and bytes that were copied for it, less than 2^39. Return: recent bounces. */
static inline uint64_t site_count(struct site *site, uint64_t bytes)
{
        const uint64_t recent =
                atomic_fetch_add_explicit(&site->recent, (UINT64_C(1) << SITE_RECENT_SHIFT) + bytes,
                                          memory_order_relaxed) +
                bytes;

        if (recent >> (SITE_RECENT_SHIFT - 1) & 1 || recent >> 63)
                site_settle(site);
        return recent >> SITE_RECENT_SHIFT;
}

/* All of them that have bounced, up to @room. Return: how many there are. */
size_t sites_list(const struct sites *sites, struct par_map_site *ret, size_t room);
