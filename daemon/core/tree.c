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

/* Make a child a mark, with all that was below. */
static void child_drop(struct tree *tree, struct node *node, unsigned c, bool full)
{
        struct node **child = &node_branch(node)->child[c];

        if (child_is_node(*child)) {
                tree->bytes -= node_delete(*child);
                node->n_nodes--;
                node->asleep &= (uint8_t) ~(1u << c);
        }
        *child = full ? CHILD_FREE : CHILD_TAKEN;
}

/*
 * Make a child a mark again, if it can be. Where it is not held nothing below it is: so it is a
 * node for nothing but what is mixed.
 */
static void child_close(struct tree *tree, struct node *node, unsigned c)
{
        const struct node *child = node_branch(node)->child[c];

        if (child_is_node(child) && !child->held && node_child_is_uniform(node, c))
                child_drop(tree, node, c, node_free_in(node, c));
}

/* Write a child that is all free or all taken. What is held of it need not be written. */
static void child_fill(struct tree *tree, struct node *node, unsigned c, bool full)
{
        const struct node *child = node_branch(node)->child[c];

        node_put_uniform(node, c, full);
        if (child_is_node(child) && child->held)
                node->asleep |= (uint8_t)(1u << c);
        else
                child_drop(tree, node, c, full);
}

/* Write into a child that slept what its column says. */
static void child_wake(struct tree *tree, struct node *node, unsigned c)
{
        struct node *child = node_branch(node)->child[c];
        const bool full = node_free_in(node, c);

        if (!(node->asleep >> c & 1))
                return;
        node->asleep &= (uint8_t) ~(1u << c);
        if (node_is_block(child)) {
                node_fill_block(child, full);
                return;
        }
        for (unsigned below = 0; below < FANOUT; below++)
                child_fill(tree, child, below, full);
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

/* Make, or wake, the nodes that the range covers in part. On failure the caller closes. */
static int open_ends(struct tree *tree, struct node *node, uint64_t first, uint64_t last)
{
        if (node_is_block(node))
                return 0;
        for (unsigned c = child_at(node, first);; c = child_at(node, last)) {
                const struct part part = part_of(node, c, first, last);
                int r = 0;

                if (!part.whole)
                        r = child_open(tree, node, c);
                if (!part.whole && !r) {
                        child_wake(tree, node, c);
                        r = open_ends(tree, node_branch(node)->child[c], part.first, part.last);
                }
                if (r || c == child_at(node, last))
                        return r;
        }
}

static uint64_t change(struct tree *tree, struct node *node, uint64_t first, uint64_t last,
                       enum change how, struct news *news);

static uint64_t change_whole(struct tree *tree, struct node *node, unsigned c, enum change how,
                             struct news *news)
{
        const uint64_t size = node_child_size(node), free = node_free_in(node, c);

        assert(how == CHANGE_CLEAR || free == (how == CHANGE_ADD ? 0 : size));
        if (how == CHANGE_CLEAR && !free)
                return 0;
        child_fill(tree, node, c, how == CHANGE_ADD);
        news->all = true;
        return how == CHANGE_ADD ? size : free;
}

static uint64_t change_part(struct tree *tree, struct node *node, unsigned c, struct part part,
                            enum change how, struct news *news)
{
        struct node *child = node_branch(node)->child[c];
        uint64_t changed;

        changed = change(tree, child, part.first, part.last, how, news);
        node_add_free(node, c, changed, how == CHANGE_ADD);
        node_pass_on(node, c, child, news);
        child_close(tree, node, c);
        return changed;
}

/* Return: how many granules have changed. */
static uint64_t change(struct tree *tree, struct node *node, uint64_t first, uint64_t last,
                       enum change how, struct news *news)
{
        const unsigned low = child_at(node, first), high = child_at(node, last);
        uint64_t changed = 0;

        tree_visit(tree);
        if (node_is_block(node))
                return block_change(node_block(node), (unsigned)first, (unsigned)last, how, news);
        news->all = false;
        news->classes = 0;
        for (unsigned c = low; c <= high; c++) {
                const struct part part = part_of(node, c, first, last);

                changed += part.whole ? change_whole(tree, node, c, how, news)
                                      : change_part(tree, node, c, part, how, news);
        }
        news->all |= low != high;
        return changed;
}

/**
 * struct hold - one on its way
 * @grain_bits: logarithm of what the ends of the changes to come are multiples of
 *
 * It goes through every node that is larger than the grain and has a part of the range.
 */
struct hold {
        struct tree *tree;
        unsigned grain_bits;
};

static bool ends_at(const struct hold *hold, const struct node *node)
{
        return node_is_block(node) || hold->grain_bits >= node->bits;
}

static void unhold(const struct hold *hold, struct node *node, uint64_t first, uint64_t last,
                   bool stale);

/* @stale: whether the node, or one above it, is asleep, so that its columns say nothing. */
static void unhold_children(const struct hold *hold, struct node *node, uint64_t first,
                            uint64_t last, bool stale)
{
        for (unsigned c = child_at(node, first); c <= child_at(node, last); c++) {
                const struct part part = part_of(node, c, first, last);
                struct node *child = node_branch(node)->child[c];

                assert(child_is_node(child) && child->held);
                unhold(hold, child, part.first, part.last, stale || node->asleep >> c & 1);
                if (!stale)
                        child_close(hold->tree, node, c);
                else if (!child->held)
                        child_drop(hold->tree, node, c, false);
        }
}

static void unhold(const struct hold *hold, struct node *node, uint64_t first, uint64_t last,
                   bool stale)
{
        node->held--;
        if (!ends_at(hold, node))
                unhold_children(hold, node, first, last, stale);
}

/* On failure nothing has changed. */
static int hold(const struct hold *hold_, struct node *node, uint64_t first, uint64_t last,
                bool stale)
{
        unsigned c;
        int r = 0;

        node->held++;
        if (ends_at(hold_, node))
                return 0;
        for (c = child_at(node, first); !r && c <= child_at(node, last); c++) {
                const struct part part = part_of(node, c, first, last);

                r = child_open(hold_->tree, node, c);
                if (!r)
                        r = hold(hold_, node_branch(node)->child[c], part.first, part.last,
                                 stale || node->asleep >> c & 1);
        }
        if (!r)
                return 0;
        c--; /* the one that failed: it may have been opened for nothing */
        child_close(hold_->tree, node, c);
        if (c > child_at(node, first))
                unhold_children(hold_, node, first, c * node_child_size(node) - 1, stale);
        node->held--;
        return r;
}

/* A root for a range, not below @bits. */
static int plant(struct tree *tree, uint64_t first, uint64_t last, unsigned bits)
{
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
        child_close(tree, root, c);
        return 0;
}

/* Make the root span a range, and its children not be below @bits. On failure the caller lowers. */
static int span(struct tree *tree, uint64_t first, uint64_t last, unsigned bits)
{
        int r = 0;

        if (!tree->root)
                return plant(tree, first, last, bits);
        while (!r && (first < tree->base || last > tree_last(tree) || tree->root->bits < bits))
                r = raise(tree);
        return r;
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
                        child_wake(tree, root, c);
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

/* So large a root that every hold, with that grain, goes through it. */
static unsigned root_bits(unsigned grain_bits)
{
        unsigned bits = PIECE_BITS;

        while (bits + FANOUT_BITS <= grain_bits)
                bits += FANOUT_BITS;
        return bits;
}

int tree_hold(struct tree *tree, uint64_t first, uint64_t last, unsigned grain_bits)
{
        const struct hold wanted = { tree, grain_bits };
        int r;

        r = span(tree, first, last, root_bits(grain_bits));
        if (!r)
                r = hold(&wanted, tree->root, first - tree->base, last - tree->base, false);
        lower(tree);
        return r;
}

void tree_release(struct tree *tree, uint64_t first, uint64_t last, unsigned grain_bits)
{
        const struct hold ended = { tree, grain_bits };

        assert(tree->root && tree->root->held);
        unhold(&ended, tree->root, first - tree->base, last - tree->base, false);
        lower(tree);
}

int tree_change(struct tree *tree, uint64_t first, uint64_t last, enum change how,
                uint64_t *ret_changed)
{
        struct news news;
        uint64_t from, to;
        int r;

        if (how == CHANGE_CLEAR && !tree_clip(tree, &first, &last)) {
                *ret_changed = 0;
                return 0;
        }
        r = span(tree, first, last, PIECE_BITS);
        if (!r) {
                from = first - tree->base;
                to = last - tree->base;
                r = open_ends(tree, tree->root, from, to);
                if (r)
                        close_ends(tree, tree->root, from, to);
                else
                        *ret_changed = change(tree, tree->root, from, to, how, &news);
        }
        lower(tree);
        return r;
}

void tree_deinit(struct tree *tree)
{
        node_delete(tree->root);
        *tree = (struct tree){ .visits = tree->visits };
}
