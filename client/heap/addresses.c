/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of a heap's units.
 *
 * Invariant: a unit that is there is found in the newest table by every reader, at any moment: a
 * slot's key is written last, and a slot is used again only after its unit has gone. A table that
 * became too small stays until the end, since a reader may be in it: they double, so that all of
 * them together are no larger than the newest one.
 */
#include "addresses.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS_LOG2_MIN 8u

static size_t slots_of(const struct unit_table *table)
{
        return (size_t)1 << (64 - table->shift);
}

/* Room for @units, twice over; larger than @older. */
static struct unit_table *table_new(size_t units, const struct unit_table *older)
{
        unsigned log2 = older ? 64 - older->shift + 1 : SLOTS_LOG2_MIN;
        struct unit_table *table;

        while (((size_t)1 << log2) < units * 4)
                log2++;
        table = calloc(1, sizeof(*table) + ((size_t)1 << log2) * sizeof(table->slots[0]));
        if (table)
                table->shift = 64 - log2;
        return table;
}

static void table_add(struct unit_table *table, uintptr_t key, uint64_t delta, struct chunk *chunk,
                      uintptr_t kinds)
{
        size_t mask = slots_of(table) - 1, at = unit_hash(key, table->shift);
        struct unit *unit;
        uintptr_t seen;

        for (;; at = (at + 1) & mask) {
                unit = &table->slots[at];
                seen = atomic_load_explicit(&unit->key, memory_order_relaxed);
                if (seen == UNIT_NONE || seen == UNIT_GONE)
                        break;
        }
        table->used += seen == UNIT_NONE;
        atomic_store_explicit(&unit->delta, delta, memory_order_relaxed);
        atomic_store_explicit(&unit->chunk, chunk, memory_order_relaxed);
        atomic_store_explicit(&unit->kinds, kinds, memory_order_relaxed);
        atomic_store_explicit(&unit->key, key, memory_order_release);
}

/* What has gone before a slot that was never used leads nowhere: it is as if never used, too. */
static void table_tidy(struct unit_table *table, size_t at)
{
        size_t mask = slots_of(table) - 1;

        if (atomic_load_explicit(&table->slots[(at + 1) & mask].key, memory_order_relaxed) !=
            UNIT_NONE)
                return;
        while (atomic_load_explicit(&table->slots[at].key, memory_order_relaxed) == UNIT_GONE) {
                atomic_store_explicit(&table->slots[at].key, UNIT_NONE, memory_order_relaxed);
                table->used--;
                at = (at - 1) & mask;
        }
}

static void table_copy(struct unit_table *to, struct unit_table *from)
{
        for (size_t i = 0; i < slots_of(from); i++) {
                struct unit *unit = &from->slots[i];
                uintptr_t key = atomic_load_explicit(&unit->key, memory_order_relaxed);

                if (key != UNIT_NONE && key != UNIT_GONE)
                        table_add(to, key, atomic_load_explicit(&unit->delta, memory_order_relaxed),
                                  atomic_load_explicit(&unit->chunk, memory_order_relaxed),
                                  atomic_load_explicit(&unit->kinds, memory_order_relaxed));
        }
}

int addresses_reserve(struct addresses *addresses, size_t units)
{
        struct unit_table *table = atomic_load_explicit(&addresses->table, memory_order_relaxed);
        struct unit_table *larger;

        if (table && (table->used + units) * 2 <= slots_of(table))
                return 0;
        larger = table_new(addresses->live + units, table);
        if (!larger)
                return -ENOMEM;
        if (table)
                table_copy(larger, table);
        larger->older = table;
        atomic_store_explicit(&addresses->table, larger, memory_order_release);
        return 0;
}

void addresses_add(struct addresses *addresses, uintptr_t at, uint64_t delta, struct chunk *chunk,
                   uintptr_t kinds)
{
        table_add(atomic_load_explicit(&addresses->table, memory_order_relaxed), at, delta, chunk,
                  kinds);
        addresses->live++;
}

void addresses_remove(struct addresses *addresses, uintptr_t at)
{
        struct unit_table *table = atomic_load_explicit(&addresses->table, memory_order_relaxed);
        struct unit *unit = addresses_find(addresses, (const void *)at);

        atomic_store_explicit(&unit->key, UNIT_GONE, memory_order_relaxed);
        addresses->live--;
        table_tidy(table, (size_t)(unit - table->slots));
}

void addresses_deinit(struct addresses *addresses)
{
        struct unit_table *table = atomic_load_explicit(&addresses->table, memory_order_relaxed);

        while (table) {
                struct unit_table *older = table->older;

                free(table);
                table = older;
        }
        atomic_store_explicit(&addresses->table, NULL, memory_order_relaxed);
        addresses->live = 0;
}
