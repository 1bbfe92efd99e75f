/* SPDX-License-Identifier: MIT */
/*
 * Nodes and their columns. Owns the rule by which eight columns make up one: a run of the whole is
 * a run of a child, or what its end, perhaps some children that are all free, and the next one's
 * start make up together. Knows nothing of where a node lies but that it is aligned to its size.
 */
#include "node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A cache line: the head is in one, and so is a row. */
#define NODE_ALIGN ((size_t)64)

struct node child_free_mark;

static size_t head_bytes(unsigned bits)
{
        return bits == PIECE_BITS ? sizeof(struct block) : sizeof(struct branch);
}

size_t node_bytes(unsigned bits)
{
        const size_t wide = (WIDE_LONGEST + bits) * sizeof(uint64_t);
        const size_t narrow = bits * sizeof(uint16_t);
        const size_t all = head_bytes(bits) + FANOUT * (bits > NARROW_BITS ? wide : narrow);

        return (all + NODE_ALIGN - 1) & ~(NODE_ALIGN - 1);
}

void node_fill_block(struct node *node, bool full)
{
        memset(node_block(node)->word, full ? 0xff : 0, sizeof(node_block(node)->word));
        for (unsigned c = 0; c < FANOUT; c++)
                node_put_uniform(node, c, full);
}

struct node *node_new(unsigned bits, bool full)
{
        struct node *node = aligned_alloc(NODE_ALIGN, node_bytes(bits));

        if (!node)
                return NULL;
        memset(node, 0, node_bytes(bits));
        node->rows = (char *)node + head_bytes(bits);
        node->bits = (uint8_t)bits;
        if (!full)
                return node; /* all zero */

        if (node_is_block(node)) {
                node_fill_block(node, true);
                return node;
        }
        for (unsigned c = 0; c < FANOUT; c++) {
                node_branch(node)->child[c] = CHILD_FREE;
                node_put_uniform(node, c, true);
        }
        return node;
}

size_t node_delete(struct node *node)
{
        size_t bytes;

        if (!child_is_node(node))
                return 0;
        bytes = node_bytes(node->bits);
        if (!node_is_block(node))
                for (unsigned c = 0; c < FANOUT; c++)
                        bytes += node_delete(node_branch(node)->child[c]);
        free(node);
        return bytes;
}

/* Loops of a fixed length become a few vector instructions. */
static void longest_of_narrow(const struct node *node, struct summary *sum)
{
        for (unsigned k = 0; k < node->bits; k++) {
                const uint16_t *row = narrow_longest(node, k);
                uint16_t longest = 0;

                for (unsigned c = 0; c < FANOUT; c++)
                        longest = row[c] > longest ? row[c] : longest;
                sum->longest[k] = longest;
        }
}

static void longest_of_wide(const struct node *node, struct summary *sum)
{
        for (unsigned k = 0; k < node->bits; k++) {
                const uint64_t *row = wide_row(node, WIDE_LONGEST + k);
                uint64_t longest = 0;

                for (unsigned c = 0; c < FANOUT; c++)
                        longest = row[c] > longest ? row[c] : longest;
                sum->longest[k] = longest;
        }
}

/* A run of several children: what it is for each alignment that a child's size is not above. */
static void join(struct summary *sum, unsigned bits, uint64_t first, uint64_t length)
{
        for (unsigned k = 0; k < bits; k++) {
                const uint64_t skip = -first & ((UINT64_C(1) << k) - 1);

                if (skip >= length)
                        return; /* nor is there a multiple of more */
                if (sum->longest[k] < length - skip)
                        sum->longest[k] = length - skip;
        }
}

void node_summary(const struct node *node, struct summary *ret)
{
        const unsigned bits = node->bits;
        const uint64_t size = node_child_size(node);
        uint64_t above = 0; /* free granules from the beginning of the child above upwards */
        bool to_end = true;

        if (node_is_wide(node))
                longest_of_wide(node, ret);
        else
                longest_of_narrow(node, ret);
        for (unsigned j = 0; j < FANOUT_BITS; j++)
                ret->longest[bits + j] = 0;
        ret->end = 0;

        for (unsigned c = FANOUT; c-- > 0;) {
                const uint64_t start = node_start(node, c), end = node_end(node, c);

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

static void set_longest(struct node *node, unsigned c, unsigned k, uint64_t length)
{
        if (node_is_wide(node))
                wide_row(node, WIDE_LONGEST + k)[c] = length;
        else
                narrow_longest(node, k)[c] = (uint16_t)length;
}

static void set_ends(struct node *node, unsigned c, uint64_t start, uint64_t end)
{
        if (node_is_wide(node)) {
                wide_row(node, WIDE_START)[c] = start;
                wide_row(node, WIDE_END)[c] = end;
        } else {
                node->start[c] = (uint16_t)start;
                node->end[c] = (uint16_t)end;
        }
}

/* Write one figure, and note it. */
static void put_longest(struct node *node, unsigned c, unsigned k, uint64_t length,
                        struct news *news)
{
        const uint64_t was = node_longest(node, c, k);

        if (was == length)
                return;
        set_longest(node, c, k, length);
        news->classes |= UINT64_C(1) << k;
        news->was[k] = was;
        news->is[k] = length;
}

void node_put(struct node *node, unsigned c, const struct summary *summary, struct news *news)
{
        news->all = node_start(node, c) != summary->start || node_end(node, c) != summary->end;
        news->classes = 0;
        if (news->all)
                set_ends(node, c, summary->start, summary->end);
        for (unsigned k = 0; k < node->bits; k++)
                put_longest(node, c, k, summary->longest[k], news);
}

/* The longest run of a node that begins on a multiple of 2^k, which its children are not below. */
static uint64_t longest_of(const struct node *node, unsigned k)
{
        const uint64_t size = node_child_size(node), mask = (UINT64_C(1) << k) - 1;
        uint64_t longest = 0, above = 0;

        for (unsigned c = FANOUT; c-- > 0;) {
                const uint64_t start = node_start(node, c), end = node_end(node, c);
                const uint64_t inside = node_longest(node, c, k);
                const uint64_t joined = end + above, skip = (end - (c + 1) * size) & mask;

                longest = inside > longest ? inside : longest;
                if (end && above && joined > skip && joined - skip > longest)
                        longest = joined - skip;
                above = start == size ? size + above : start;
        }
        return longest;
}

void node_pass_on(struct node *node, unsigned c, const struct node *child, struct news *news)
{
        uint64_t left = news->classes;
        struct summary sum;

        if (news->all) {
                node_summary(child, &sum);
                node_put(node, c, &sum, news);
                return;
        }
        news->classes = 0;
        for (; left; left &= left - 1) {
                const unsigned k = (unsigned)__builtin_ctzll(left);
                const uint64_t longest = node_longest(node, c, k);

                if (news->is[k] > longest)
                        put_longest(node, c, k, news->is[k], news);
                else if (news->was[k] == longest && news->is[k] < longest)
                        put_longest(node, c, k, longest_of(child, k), news);
        }
}

static void set_free(struct node *node, unsigned c, uint64_t granules)
{
        if (node_is_wide(node))
                wide_row(node, WIDE_FREE)[c] = granules;
        else
                node->free[c] = (uint16_t)granules;
}

void node_put_uniform(struct node *node, unsigned c, bool full)
{
        const uint64_t figure = full ? node_child_size(node) : 0;

        set_ends(node, c, figure, figure);
        for (unsigned k = 0; k < node->bits; k++)
                set_longest(node, c, k, figure);
        set_free(node, c, figure);
}

void node_add_free(struct node *node, unsigned c, uint64_t granules, bool more)
{
        const uint64_t free = node_free_in(node, c);

        assert(more ? free + granules <= node_child_size(node) : free >= granules);
        set_free(node, c, more ? free + granules : free - granules);
}

uint64_t node_free(const struct node *node)
{
        uint64_t sum = 0;

        for (unsigned c = 0; c < FANOUT; c++)
                sum += node_free_in(node, c);
        return sum;
}
