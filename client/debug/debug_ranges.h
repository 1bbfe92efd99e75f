/* SPDX-License-Identifier: MIT */
/*
 * Ranges of memory that may overlap, and the question whether one overlaps any of them.
 */
#pragma once

#include "rb_tree.h"

#include <stdint.h>

struct debug_record;

/**
 * struct debug_range - addresses, inclusive
 * @most:   the highest @last of it and what is below it in the tree
 * @record: whose they are
 */
struct debug_range {
        RB_ENTRY(debug_range) by_first; /* debug_ranges::by_first */
        uintptr_t first, last, most;
        struct debug_record *record;
};

RB_HEAD(debug_range_tree, debug_range);

struct debug_ranges {
        struct debug_range_tree by_first;
};

void debug_ranges_init(struct debug_ranges *ranges);

/* @range: borrowed until it is removed. */
void debug_ranges_insert(struct debug_ranges *ranges, struct debug_range *range);
void debug_ranges_remove(struct debug_ranges *ranges, struct debug_range *range);

/* One that has an address of @first to @last; NULL: none has. In the time of the tree's depth. */
struct debug_range *debug_ranges_find(const struct debug_ranges *ranges, uintptr_t first,
                                      uintptr_t last);
