/* SPDX-License-Identifier: MIT */
/*
 * Owns tables and leaves: what writes them.
 *
 * Invariant: a slot that has a key keeps it; a leaf that is in no slot is empty. Tables are
 * replaced by larger ones, never freed before the end: together they are less than twice the last.
 * Refuses to forget keys: there are at most as many as the addresses that were ever used have
 * slots, and those come again.
 */
#include "address_index.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS_FIRST 64

#define SLOT_BYTES    (UINT64_C(1) << INDEX_SLOT_SHIFT)
#define GRANULE_BYTES (UINT64_C(1) << INDEX_GRANULE_SHIFT)

/* Tables and leaves are read by others at any time, but written by one. */
static struct index_table *table_of(const struct address_index *index)
{
        return atomic_load_explicit(&index->table, memory_order_relaxed);
}

static struct index_leaf *leaf_of(uintptr_t value)
{
        return value & 1 ? (struct index_leaf *)(value - 1) : NULL;
}

static uintptr_t value_of(const struct index_slot *slot)
{
        return atomic_load_explicit(&slot->value, memory_order_relaxed);
}

void address_index_deinit(struct address_index *index)
{
        struct index_table *table = table_of(index), *older;

        for (; table; table = older) {
                older = table->older;
                free(table);
        }
        for (size_t i = 0; i < index->n_all; i++)
                free(index->all[i]);
        free(index->all);
        *index = (struct address_index){ .n_all = 0 };
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* The slot of a key, or the one that is to have it. */
static struct index_slot *slot_for(struct index_table *table, uint64_t key)
{
        size_t i = index_hash(table, key);

        for (;;) {
                const uint64_t found =
                        atomic_load_explicit(&table->slots[i].key, memory_order_relaxed);

                if (!found || found == key)
                        return &table->slots[i];
                i = (i + 1) & table->mask;
        }
}

/* The slot of a key; NULL: there is none. */
static struct index_slot *slot_of(const struct address_index *index, uint64_t key)
{
        struct index_slot *slot;

        if (!table_of(index))
                return NULL;
        slot = slot_for(table_of(index), key);
        return atomic_load_explicit(&slot->key, memory_order_relaxed) ? slot : NULL;
}

static void add_key(struct index_table *table, uint64_t key, uintptr_t value)
{
        struct index_slot *slot = slot_for(table, key);

        atomic_store_explicit(&slot->value, value, memory_order_relaxed);
        atomic_store_explicit(&slot->key, key, memory_order_release);
        table->keys++;
}

/* Twice as many slots. Return: 0; -ENOMEM. */
static int grow(struct address_index *index)
{
        struct index_table *older = table_of(index), *table;
        const size_t slots = older ? 2 * (older->mask + 1) : SLOTS_FIRST;

        table = calloc(1, sizeof(*table) + slots * sizeof(table->slots[0]));
        if (!table)
                return -ENOMEM;
        table->mask = slots - 1;
        table->older = older;
        for (size_t i = 0; older && i <= older->mask; i++) {
                const uint64_t key =
                        atomic_load_explicit(&older->slots[i].key, memory_order_relaxed);

                if (key)
                        add_key(table, key, value_of(&older->slots[i]));
        }
        atomic_store_explicit(&index->table, table, memory_order_release);
        return 0;
}

/* Return: 0; -ENOMEM. */
static int reserve_key(struct address_index *index, uint64_t key, struct index_slot **ret)
{
        int r;

        *ret = slot_of(index, key);
        if (*ret)
                return 0;
        if (!table_of(index) || table_of(index)->keys > table_of(index)->mask / 2) {
                r = grow(index);
                if (r)
                        return r;
        }
        add_key(table_of(index), key, 0);
        *ret = slot_for(table_of(index), key);
        return 0;
}

/* ---- leaves --------------------------------------------------------------------------------- */

/* An empty leaf; NULL without memory. */
static struct index_leaf *get_leaf(struct address_index *index)
{
        const size_t room = index->room ? index->room * 2 : 16;
        struct index_leaf **all, *leaf = index->free;

        if (leaf) {
                index->free = leaf->free;
                return leaf;
        }
        if (index->n_all == index->room) {
                all = reallocarray(index->all, room, sizeof(struct index_leaf *));
                if (!all)
                        return NULL;
                index->all = all;
                index->room = room;
        }
        leaf = calloc(1, sizeof(*leaf));
        if (leaf)
                index->all[index->n_all++] = leaf;
        return leaf;
}

static void put_leaf(struct address_index *index, struct index_slot *slot, struct index_leaf *leaf)
{
        atomic_store_explicit(&slot->value, 0, memory_order_relaxed);
        leaf->free = index->free;
        index->free = leaf;
}

/* ---- ranges --------------------------------------------------------------------------------- */

/**
 * struct part - what of a range lies in one slot
 * @first, @last: places of the granules that begin there
 * @whole: it is the whole slot
 */
struct part {
        uint64_t key;
        unsigned first, last;
        bool whole;
};

/**
 * next_part() - cut a range at slots
 * @range: what is left of it; its beginning is moved on
 *
 * Return: false where no granule begins in what is left.
 */
static bool next_part(struct index_range *range, struct part *ret)
{
        const uint64_t skip = -range->first & (GRANULE_BYTES - 1);
        uint64_t bytes, first;

        if (skip >= range->bytes)
                return false;
        first = range->first + skip;
        bytes = SLOT_BYTES - (first & (SLOT_BYTES - 1));
        if (bytes > range->bytes - skip)
                bytes = range->bytes - skip;
        *ret = (struct part){
                .key = index_key(range->view, first),
                .first = index_place(first),
                .last = index_place(first + bytes - 1),
                .whole = bytes == SLOT_BYTES,
        };
        range->first = first + bytes;
        range->bytes -= skip + bytes;
        return true;
}

int address_index_reserve(struct address_index *index, const struct index_range *range)
{
        struct index_range left = *range;
        struct index_slot *slot;
        struct index_leaf *leaf;
        struct part part;
        int r;

        while (next_part(&left, &part)) {
                r = reserve_key(index, part.key, &slot);
                if (r)
                        return r;
                if (part.whole || value_of(slot))
                        continue;
                leaf = get_leaf(index);
                if (!leaf)
                        return -ENOMEM;
                atomic_store_explicit(&slot->value, (uintptr_t)leaf + 1, memory_order_release);
        }
        return 0;
}

static bool leaf_overlaps(const struct index_leaf *leaf, const struct part *part)
{
        for (unsigned i = part->first; i <= part->last; i++)
                if (atomic_load_explicit(&leaf->places[i], memory_order_relaxed))
                        return true;
        return false;
}

bool address_index_overlaps(const struct address_index *index, const struct index_range *range)
{
        struct index_range left = *range;
        struct part part;

        while (next_part(&left, &part)) {
                const struct index_slot *slot = slot_of(index, part.key);
                const struct index_leaf *leaf = slot ? leaf_of(value_of(slot)) : NULL;

                if (leaf ? leaf_overlaps(leaf, &part) : slot && value_of(slot))
                        return true;
        }
        return false;
}

static void leaf_set(struct index_leaf *leaf, const struct part *part, struct span *span)
{
        for (unsigned i = part->first; i <= part->last; i++) {
                if (atomic_load_explicit(&leaf->places[i], memory_order_relaxed))
                        continue;
                atomic_store_explicit(&leaf->places[i], span, memory_order_release);
                leaf->used++;
        }
}

void address_index_set(struct address_index *index, const struct index_range *range,
                       struct span *span)
{
        struct index_range left = *range;
        struct part part;

        while (next_part(&left, &part)) {
                struct index_slot *slot = slot_of(index, part.key);
                struct index_leaf *leaf = leaf_of(value_of(slot));

                if (leaf)
                        leaf_set(leaf, &part, span);
                else if (!value_of(slot) && part.whole)
                        atomic_store_explicit(&slot->value, (uintptr_t)span, memory_order_release);
        }
}

static void leaf_clear(struct index_leaf *leaf, const struct part *part, const struct span *span)
{
        for (unsigned i = part->first; i <= part->last; i++) {
                if (atomic_load_explicit(&leaf->places[i], memory_order_relaxed) != span)
                        continue;
                atomic_store_explicit(&leaf->places[i], NULL, memory_order_relaxed);
                leaf->used--;
        }
}

void address_index_clear(struct address_index *index, const struct index_range *range,
                         const struct span *span)
{
        struct index_range left = *range;
        struct part part;

        while (next_part(&left, &part)) {
                struct index_slot *slot = slot_of(index, part.key);
                struct index_leaf *leaf = slot ? leaf_of(value_of(slot)) : NULL;

                if (leaf) {
                        leaf_clear(leaf, &part, span);
                        if (!leaf->used)
                                put_leaf(index, slot, leaf);
                } else if (slot && value_of(slot) == (uintptr_t)span) {
                        atomic_store_explicit(&slot->value, 0, memory_order_relaxed);
                }
        }
}
