/* SPDX-License-Identifier: MIT */
/*
 * How a tree grows, changes and shrinks. Owns the nodes. A child is a node only where it is mixed,
 * or held, or has a child that is; all others are marks, so what is all free or all taken costs
 * nothing. A change first makes the nodes at its two ends, which may fail, and then writes, which
 * cannot.
 */
#include "tree.h"

#include "block.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* The part of a range that lies in a child, counted from the child's beginning. */
struct part {
        uint64_t first, last;
        bool whole;
};

static struct part part_of(const struct node *node, unsigned c, uint64_t first, uint64_t last)
{
        const uint64_t size = node_child_size(node), at = c * size;
        struct part part;

        part.first = first > at ? first - at : 0;
        part.last = last - at < size ? last - at : size - 1;
        part.whole = part.first == 0 && part.last == size - 1;
        return part;
}

static unsigned child_at(const struct node *node, uint64_t at)
{
        return (unsigned)(at >> node->bits);
}

static int child_open(struct tree *tree, struct node *node, unsigned c)
{
        struct node **child = &node_branch(node)->child[c];
        const unsigned bits = node->bits - FANOUT_BITS;
        struct node *opened;

        if (child_is_node(*child))
                return 0;
        opened = node_new(bits, *child == CHILD_FREE);
        if (!opened)
                return -ENOMEM;
        *child = opened;
        node->n_nodes++;
        tree->bytes += node_bytes(bits);
        return 0;
}

/* Make a child a mark again, if it can be. */
static void child_close(struct tree *tree, struct node *node, unsigned c)
{
        struct node **child = &node_branch(node)->child[c];
        const uint64_t free = node_free_in(node, c);

        if (!child_is_node(*child) || (*child)->held || (*child)->n_nodes ||
            (free && free != node_child_size(node)))
                return;
        tree->bytes -= node_bytes((*child)->bits);
        node_delete(*child);
        *child = free ? CHILD_FREE : CHILD_TAKEN;
        node->n_nodes--;
}

/* Close what is not needed on the way to the ends of a range. */
static void close_ends(struct tree *tree, struct node *node, uint64_t first, uint64_t last)
{
        if (node_is_block(node))
                return;
        for (unsigned c = child_at(node, first);; c = child_at(node, last)) {
                const struct part part = part_of(node, c, first, last);
                struct node *child = node_branch(node)->child[c];

                if (!part.whole && child_is_node(child)) {
                        close_ends(tree, child, part.first, part.last);
                        child_close(tree, node, c);
                }
                if (c == child_at(node, last))
                        return;
        }
}

/* Make the nodes that the range covers in part. On failure the caller closes. */
static int open_ends(struct tree *tree, struct node *node, uint64_t first, uint64_t last)
{
        if (node_is_block(node))
                return 0;
        for (unsigned c = child_at(node, first);; c = child_at(node, last)) {
                const struct part part = part_of(node, c, first, last);
                int r = 0;

                if (!part.whole)
                        r = child_open(tree, node, c);
                if (!part.whole && !r)
                        r = open_ends(tree, node_branch(node)->child[c], part.first, part.last);
                if (r || c == child_at(node, last))
                        return r;
        }
}

static void change(struct tree *tree, struct node *node, uint64_t first, uint64_t last, bool add,
                   struct news *news);

/* Write a child, or the part of it that the range covers, and its column. */
static void change_child(struct tree *tree, struct node *node, unsigned c, struct part part,
                         bool add, struct news *news)
{
        struct node **child = &node_branch(node)->child[c];

        if (!child_is_node(*child)) {
                assert(part.whole && *child == (add ? CHILD_TAKEN : CHILD_FREE));
                *child = add ? CHILD_FREE : CHILD_TAKEN;
                node_put_uniform(node, c, add);
                news->all = true;
                return;
        }
        change(tree, *child, part.first, part.last, add, news);
        node_add_free(node, c, part.last - part.first + 1, add);
        node_pass_on(node, c, *child, news);
        child_close(tree, node, c);
}

static void change(struct tree *tree, struct node *node, uint64_t first, uint64_t last, bool add,
                   struct news *news)
{
        const unsigned low = child_at(node, first), high = child_at(node, last);

        tree_visit(tree);
        if (node_is_block(node)) {
                block_change(node_block(node), (unsigned)first, (unsigned)last, add, news);
                return;
        }
        for (unsigned c = low; c <= high; c++)
                change_child(tree, node, c, part_of(node, c, first, last), add, news);
        news->all |= low != high;
}

static void hold_undo(struct tree *tree, struct node *node, uint64_t first, uint64_t last,
                      unsigned grain_bits);

/* Hold the children that a change may cover in part. */
static int hold(struct tree *tree, struct node *node, uint64_t first, uint64_t last,
                unsigned grain_bits)
{
        int r;

        if (node_is_block(node) || grain_bits >= node->bits)
                return 0;
        for (unsigned c = child_at(node, first); c <= child_at(node, last); c++) {
                const struct part part = part_of(node, c, first, last);
                struct node *child;

                r = child_open(tree, node, c);
                if (!r) {
                        child = node_branch(node)->child[c];
                        child->held++;
                        r = hold(tree, child, part.first, part.last, grain_bits);
                        if (!r)
                                continue;
                        child->held--;
                        child_close(tree, node, c);
                }
                if (c > child_at(node, first))
                        hold_undo(tree, node, first, c * node_child_size(node) - 1, grain_bits);
                return r;
        }
        return 0;
}

static void hold_undo(struct tree *tree, struct node *node, uint64_t first, uint64_t last,
                      unsigned grain_bits)
{
        if (node_is_block(node) || grain_bits >= node->bits)
                return;
        for (unsigned c = child_at(node, first); c <= child_at(node, last); c++) {
                const struct part part = part_of(node, c, first, last);
                struct node *child = node_branch(node)->child[c];

                assert(child_is_node(child) && child->held);
                hold_undo(tree, child, part.first, part.last, grain_bits);
                child->held--;
                child_close(tree, node, c);
        }
}

/* The smallest node that a range lies in. */
static int plant(struct tree *tree, uint64_t first, uint64_t last)
{
        unsigned bits = PIECE_BITS;

        while (first >> (bits + FANOUT_BITS) != last >> (bits + FANOUT_BITS))
                bits += FANOUT_BITS;
        tree->root = node_new(bits, false);
        if (!tree->root)
                return -ENOMEM;
        tree->base = first >> (bits + FANOUT_BITS) << (bits + FANOUT_BITS);
        tree->bytes += node_bytes(bits);
        return 0;
}

/* Put a root above the root. */
static int raise(struct tree *tree)
{
        struct node *root, *below = tree->root;
        const unsigned bits = node_span_bits(below);
        struct summary sum;
        struct news news;
        unsigned c;

        root = node_new(bits, false);
        if (!root)
                return -ENOMEM;
        c = (unsigned)(tree->base >> bits) % FANOUT;
        tree->base -= c * node_child_size(root);
        node_summary(below, &sum);
        node_put(root, c, &sum, &news);
        node_add_free(root, c, node_free(below), true);
        node_branch(root)->child[c] = below;
        root->n_nodes = 1;
        root->held = below->held;
        tree->root = root;
        tree->bytes += node_bytes(bits);
        return 0;
}

/* The only child that is a node, where nothing else is there and every hold goes through it. */
static unsigned only_child(const struct node *root)
{
        const struct branch *branch = node_branch(root);
        unsigned c = 0;

        if (root->n_nodes != 1)
                return FANOUT;
        while (!child_is_node(branch->child[c]))
                c++;
        if (node_free_in(root, c) != node_free(root) || branch->child[c]->held != root->held)
                return FANOUT;
        return c;
}

/* Take away roots that nothing needs. */
static void lower(struct tree *tree)
{
        struct node *root;
        unsigned c;

        while ((root = tree->root)) {
                c = only_child(root);
                if (c < FANOUT) {
                        tree->root = node_branch(root)->child[c];
                        tree->base += c * node_child_size(root);
                        node_branch(root)->child[c] = CHILD_TAKEN;
                } else if (!root->held && !root->n_nodes && !node_free(root)) {
                        tree->root = NULL;
                } else {
                        return;
                }
                tree->bytes -= node_bytes(root->bits);
                node_delete(root);
        }
}

/* Make the root span a range. On failure the caller lowers. */
static int span(struct tree *tree, uint64_t first, uint64_t last)
{
        int r = 0;

        if (!tree->root)
                return plant(tree, first, last);
        while (!r && (first < tree->base || last > tree_last(tree)))
                r = raise(tree);
        return r;
}

int tree_hold(struct tree *tree, uint64_t first, uint64_t last, unsigned grain_bits)
{
        int r;

        r = span(tree, first, last);
        if (!r)
                r = hold(tree, tree->root, first - tree->base, last - tree->base, grain_bits);
        if (!r)
                tree->root->held++;
        else
                lower(tree);
        return r;
}

void tree_release(struct tree *tree, uint64_t first, uint64_t last, unsigned grain_bits)
{
        hold_undo(tree, tree->root, first - tree->base, last - tree->base, grain_bits);
        assert(tree->root->held);
        tree->root->held--;
        lower(tree);
}

int tree_change(struct tree *tree, uint64_t first, uint64_t last, bool add)
{
        struct news news;
        uint64_t from, to;
        int r;

        r = span(tree, first, last);
        if (r) {
                lower(tree);
                return r;
        }
        from = first - tree->base;
        to = last - tree->base;
        r = open_ends(tree, tree->root, from, to);
        if (r)
                close_ends(tree, tree->root, from, to);
        else
                change(tree, tree->root, from, to, add, &news);
        lower(tree);
        return r;
}

void tree_deinit(struct tree *tree)
{
        node_delete(tree->root);
        *tree = (struct tree){ .visits = tree->visits };
}
