/* SPDX-License-Identifier: MIT */
/*
 * Owns the counters. Invariant: a place that has a key keeps it, and tallies that are a thread's
 * are written by it alone, so that it need not lock what it adds to. Refuses to lose a count: who
 * finds no place counts in the last, which is nobody's own, and who finds no tallies in those that
 * are shared.
 */
#include "dma_sites.h"

#define LAST (SITES_MAX - 1)

/* Set in a key that is a label: no pointer of a process has it. */
#define SITE_LABEL ((uintptr_t)1 << (sizeof(uintptr_t) * 8 - 1))

/* Have a word that is nobody's, or was one's own already. */
static bool claim(_Atomic(uintptr_t) *word, uintptr_t own)
{
        uintptr_t found = atomic_load_explicit(word, memory_order_relaxed);

        return found == own ||
               (!found && (atomic_compare_exchange_strong_explicit(
                                   word, &found, own, memory_order_relaxed, memory_order_relaxed) ||
                           found == own));
}

static size_t place_of(uintptr_t key)
{
        return (size_t)((uint64_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 58) & (SITES_MAX - 1);
}

size_t sites_find(struct sites *sites, const char *label, const void *caller)
{
        const uintptr_t key = label ? (uintptr_t)label | SITE_LABEL : (uintptr_t)caller;
        size_t at = place_of(key);

        for (size_t i = 0; i < SITES_MAX; i++, at = (at + 1) & (SITES_MAX - 1))
                if (at != LAST && claim(&sites->keys[at], key))
                        return at;
        return LAST;
}

size_t sites_thread_far(struct sites *sites, uintptr_t thread, size_t at)
{
        for (size_t i = 0; i < SITE_THREADS; i++, at = (at + 1) & (SITE_THREADS - 1))
                if (claim(&sites->threads[at], thread))
                        return at;
        return SITE_THREADS;
}

static uint64_t value_of(const _Atomic(uint64_t) *counter)
{
        return atomic_load_explicit(counter, memory_order_relaxed);
}

static struct par_map_site describe(const struct sites *sites, size_t site)
{
        const uintptr_t key = atomic_load_explicit(&sites->keys[site], memory_order_relaxed);
        struct par_map_site told = { .bounces = 0 };

        for (size_t i = 0; i <= SITE_THREADS; i++) {
                const struct site_tally *tally = &sites->tallies[i][site];

                told.bounces += value_of(&tally->bounces);
                told.bytes_in += value_of(&tally->bytes_in);
                told.bytes_out += value_of(&tally->bytes_out);
        }
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
                const struct par_map_site site = describe(sites, i);

                if (!site.bounces)
                        continue;
                if (n < room)
                        ret[n] = site;
                n++;
        }
        return n;
}
