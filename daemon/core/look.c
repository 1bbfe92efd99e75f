/* SPDX-License-Identifier: MIT */
/*
 * Questions about what is there: how much, how long, where next. Each goes down along the edges of
 * its range and takes what lies between from the figures. Owns nothing.
 */
#include "block.h"
#include "tree.h"

/* The part of [@first, @last] that lies in a child; whether that is not the whole child. */
static bool cuts(const struct node *node, unsigned c, uint64_t *first, uint64_t *last)
{
        const uint64_t size = node_child_size(node), at = c * size;

        *first = *first > at ? *first - at : 0;
        *last = *last - at < size ? *last - at : size - 1;
        return *first != 0 || *last != size - 1;
}

/* ---- How much ------------------------------------------------------------------------------- */

static uint64_t count_in_block(const struct block *block, unsigned first, unsigned last)
{
        uint64_t sum = 0;

        for (unsigned i = first / 64; i <= last / 64; i++)
                sum += (unsigned)__builtin_popcountll(block->word[i] & block_mask(i, first, last));
        return sum;
}

static uint64_t count(const struct tree *tree, const struct node *node, uint64_t first,
                      uint64_t last)
{
        uint64_t sum = 0;

        tree_visit(tree);
        if (node_is_block(node))
                return count_in_block(node_block(node), (unsigned)first, (unsigned)last);
        for (unsigned c = (unsigned)(first >> node->bits); c <= last >> node->bits; c++) {
                const struct node *child = node_child(node, c);
                uint64_t from = first, to = last;

                if (!cuts(node, c, &from, &to))
                        sum += node_free_in(node, c);
                else if (child_is_node(child))
                        sum += count(tree, child, from, to);
                else if (child == CHILD_FREE)
                        sum += to - from + 1;
        }
        return sum;
}

uint64_t tree_count(const struct tree *tree, uint64_t first, uint64_t last)
{
        if (!tree_clip(tree, &first, &last))
                return 0;
        return count(tree, tree->root, first - tree->base, last - tree->base);
}

bool tree_is_free(const struct tree *tree, uint64_t granule)
{
        const struct node *node = tree->root;

        if (!node || granule < tree->base || granule > tree_last(tree))
                return false;
        granule -= tree->base;
        while (!node_is_block(node)) {
                tree_visit(tree);
                node = node_child(node, (granule >> node->bits) % FANOUT);
                if (!child_is_node(node))
                        return node == CHILD_FREE;
        }
        return node_block(node)->word[granule / 64 % (FANOUT * PIECE_WORDS)] >> (granule % 64) & 1;
}

/* ---- How long ------------------------------------------------------------------------------- */

/**
 * struct measure - a walk upwards
 * @below:   free granules directly below where it is
 * @longest: of the runs that have been passed
 */
struct measure {
        const struct tree *tree;
        uint64_t below, longest;
};

static void pass(struct measure *measure, uint64_t start, uint64_t longest, uint64_t end,
                 uint64_t size)
{
        const uint64_t joined = measure->below + start;

        if (measure->longest < joined)
                measure->longest = joined;
        if (measure->longest < longest)
                measure->longest = longest;
        measure->below = end == size ? joined : end;
}

static unsigned longest_in_word(uint64_t word)
{
        unsigned length = 0;

        for (; word; length++)
                word &= word >> 1;
        return length;
}

static void measure_words(struct measure *measure, const struct block *block, unsigned first,
                          unsigned last)
{
        for (unsigned i = first / 64; i <= last / 64; i++) {
                const uint64_t word = block->word[i] & block_mask(i, first, last);

                pass(measure, word_start(word), longest_in_word(word), word_end(word), 64);
        }
}

static void measure_node(struct measure *measure, const struct node *node, uint64_t first,
                         uint64_t last)
{
        const uint64_t size = node_child_size(node);

        tree_visit(measure->tree);
        for (unsigned c = (unsigned)(first >> node->bits); c <= last >> node->bits; c++) {
                const uint64_t at = c * size;
                const struct node *child;
                uint64_t from = first, to = last;

                if (!cuts(node, c, &from, &to)) {
                        pass(measure, node_start(node, c), node_longest(node, c, 0),
                             node_end(node, c), size);
                        continue;
                }
                if (node_is_block(node)) {
                        measure_words(measure, node_block(node), (unsigned)(at + from),
                                      (unsigned)(at + to));
                        continue;
                }
                child = node_child(node, c);
                if (child_is_node(child))
                        measure_node(measure, child, from, to);
                else if (child == CHILD_FREE)
                        pass(measure, to - from + 1, 0, to - from + 1, to - from + 1);
                else
                        measure->below = 0;
        }
}

uint64_t tree_longest(const struct tree *tree, uint64_t first, uint64_t last)
{
        struct measure measure = { .tree = tree };

        if (!tree_clip(tree, &first, &last))
                return 0;
        measure_node(&measure, tree->root, first - tree->base, last - tree->base);
        return measure.longest;
}

/* ---- Where next ----------------------------------------------------------------------------- */

/* Whether a child has any granule that is free, or any that is not. */
static bool has(const struct node *node, unsigned c, bool free)
{
        const uint64_t figure = node_free_in(node, c);

        return free ? figure != 0 : figure != node_child_size(node);
}

static uint64_t wanted_bits(const struct block *block, unsigned i, bool free)
{
        return free ? block->word[i] : ~block->word[i];
}

static bool next_in_piece(const struct block *block, unsigned c, unsigned from, bool free,
                          uint64_t *ret)
{
        for (unsigned i = from / 64; i < PIECE_WORDS; i++) {
                uint64_t bits = wanted_bits(block, c * PIECE_WORDS + i, free);

                if (i == from / 64)
                        bits &= UINT64_MAX << (from % 64);
                if (bits) {
                        *ret = i * 64 + (unsigned)__builtin_ctzll(bits);
                        return true;
                }
        }
        return false;
}

static bool next_in(const struct tree *tree, const struct node *node, uint64_t from, bool free,
                    uint64_t *ret)
{
        const uint64_t size = node_child_size(node);

        tree_visit(tree);
        for (unsigned c = (unsigned)(from >> node->bits); c < FANOUT; c++) {
                const uint64_t at = c * size, inside = from > at ? from - at : 0;
                const struct node *child;
                bool found;

                if (!has(node, c, free))
                        continue;
                if (node_is_block(node)) {
                        found = next_in_piece(node_block(node), c, (unsigned)inside, free, ret);
                } else {
                        child = node_child(node, c);
                        *ret = inside;
                        found = !child_is_node(child) || next_in(tree, child, inside, free, ret);
                }
                if (found) {
                        *ret += at;
                        return true;
                }
        }
        return false;
}

bool tree_next(const struct tree *tree, uint64_t from, bool free, uint64_t *ret)
{
        if (!tree->root || from > tree_last(tree))
                return false;
        from = from > tree->base ? from - tree->base : 0;
        if (!next_in(tree, tree->root, from, free, ret))
                return false;
        *ret += tree->base;
        return true;
}

static bool prev_in_piece(const struct block *block, unsigned c, unsigned from, bool free,
                          uint64_t *ret)
{
        for (unsigned i = from / 64 + 1; i-- > 0;) {
                uint64_t bits = wanted_bits(block, c * PIECE_WORDS + i, free);

                if (i == from / 64)
                        bits &= UINT64_MAX >> (63 - from % 64);
                if (bits) {
                        *ret = i * 64 + 63 - (unsigned)__builtin_clzll(bits);
                        return true;
                }
        }
        return false;
}

static bool prev_in(const struct tree *tree, const struct node *node, uint64_t from, bool free,
                    uint64_t *ret)
{
        const uint64_t size = node_child_size(node);

        tree_visit(tree);
        for (unsigned c = (unsigned)(from >> node->bits) + 1; c-- > 0;) {
                const uint64_t at = c * size, inside = from - at < size ? from - at : size - 1;
                const struct node *child;
                bool found;

                if (!has(node, c, free))
                        continue;
                if (node_is_block(node)) {
                        found = prev_in_piece(node_block(node), c, (unsigned)inside, free, ret);
                } else {
                        child = node_child(node, c);
                        *ret = inside;
                        found = !child_is_node(child) || prev_in(tree, child, inside, free, ret);
                }
                if (found) {
                        *ret += at;
                        return true;
                }
        }
        return false;
}

bool tree_prev(const struct tree *tree, uint64_t from, bool free, uint64_t *ret)
{
        if (!tree->root || from < tree->base)
                return false;
        from = (from < tree_last(tree) ? from : tree_last(tree)) - tree->base;
        if (!prev_in(tree, tree->root, from, free, ret))
                return false;
        *ret += tree->base;
        return true;
}
