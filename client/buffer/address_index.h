/* SPDX-License-Identifier: MIT */
/*
 * From an address to the span in which it lies: a hash table of slots of 2 MiB, and below a slot
 * that is not one span's as a whole, a leaf with a place for each granule of 4 KiB.
 *
 * One writer at a time; readers never wait. What a reader finds may be stale: he looks whether the
 * span is about his address.
 */
#pragma once

#include "span.h"

#define INDEX_GRANULE_SHIFT 12
#define INDEX_SLOT_SHIFT    21
#define INDEX_LEAF_PLACES   (1u << (INDEX_SLOT_SHIFT - INDEX_GRANULE_SHIFT))

/**
 * struct index_leaf - the granules of a slot
 * @places: each granule's span: in which its first byte lies
 * @used:   how many are not NULL; the writer's, as is
 * @free:   the next one that is not in use
 */
struct index_leaf {
        _Atomic(struct span *) places[INDEX_LEAF_PLACES];
        unsigned used;
        struct index_leaf *free;
};

/**
 * struct index_slot - a slot; once it has a key, it keeps it
 * @key:   index_key(); 0: none
 * @value: NULL, a span, or a leaf with 1 added
 */
struct index_slot {
        _Atomic(uint64_t) key;
        _Atomic(uintptr_t) value;
};

/**
 * struct index_table - @mask + 1 slots, a power of two, at most half of which have keys
 * @older: the one before, which readers may still look at
 */
struct index_table {
        size_t mask, keys;
        struct index_table *older;
        struct index_slot slots[];
};

/**
 * struct address_index - zeroed at first
 * @all, @free: leaves: @n_all with room for @room, and those that are empty
 */
struct address_index {
        _Atomic(struct index_table *) table;
        struct index_leaf **all, *free;
        size_t n_all, room;
};

/* struct index_range - addresses of one view, @bytes > 0 of them */
struct index_range {
        uint32_t view;
        uint64_t first, bytes;
};

void address_index_deinit(struct address_index *index);

/* Views are below this: an address' upper bits are the rest of the key. */
#define INDEX_VIEWS (UINT32_C(1) << (INDEX_SLOT_SHIFT - 1))

/* Never 0. */
static inline uint64_t index_key(uint32_t view, uint64_t address)
{
        return ((uint64_t)view << (64 - INDEX_SLOT_SHIFT) | address >> INDEX_SLOT_SHIFT) + 1;
}

static inline unsigned index_place(uint64_t address)
{
        return (unsigned)(address >> INDEX_GRANULE_SHIFT) & (INDEX_LEAF_PLACES - 1);
}

/* Where the search for a key begins. */
static inline size_t index_hash(const struct index_table *table, uint64_t key)
{
        return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & table->mask;
}

/**
 * address_index_find() - the span at an address, or of one that was there a moment ago
 *
 * Without a lock. Return: a span; NULL where there was none.
 */
static inline const struct span *address_index_find(const struct address_index *index,
                                                    uint32_t view, uint64_t address)
{
        const struct index_table *table = atomic_load_explicit(&index->table, memory_order_acquire);
        const uint64_t key = index_key(view, address);
        const struct index_leaf *leaf;
        uint64_t found;
        uintptr_t value;
        size_t i;

        if (!table)
                return NULL;
        i = index_hash(table, key);
        while ((found = atomic_load_explicit(&table->slots[i].key, memory_order_acquire)) != key) {
                if (!found)
                        return NULL;
                i = (i + 1) & table->mask;
        }
        value = atomic_load_explicit(&table->slots[i].value, memory_order_acquire);
        if (!(value & 1))
                return (const struct span *)value;
        leaf = (const struct index_leaf *)(value - 1);
        return atomic_load_explicit(&leaf->places[index_place(address)], memory_order_acquire);
}

/**
 * address_index_reserve() - make room, so that address_index_set() cannot fail
 *
 * Return: 0; -ENOMEM. Nothing is found that was not found before.
 */
int address_index_reserve(struct address_index *index, const struct index_range *range);

/* Whether any granule that begins in the range is taken. */
bool address_index_overlaps(const struct address_index *index, const struct index_range *range);

/* Let the granules that begin in the range be found, but for those that are taken. This very range
 * was reserved. */
void address_index_set(struct address_index *index, const struct index_range *range,
                       struct span *span);

/* Forget those of them that are @span's. */
void address_index_clear(struct address_index *index, const struct index_range *range,
                         const struct span *span);
