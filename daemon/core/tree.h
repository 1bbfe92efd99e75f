/* SPDX-License-Identifier: MIT */
/*
 * The tree of a space: the smallest node that all of the space lies in, and what is below it. All
 * numbers are granules, counted from address 0; a range includes both ends. Private to the core.
 */
#pragma once

#include "node.h"

/**
 * struct tree - zero is an empty one
 * @root:   owned; NULL while there is nothing
 * @base:   where the root lies, a multiple of its size
 * @bytes:  heap that the nodes use
 * @visits: counts the nodes that are looked into; borrowed, may be NULL
 */
struct tree {
        struct node *root;
        uint64_t base;
        size_t bytes;
        size_t *visits;
};

/* Levels of the tree: 1 for a block, 0 for nothing. */
static inline unsigned tree_height(const struct tree *tree)
{
        if (!tree->root)
                return 0;
        return (unsigned)(tree->root->bits - PIECE_BITS) / FANOUT_BITS + 1;
}

/* The last granule of the root, which there must be. */
static inline uint64_t tree_last(const struct tree *tree)
{
        return tree->base + ((UINT64_C(1) << node_span_bits(tree->root)) - 1);
}

/* Cut a range to what the tree spans; false where they have nothing in common. */
static inline bool tree_clip(const struct tree *tree, uint64_t *first, uint64_t *last)
{
        if (!tree->root || *first > tree_last(tree) || *last < tree->base)
                return false;
        *first = *first > tree->base ? *first : tree->base;
        *last = *last < tree_last(tree) ? *last : tree_last(tree);
        return true;
}

static inline void tree_visit(const struct tree *tree)
{
        if (tree->visits)
                ++*tree->visits;
}

void tree_deinit(struct tree *tree);

/**
 * tree_hold() - make the nodes that changes in a range need, and keep them
 * @grain_bits: logarithm of what the ends of the changes are multiples of
 *
 * Return: 0; -ENOMEM, and nothing changed.
 */
int tree_hold(struct tree *tree, uint64_t first, uint64_t last, unsigned grain_bits);
void tree_release(struct tree *tree, uint64_t first, uint64_t last, unsigned grain_bits);

/**
 * tree_change() - add granules to what is free, or remove them
 * @ret_changed: how many were not free before, or are not now
 *
 * Return: 0; -ENOMEM, and nothing changed. Never where a hold covers it.
 */
int tree_change(struct tree *tree, uint64_t first, uint64_t last, enum change how,
                uint64_t *ret_changed);

/**
 * struct tree_query - what tree_find_highest() and tree_find_lowest() look for
 * @first:      the place lies in [@first, @last]
 * @last:       see @first
 * @size:       of the place, > 0
 * @align_bits: logarithm of what it begins on a multiple of
 * @ret:        where it begins; written only if there is one
 */
struct tree_query {
        uint64_t first, last, size;
        unsigned align_bits;
        uint64_t ret;
};

bool tree_find_highest(const struct tree *tree, struct tree_query *query);
bool tree_find_lowest(const struct tree *tree, struct tree_query *query);

/* The longest run inside a range. */
uint64_t tree_longest(const struct tree *tree, uint64_t first, uint64_t last);

/* How many granules of a range are free. */
uint64_t tree_count(const struct tree *tree, uint64_t first, uint64_t last);

bool tree_is_free(const struct tree *tree, uint64_t granule);

/* The first granule at @from or above that is free, or is not; false where the tree has none. */
bool tree_next(const struct tree *tree, uint64_t from, bool free, uint64_t *ret);

/* The last one at @from or below. */
bool tree_prev(const struct tree *tree, uint64_t from, bool free, uint64_t *ret);

/* Work out everything anew, and compare; asserts. */
void tree_check(const struct tree *tree);
