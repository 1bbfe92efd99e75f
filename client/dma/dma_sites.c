/* SPDX-License-Identifier: MIT */
/*
 * Owns the counters. Invariant: a place that has a key keeps it. Refuses to lose a count: who finds
 * no place counts in the last, which is nobody's own.
 */
#include "dma_sites.h"

#define LAST (SITES_MAX - 1)

/* Set in a key that is a label: no pointer of a process has it. */
#define SITE_LABEL ((uintptr_t)1 << (sizeof(uintptr_t) * 8 - 1))

static size_t place_of(uintptr_t key)
{
        return (size_t)((uint64_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 58) & (SITES_MAX - 1);
}

struct site *sites_find(struct sites *sites, const char *label, const void *caller)
{
        const uintptr_t key = label ? (uintptr_t)label | SITE_LABEL : (uintptr_t)caller;
        size_t at = place_of(key);

        for (size_t i = 0; i < SITES_MAX; i++, at = (at + 1) & (SITES_MAX - 1)) {
                struct site *site = &sites->all[at];
                uintptr_t found;

                if (at == LAST)
                        continue;
                found = atomic_load_explicit(&site->key, memory_order_relaxed);
                if (found == key)
                        return site;
                if (!found &&
                    (atomic_compare_exchange_strong_explicit(
                             &site->key, &found, key, memory_order_relaxed, memory_order_relaxed) ||
                     found == key))
                        return site;
        }
        return &sites->all[LAST];
}

void site_settle(struct site *site)
{
        uint64_t recent;

        /* Two at once would take it away twice. */
        if (atomic_exchange_explicit(&site->settling, true, memory_order_acquire))
                return;
        recent = atomic_load_explicit(&site->recent, memory_order_relaxed);
        atomic_fetch_add_explicit(&site->bytes_in, recent & SITE_RECENT_BYTES,
                                  memory_order_relaxed);
        atomic_fetch_add_explicit(&site->bounces, recent >> SITE_RECENT_SHIFT,
                                  memory_order_relaxed);
        atomic_fetch_sub_explicit(&site->recent, recent, memory_order_relaxed);
        atomic_store_explicit(&site->settling, false, memory_order_release);
}

static uint64_t value_of(const _Atomic(uint64_t) *counter)
{
        return atomic_load_explicit(counter, memory_order_relaxed);
}

static struct par_map_site describe(const struct site *site)
{
        const uintptr_t key = atomic_load_explicit(&site->key, memory_order_relaxed);
        const uint64_t recent = value_of(&site->recent);
        struct par_map_site told = {
                .bounces = value_of(&site->bounces) + (recent >> SITE_RECENT_SHIFT),
                .bytes_in = value_of(&site->bytes_in) + (recent & SITE_RECENT_BYTES),
                .bytes_out = value_of(&site->bytes_out),
        };

        if (key & SITE_LABEL)
                told.label = (const char *)(key & ~SITE_LABEL);
        else
                told.caller = (const void *)key;
        return told;
}

size_t sites_list(const struct sites *sites, struct par_map_site *ret, size_t room)
{
        size_t n = 0;

        for (size_t i = 0; i < SITES_MAX; i++) {
                const struct par_map_site site = describe(&sites->all[i]);

                if (!site.bounces)
                        continue;
                if (n < room)
                        ret[n] = site;
                n++;
        }
        return n;
}
