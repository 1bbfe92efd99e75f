/* SPDX-License-Identifier: MIT */
/*
 * Works every figure out anew, from the bits up, and by another way than the one it was made by.
 * For tests: it takes time for all that is there.
 */
#include "block.h"
#include "tree.h"

#include <assert.h>

/**
 * struct checker - runs of one node, as a walk upwards meets them
 * @bits: logarithm of the node's size
 * @at:   where the walk is
 * @run:  length of the run that ends there
 * @free: how much was
 * @sum:  what has been found
 */
struct checker {
        unsigned bits;
        uint64_t at, run, free;
        struct summary sum;
};

/* A run has ended: for each alignment, what is left of it from the first multiple on. */
static void run_ends(struct checker *checker)
{
        const uint64_t first = checker->at - checker->run;

        if (checker->run && !first)
                checker->sum.start = checker->run;
        for (unsigned k = 0; checker->run && k < checker->bits; k++) {
                const uint64_t align = UINT64_C(1) << k;
                const uint64_t from = (first + align - 1) / align * align;

                if (from < checker->at && checker->at - from > checker->sum.longest[k])
                        checker->sum.longest[k] = checker->at - from;
        }
        checker->run = 0;
}

static void walk_bits(struct checker *checker, uint64_t length, bool free)
{
        if (free) {
                checker->run += length;
                checker->free += length;
        } else {
                run_ends(checker);
        }
        checker->at += length;
}

static void walk_word(struct checker *checker, uint64_t word)
{
        if (!word || !~word) {
                walk_bits(checker, 64, word);
                return;
        }
        for (unsigned i = 0; i < 64; i++)
                walk_bits(checker, 1, word >> i & 1);
}

/* Walk all below a child. */
static void walk(struct checker *checker, const struct node *node, unsigned c)
{
        const struct node *child;

        if (node_is_block(node)) {
                const uint64_t *word = &node_block(node)->word[c * PIECE_WORDS];

                for (unsigned i = 0; i < PIECE_WORDS; i++)
                        walk_word(checker, word[i]);
                return;
        }
        child = node_child(node, c);
        if (!child_is_node(child)) {
                walk_bits(checker, node_child_size(node), child == CHILD_FREE);
                return;
        }
        for (unsigned below = 0; below < FANOUT; below++)
                walk(checker, child, below);
}

static void check_column(const struct node *node, unsigned c)
{
        struct checker checker = { .bits = node->bits };

        walk(&checker, node, c);
        checker.sum.end = checker.run;
        run_ends(&checker);
        assert(checker.at == node_child_size(node));
        assert(node_start(node, c) == checker.sum.start);
        assert(node_end(node, c) == checker.sum.end);
        assert(node_free_in(node, c) == checker.free);
        for (unsigned k = 0; k < node->bits; k++)
                assert(node_longest(node, c, k) == checker.sum.longest[k]);
}

static size_t check_node(const struct node *node, bool stale);

/* A child that is a node. Return: bytes of heap. */
static size_t check_child(const struct node *node, unsigned c, bool stale)
{
        const struct node *child = node_branch(node)->child[c];
        const bool asleep = node->asleep >> c & 1;

        assert(child->bits + FANOUT_BITS == node->bits);
        assert(child->held <= node->held);
        /* Nothing is a node that could be a mark. */
        assert(stale || child->held || !(asleep || node_child_is_uniform(node, c)));
        return check_node(child, stale || asleep);
}

/* @stale: it is asleep, or something above it is: what it says does not count. */
static size_t check_node(const struct node *node, bool stale)
{
        size_t bytes = node_bytes(node->bits);
        unsigned n_nodes = 0;

        for (unsigned c = 0; c < FANOUT; c++) {
                if (!stale)
                        check_column(node, c);
                if (node_is_block(node) || !child_is_node(node_branch(node)->child[c]))
                        continue;
                bytes += check_child(node, c, stale);
                n_nodes++;
        }
        assert(n_nodes == node->n_nodes);
        return bytes;
}

void tree_check(const struct tree *tree)
{
        const struct node *root = tree->root;

        if (!root) {
                assert(!tree->bytes);
                return;
        }
        assert(tree->base % (UINT64_C(1) << node_span_bits(root)) == 0);
        assert(root->held || root->n_nodes || node_free(root));
        assert(check_node(root, false) == tree->bytes);
}
