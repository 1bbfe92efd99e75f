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

/* Children of up to so many granules have figures of 16 bits, larger ones of 64. */
#define NARROW_BITS 15

/*
 * The rows of a node: for each child
 * ROW_START:       free granules at its beginning
 * ROW_END:         free granules at its end
 * ROW_FREE:        free granules
 * ROW_LONGEST + k: length of the longest run inside the child that begins on a multiple of 2^k, for
 *                  k below the logarithm of the child's size. (For a larger k only the beginning of
 *                  the child can be such a multiple: then it is ROW_START.)
 */
enum row { ROW_START, ROW_END, ROW_FREE, ROW_LONGEST };

/**
 * struct node - what blocks and branches have in common
 * @rows:    the figures: eight numbers for each row, of 16 or 64 bits. They lie behind the node
 * @held:    how many holds need it
 * @bits:    logarithm of the size of a child
 * @n_nodes: how many children are nodes themselves
 */
struct node {
        void *rows;
        uint32_t held;
        uint8_t bits;
        uint8_t n_nodes;
};

/* @word: a set bit is a free granule. */
struct block {
        struct node node;
        uint64_t word[FANOUT * PIECE_WORDS];
};

/* @child: owned; CHILD_TAKEN and CHILD_FREE for those that are all taken or all free. */
struct branch {
        struct node node;
        struct node *child[FANOUT];
};

/**
 * struct summary - a column: what is known of one child
 *
 * longest[] is valid below the logarithm of the child's size, as above.
 */
struct summary {
        uint64_t start, end, free;
        uint64_t longest[64];
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

static inline uint64_t node_cell(const struct node *node, unsigned row, unsigned c)
{
        if (node->bits > NARROW_BITS)
                return ((const uint64_t *)node->rows)[row * FANOUT + c];
        return ((const uint16_t *)node->rows)[row * FANOUT + c];
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
void node_free(struct node *node); /* with all below; NULL and marks are fine */

/* Bytes of heap of a node of that kind. */
size_t node_bytes(unsigned bits);

/* Work out what a node is as a whole. */
void node_summary(const struct node *node, struct summary *ret);

/**
 * node_put() - write a column
 *
 * Return: whether anything in it but ROW_FREE is new.
 */
bool node_put(struct node *node, unsigned c, const struct summary *column);

/* Write the column of a child that is all free or all taken. */
void node_put_uniform(struct node *node, unsigned c, bool full);

/* Change ROW_FREE of a child. */
void node_add_free(struct node *node, unsigned c, uint64_t granules, bool more);

/* Free granules of the whole node. */
uint64_t node_count_free(const struct node *node);
