/* SPDX-License-Identifier: MIT */
/*
 * From a pointer into a heap to its dma address and to its chunk, without a lock.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Memory of a heap comes in units of so many bytes, on multiples of it, in both views. */
#define UNIT_BYTES ((size_t)65536)

/* No delta: those are multiples of a unit. */
#define DELTA_NONE UINT64_C(1)

/* No keys: no memory is there. */
#define UNIT_NONE ((uintptr_t)0)
#define UNIT_GONE ((uintptr_t)1)

struct chunk;

/**
 * struct unit - what is known of one unit; a slot of the table
 * @key:   its address; UNIT_NONE: never used; UNIT_GONE: was used
 * @delta: dma address minus address, modulo 2^64; DELTA_NONE where the pool hides its addresses
 * @chunk: whose it is
 * @kinds: of the chunk's pages, as if they began at page 0 of all memory
 */
struct unit {
        _Atomic uintptr_t key;
        _Atomic uint64_t delta;
        _Atomic(struct chunk *) chunk;
        _Atomic uintptr_t kinds;
};

/**
 * struct unit_table - a hash table with linear probing
 * @shift: 64 - log2 of the number of slots
 * @used:  slots that are not UNIT_NONE
 * @older: the one that it replaced; a reader may still be in it
 */
struct unit_table {
        struct unit_table *older;
        unsigned shift;
        size_t used;
        struct unit slots[];
};

/**
 * struct addresses - the units of a heap
 * @table: NULL: none yet
 * @live:  units in it
 *
 * Readers ask of memory that somebody has allocated, so of units that stay. One writer at a time.
 */
struct addresses {
        _Atomic(struct unit_table *) table;
        size_t live;
};

/* Make room for @units more, so that addresses_add() cannot fail. Return: 0; -ENOMEM. */
int addresses_reserve(struct addresses *addresses, size_t units);

/* One unit more; room was reserved. */
void addresses_add(struct addresses *addresses, uintptr_t at, uint64_t delta, struct chunk *chunk,
                   uintptr_t kinds);

/* Forget a unit that is there. */
void addresses_remove(struct addresses *addresses, uintptr_t at);

/* Give all memory back. */
void addresses_deinit(struct addresses *addresses);

static inline size_t unit_hash(uintptr_t key, unsigned shift)
{
        return (size_t)(((uint64_t)key / UNIT_BYTES * UINT64_C(0x9e3779b97f4a7c15)) >> shift);
}

/* The unit of a pointer; NULL where the heap has no memory there. */
static inline struct unit *addresses_find(const struct addresses *addresses, const void *pointer)
{
        uintptr_t key = (uintptr_t)pointer & ~(uintptr_t)(UNIT_BYTES - 1), seen;
        struct unit_table *table;
        size_t mask, at;

        table = atomic_load_explicit(&addresses->table, memory_order_acquire);
        if (!table || !key)
                return NULL;
        mask = ((size_t)1 << (64 - table->shift)) - 1;
        for (at = unit_hash(key, table->shift);; at = (at + 1) & mask) {
                seen = atomic_load_explicit(&table->slots[at].key, memory_order_acquire);
                if (seen == key)
                        return &table->slots[at];
                if (seen == UNIT_NONE)
                        return NULL;
        }
}
