/* SPDX-License-Identifier: MIT */
/*
 * Nodes and their columns. Owns the rule by which eight columns make up one: a run of the whole is
 * a run of a child, or what its end, perhaps some children that are all free, and the next one's
 * start make up together. Knows nothing of where a node lies but that it is aligned to its size.
 */
#include "node.h"

#include <assert.h>
#include <stdlib.h>

struct node child_free_mark;

static bool is_wide(unsigned bits)
{
        return bits > NARROW_BITS;
}

static size_t head_bytes(unsigned bits)
{
        return bits == PIECE_BITS ? sizeof(struct block) : sizeof(struct branch);
}

size_t node_bytes(unsigned bits)
{
        const size_t cell = is_wide(bits) ? sizeof(uint64_t) : sizeof(uint16_t);

        return head_bytes(bits) + (ROW_LONGEST + bits) * FANOUT * cell;
}

static void set_cell(struct node *node, unsigned row, unsigned c, uint64_t value)
{
        if (is_wide(node->bits))
                ((uint64_t *)node->rows)[row * FANOUT + c] = value;
        else
                ((uint16_t *)node->rows)[row * FANOUT + c] = (uint16_t)value;
}

static void fill_words(struct block *block)
{
        for (unsigned i = 0; i < FANOUT * PIECE_WORDS; i++)
                block->word[i] = UINT64_MAX;
}

struct node *node_new(unsigned bits, bool full)
{
        struct node *node = calloc(1, node_bytes(bits));

        if (!node)
                return NULL;
        node->rows = (char *)node + head_bytes(bits);
        node->bits = (uint8_t)bits;
        if (!full)
                return node; /* all zero */

        if (node_is_block(node))
                fill_words(node_block(node));
        for (unsigned c = 0; c < FANOUT; c++) {
                if (!node_is_block(node))
                        node_branch(node)->child[c] = CHILD_FREE;
                node_put_uniform(node, c, true);
        }
        return node;
}

void node_free(struct node *node)
{
        if (!child_is_node(node))
                return;
        if (!node_is_block(node))
                for (unsigned c = 0; c < FANOUT; c++)
                        node_free(node_branch(node)->child[c]);
        free(node);
}

/* A run of the whole: what it is for each alignment that a child's size is not above. */
static inline void join(struct summary *sum, unsigned bits, uint64_t first, uint64_t length)
{
        for (unsigned k = 0; k < bits; k++) {
                const uint64_t skip = -first & ((UINT64_C(1) << k) - 1);

                if (skip >= length)
                        return; /* nor is there a multiple of more */
                if (sum->longest[k] < length - skip)
                        sum->longest[k] = length - skip;
        }
}

static inline uint64_t cell(const void *rows, bool wide, unsigned row, unsigned c)
{
        return wide ? ((const uint64_t *)rows)[row * FANOUT + c]
                    : ((const uint16_t *)rows)[row * FANOUT + c];
}

/* With @wide known each of the two makes a loop without branches. */
static inline __attribute__((__always_inline__)) void longest_of_children(const void *rows,
                                                                          bool wide, unsigned bits,
                                                                          struct summary *sum)
{
        for (unsigned k = 0; k < bits; k++) {
                uint64_t longest = 0;

                for (unsigned c = 0; c < FANOUT; c++) {
                        const uint64_t length = cell(rows, wide, ROW_LONGEST + k, c);

                        longest = length > longest ? length : longest;
                }
                sum->longest[k] = longest;
        }
}

void node_summary(const struct node *node, struct summary *ret)
{
        const unsigned bits = node->bits;
        const uint64_t size = node_child_size(node);
        uint64_t above = 0; /* free granules from the beginning of the child above upwards */
        bool to_end = true;

        if (is_wide(bits))
                longest_of_children(node->rows, true, bits, ret);
        else
                longest_of_children(node->rows, false, bits, ret);
        for (unsigned j = 0; j < FANOUT_BITS; j++)
                ret->longest[bits + j] = 0;
        ret->end = ret->free = 0;

        for (unsigned c = FANOUT; c-- > 0;) {
                const uint64_t start = node_cell(node, ROW_START, c);
                const uint64_t end = node_cell(node, ROW_END, c);

                ret->free += node_cell(node, ROW_FREE, c);
                if (to_end)
                        ret->end += end;
                to_end &= end == size;
                if (end && above)
                        join(ret, bits, (c + 1) * size - end, end + above);
                above = start == size ? size + above : start;
                for (unsigned j = 0; j < FANOUT_BITS && c % (1u << j) == 0; j++)
                        if (ret->longest[bits + j] < above)
                                ret->longest[bits + j] = above;
        }
        ret->start = above;
}

static bool put_cell(struct node *node, unsigned row, unsigned c, uint64_t value)
{
        if (node_cell(node, row, c) == value)
                return false;
        set_cell(node, row, c, value);
        return true;
}

bool node_put(struct node *node, unsigned c, const struct summary *column)
{
        bool news = false;

        set_cell(node, ROW_FREE, c, column->free);
        news |= put_cell(node, ROW_START, c, column->start);
        news |= put_cell(node, ROW_END, c, column->end);
        for (unsigned k = 0; k < node->bits; k++)
                news |= put_cell(node, ROW_LONGEST + k, c, column->longest[k]);
        return news;
}

void node_put_uniform(struct node *node, unsigned c, bool full)
{
        const uint64_t figure = full ? node_child_size(node) : 0;

        for (unsigned row = 0; row < ROW_LONGEST + (unsigned)node->bits; row++)
                set_cell(node, row, c, figure);
}

void node_add_free(struct node *node, unsigned c, uint64_t granules, bool more)
{
        const uint64_t free = node_cell(node, ROW_FREE, c);

        assert(more ? free + granules <= node_child_size(node) : free >= granules);
        set_cell(node, ROW_FREE, c, more ? free + granules : free - granules);
}

uint64_t node_count_free(const struct node *node)
{
        uint64_t sum = 0;

        for (unsigned c = 0; c < FANOUT; c++)
                sum += node_cell(node, ROW_FREE, c);
        return sum;
}
