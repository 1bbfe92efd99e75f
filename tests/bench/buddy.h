/* SPDX-License-Identifier: MIT */
/*
 * A binary buddy: free memory as blocks of 2^order granules, each of which begins on a multiple of
 * its size. The rules are those of Linux (mm/page_alloc.c): one doubly linked list for each order;
 * what is given back merges with its buddy as long as that is free, and goes to the head of its
 * list, but to the tail if it is likely to merge soon; the lower half of a split block is used and
 * the upper one goes to the head of its list.
 *
 * Two things are better than there. Orders have no limit, while Linux stops at 4 MiB, so that large
 * requests need another allocator. And a window is met if any free block can meet it, by walking
 * the lists: nothing else can with this structure.
 */
#pragma once

#include "range.h"

#include <stddef.h>

#define BUDDY_ORDERS 32

struct buddy;

/**
 * struct block - granules that belong together
 * @first: number of the first one, a multiple of 2^@order
 * @order: 0 to BUDDY_ORDERS - 1
 */
struct block {
        uint64_t first;
        unsigned order;
};

/**
 * struct buddy_request - what a block has to look like
 * @window: granules that may be used
 * @count:  how many are used, from the first of the block on; > 0
 * @align:  in granules, power of two; the block begins on a multiple of it
 */
struct buddy_request {
        struct range window;
        uint64_t count, align;
};

/**
 * buddy_new() - memory of which nothing is free yet
 * @granules: numbers of the granules that may be added
 * @ret:      owned by the caller
 *
 * Return: 0; -ENOMEM; -ENOTSUP for more granules than links of 32 bits can name.
 */
int buddy_new(struct range granules, struct buddy **ret);
void buddy_free(struct buddy *buddy); /* NULL is fine */

/* The order of the smallest block that has so many granules, > 0 and not above 2^63. */
unsigned buddy_order(uint64_t count);

/* Add granules that are not there, in the largest blocks, at the tails: lowest first, as at boot.
 */
void buddy_add(struct buddy *buddy, struct range granules);

/**
 * buddy_find() - a block that satisfies a request
 * @buddy: borrowed
 * @want:  what for
 * @ret_from:  the free block that it would be split from
 * @ret_block: the part of it, the lowest one that will do
 *
 * Return: whether there is one.
 */
bool buddy_find(const struct buddy *buddy, const struct buddy_request *want, struct block *ret_from,
                struct block *ret_block);

/* The free block that Linux would take for an order; false where there is none. */
bool buddy_first(const struct buddy *buddy, unsigned order, struct block *ret);

/* Split @block off @from, a free block, and take it. */
void buddy_take(struct buddy *buddy, struct block from, struct block block);

/* Give a block back, and merge it. */
void buddy_give(struct buddy *buddy, struct block block);

/* How many granules are free. */
uint64_t buddy_free_count(const struct buddy *buddy);

/* How many free granules follow each other in a window, at most. */
uint64_t buddy_longest(const struct buddy *buddy, struct range window);

size_t buddy_metadata_bytes(const struct buddy *buddy);
