/* SPDX-License-Identifier: MIT */
/*
 * Owns the order of ranges: an interval tree, as Cormen and others describe it.
 *
 * Invariant: each node knows the highest address of all below it, so a search leaves alone what
 * ends before it begins.
 */
#include "debug_ranges.h"

#include <stddef.h>

/* What the tree calls of each node that has other children now. */
static void renew(struct debug_range *range);

#undef RB_AUGMENT
#define RB_AUGMENT(range) renew(range)

/* Equal ranges are told apart by where they are described. */
static int compare(const struct debug_range *a, const struct debug_range *b)
{
        if (a->first != b->first)
                return a->first < b->first ? -1 : 1;
        return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

TREE_GENERATE(debug_range_tree, debug_range, by_first, compare)

static uintptr_t most_of(const struct debug_range *range)
{
        return range ? range->most : 0;
}

static void renew(struct debug_range *range)
{
        for (; range; range = RB_PARENT(range, by_first)) {
                const uintptr_t left = most_of(RB_LEFT(range, by_first));
                const uintptr_t right = most_of(RB_RIGHT(range, by_first));
                uintptr_t most = range->last;

                most = left > most ? left : most;
                range->most = right > most ? right : most;
        }
}

void debug_ranges_init(struct debug_ranges *ranges)
{
        RB_INIT(&ranges->by_first);
}

void debug_ranges_insert(struct debug_ranges *ranges, struct debug_range *range)
{
        range->most = range->last;
        RB_INSERT(debug_range_tree, &ranges->by_first, range);
        renew(range);
}

void debug_ranges_remove(struct debug_ranges *ranges, struct debug_range *range)
{
        RB_REMOVE(debug_range_tree, &ranges->by_first, range);
}

struct debug_range *debug_ranges_find(const struct debug_ranges *ranges, uintptr_t first,
                                      uintptr_t last)
{
        struct debug_range *range = RB_ROOT(&ranges->by_first), *left;

        while (range) {
                left = RB_LEFT(range, by_first);
                if (left && left->most >= first)
                        range = left; /* where none of these begins in time, none on the right does
                                       */
                else if (range->first <= last && range->last >= first)
                        return range;
                else
                        range = range->first <= last ? RB_RIGHT(range, by_first) : NULL;
        }
        return NULL;
}
