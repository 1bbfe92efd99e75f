/* SPDX-License-Identifier: MIT */
/*
 * One node of a space's tree, and what it knows of its children. All numbers are granules.
 *
 * A node has eight children of equal size, a power of two, and lies on a multiple of its own size.
 * The children of the lowest kind of node, a block, are pieces of its bitmap; those of a branch are
 * nodes, or nothing where they are all free or all taken. For each child the node has a column of
 * figures, from which every search decides whether to go there. Private to the core.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FANOUT      8
#define FANOUT_BITS 3

/* A piece is 512 granules, a block 4096. */
#define PIECE_BITS  9
#define BLOCK_BITS  (PIECE_BITS + FANOUT_BITS)
#define PIECE_WORDS (1 << (PIECE_BITS - 6))

/* Children of up to so many granules, as a logarithm, have figures of 16 bits, larger ones of 64.
 */
#define NARROW_BITS 12

/**
 * struct node - what blocks and branches have in common
 * @held:    how many holds go through it. They go through all above it, too
 * @bits:    logarithm of the size of a child
 * @n_nodes: how many children are nodes themselves
 * @asleep:  bit c: child c is a node only because it is held. It is all free or all taken, as its
 *           column says, and what is written in it and below is out of date
 * @start:   for each child its free granules at the beginning,
 * @end:     at the end,
 * @free:    and in all. Of larger children these are the first three of the rows
 * @rows:    eight figures each, one for each child. Row k: the length of the longest run inside the
 *           child that begins on a multiple of 2^k granules, for k below the logarithm of the
 *           child's size. (For a larger k only the beginning of the child can be such a multiple.)
 *
 * A search reads a row, a change writes a column, and a search must not wait for memory: so what it
 * needs of all children lies together. The head is as long as a cache line.
 */
struct node {
        void *rows;
        uint32_t held;
        uint8_t bits;
        uint8_t n_nodes;
        uint8_t asleep;
        uint16_t start[FANOUT], end[FANOUT], free[FANOUT];
};

/* @word: a set bit is a free granule. */
struct block {
        struct node node;
        uint64_t word[FANOUT * PIECE_WORDS];
};

/* @child: owned; CHILD_TAKEN and CHILD_FREE for those that are all taken or all free. To be looked
 * at through node_child(), but by those who care for the nodes themselves. */
struct branch {
        struct node node;
        struct node *child[FANOUT];
};

/**
 * struct summary - what is known of a node as a whole
 *
 * longest[] is valid below the logarithm of the node's size; as in a column.
 */
struct summary {
        uint64_t start, end;
        uint64_t longest[64];
};

/**
 * enum change - what becomes of a range
 * CHANGE_ADD:    none of it was free, all of it becomes free
 * CHANGE_REMOVE: all of it was free, none of it remains so
 * CHANGE_CLEAR:  none of it is free afterwards, whatever was
 */
enum change { CHANGE_ADD, CHANGE_REMOVE, CHANGE_CLEAR };

/**
 * struct news - what a change has done to the columns of a node, its free granules left aside
 * @all:     more than one column has changed, or where a child's runs reach its ends: whatever is
 *           known of the node as a whole has to be worked out anew
 * @classes: otherwise bit k is set where longest[k] of the one column has changed
 * @was:     for those, the former length
 * @is:      and the present one
 */
struct news {
        bool all;
        uint64_t classes;
        uint64_t was[64], is[64];
};

extern struct node child_free_mark;
#define CHILD_TAKEN ((struct node *)NULL)
#define CHILD_FREE  (&child_free_mark)

static inline bool child_is_node(const struct node *child)
{
        return child != CHILD_TAKEN && child != CHILD_FREE;
}

static inline bool node_is_block(const struct node *node)
{
        return node->bits == PIECE_BITS;
}

static inline struct block *node_block(const struct node *node)
{
        return (struct block *)node;
}

static inline struct branch *node_branch(const struct node *node)
{
        return (struct branch *)node;
}

/* Granules of one child. */
static inline uint64_t node_child_size(const struct node *node)
{
        return UINT64_C(1) << node->bits;
}

/* Granules of the node, as a logarithm. */
static inline unsigned node_span_bits(const struct node *node)
{
        return node->bits + FANOUT_BITS;
}

static inline bool node_is_wide(const struct node *node)
{
        return node->bits > NARROW_BITS;
}

enum wide_row { WIDE_START, WIDE_END, WIDE_FREE, WIDE_LONGEST };

/* The figures of all children: narrow ones, @k is below the logarithm of the child's size. */
static inline uint16_t *narrow_longest(const struct node *node, unsigned k)
{
        return (uint16_t *)node->rows + (size_t)k * FANOUT;
}

/* Wide ones; for the longest runs the row is WIDE_LONGEST + k. */
static inline uint64_t *wide_row(const struct node *node, unsigned row)
{
        return (uint64_t *)node->rows + (size_t)row * FANOUT;
}

static inline uint64_t node_start(const struct node *node, unsigned c)
{
        return node_is_wide(node) ? wide_row(node, WIDE_START)[c] : node->start[c];
}

static inline uint64_t node_end(const struct node *node, unsigned c)
{
        return node_is_wide(node) ? wide_row(node, WIDE_END)[c] : node->end[c];
}

static inline uint64_t node_free_in(const struct node *node, unsigned c)
{
        return node_is_wide(node) ? wide_row(node, WIDE_FREE)[c] : node->free[c];
}

/* Whether a child is all free or all taken. */
static inline bool node_child_is_uniform(const struct node *node, unsigned c)
{
        const uint64_t free = node_free_in(node, c);

        return !free || free == node_child_size(node);
}

/* @k is below the logarithm of the child's size. */
static inline uint64_t node_longest(const struct node *node, unsigned c, unsigned k)
{
        return node_is_wide(node) ? wide_row(node, WIDE_LONGEST + k)[c]
                                  : narrow_longest(node, k)[c];
}

/* A child as a search sees it: a node where it is mixed, or might be, else a mark. */
static inline struct node *node_child(const struct node *node, unsigned c)
{
        if (node->asleep >> c & 1)
                return node_free_in(node, c) ? CHILD_FREE : CHILD_TAKEN;
        return node_branch(node)->child[c];
}

/**
 * node_new() - a node whose granules are all free, or all taken
 * @bits: logarithm of the size of a child: PIECE_BITS for a block, else a multiple of FANOUT_BITS
 *        more
 * @full: whether all are free
 *
 * Return: the node, owned by the caller; NULL where there is no memory.
 */
struct node *node_new(unsigned bits, bool full);

/* Free it with all below; marks are fine. Return: bytes of heap that they had. */
size_t node_delete(struct node *node);

/* Write that all granules of a block are free, or taken. */
void node_fill_block(struct node *node, bool full);

/* Bytes of heap of a node of that kind. */
size_t node_bytes(unsigned bits);

/* Work out what a node is as a whole. */
void node_summary(const struct node *node, struct summary *ret);

/**
 * node_put() - write a column, but for what is free
 * @news: what that changes
 */
void node_put(struct node *node, unsigned c, const struct summary *summary, struct news *news);

/**
 * node_pass_on() - bring a column up to date with a change below
 * @node:  parent of @child
 * @c:     which column
 * @child: what has changed
 * @news:  its columns' news; becomes @node's
 *
 * Most changes touch one run inside one child: then only the figures that it was, or is, the
 * longest for are looked at.
 */
void node_pass_on(struct node *node, unsigned c, const struct node *child, struct news *news);

/* Write the whole column of a child that is all free or all taken. */
void node_put_uniform(struct node *node, unsigned c, bool full);

/* Change how much is free in a child. */
void node_add_free(struct node *node, unsigned c, uint64_t granules, bool more);

/* Free granules of the whole node. */
uint64_t node_free(const struct node *node);
