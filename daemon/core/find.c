/* SPDX-License-Identifier: MIT */
/*
 * The search for the outermost place. It goes through the window from one end to the other and
 * carries along how much is free directly before it, so that a run that lies in several children,
 * at whatever level, is seen when its far end is reached. A child is entered only where its figures
 * say that the place is inside, or may be: it is one that the window cuts. So it goes down at most
 * three ways: along one edge of the window, along the other, and to the place.
 *
 * Owns nothing. "Before" is above for the highest place, and below for the lowest.
 */
#include "block.h"
#include "tree.h"

/**
 * struct walk - a search on its way
 * @query:  what for
 * @tree:   where
 * @before: free granules directly before what comes next
 */
struct walk {
        struct tree_query *query;
        const struct tree *tree;
        uint64_t before;
};

static uint64_t min(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static uint64_t round_down(uint64_t at, unsigned bits)
{
        return at >> bits << bits;
}

/* The bits of a word at @base whose granules are multiples of 2^bits. */
static uint64_t aligned_bits(uint64_t base, unsigned bits)
{
        static const uint64_t every[] = {
                UINT64_MAX,
                UINT64_C(0x5555555555555555),
                UINT64_C(0x1111111111111111),
                UINT64_C(0x0101010101010101),
                UINT64_C(0x0001000100010001),
                UINT64_C(0x0000000100000001),
        };

        if (bits < 6)
                return every[bits];
        return round_down(base, bits) == base;
}

/* The longest run in a child that begins aligned; the child lies at @at. */
static uint64_t longest_aligned(const struct node *node, unsigned c, uint64_t at, unsigned bits)
{
        if (bits < node->bits)
                return node_longest(node, c, bits);
        return round_down(at, bits) == at ? node_start(node, c) : 0;
}

static bool in_window(const struct tree_query *query, uint64_t first, uint64_t last)
{
        return query->first <= first && last <= query->last;
}

/* The first and the last child that the window touches. */
static unsigned lowest_child(const struct node *node, uint64_t base, const struct tree_query *query)
{
        return query->first > base ? (unsigned)((query->first - base) >> node->bits) : 0;
}

static unsigned highest_child(const struct node *node, uint64_t base,
                              const struct tree_query *query)
{
        const uint64_t c = (query->last - base) >> node->bits;

        return c < FANOUT ? (unsigned)c : FANOUT - 1;
}

/* Bits of a word at @at that lie in the window. */
static uint64_t clip_word(uint64_t word, uint64_t at, const struct tree_query *query)
{
        if (query->first > at)
                word = query->first - at > 63 ? 0 : word & UINT64_MAX << (query->first - at);
        if (query->last < at)
                return 0;
        return query->last - at < 63 ? word & UINT64_MAX >> (63 - (query->last - at)) : word;
}

/* ---- The highest place --------------------------------------------------------------------- */

/*
 * Whether the run fits that the walk has come to: @end granules below @behind, and what is free
 * directly above that.
 */
static bool high_fits(struct walk *walk, uint64_t behind, uint64_t end)
{
        struct tree_query *query = walk->query;
        uint64_t at;

        if (end + walk->before < query->size)
                return false;
        at = round_down(behind + walk->before - query->size, query->align_bits);
        if (at < behind - end)
                return false;
        query->ret = at;
        return true;
}

static bool high_in_piece(struct walk *walk, const uint64_t *words, uint64_t base)
{
        struct tree_query *query = walk->query;

        for (unsigned i = PIECE_WORDS; i-- > 0;) {
                const uint64_t at = base + i * UINT64_C(64);
                const uint64_t word = clip_word(words[i], at, query);
                uint64_t found = 0;

                if (!word) {
                        walk->before = 0;
                        continue;
                }
                if (high_fits(walk, at + 64, word_end(word)))
                        return true;
                if (query->size <= 64)
                        found = word_runs(word, (unsigned)query->size) &
                                aligned_bits(at, query->align_bits);
                if (found) {
                        query->ret = at + 63 - (unsigned)__builtin_clzll(found);
                        return true;
                }
                walk->before = ~word ? word_start(word) : walk->before + 64;
        }
        return false;
}

static bool high_in_node(struct walk *walk, const struct node *node, uint64_t base);

/* Look into a child: because the place is there, or because the window cuts it. */
static bool high_in_child(struct walk *walk, const struct node *node, unsigned c, uint64_t at)
{
        const uint64_t size = node_child_size(node);
        const struct tree_query *query = walk->query;
        const struct node *child;
        uint64_t first, last;

        if (node_is_block(node))
                return high_in_piece(walk, &node_block(node)->word[c * PIECE_WORDS], at);
        child = node_child(node, c);
        if (child_is_node(child))
                return high_in_node(walk, child, at);
        if (child == CHILD_TAKEN) {
                walk->before = 0;
                return false;
        }
        first = query->first > at ? query->first : at;
        last = query->last - at < size ? query->last : at + (size - 1);
        if (high_fits(walk, last + 1, last - first + 1))
                return true;
        walk->before += last - first + 1;
        return false;
}

/*
 * A child that the window cuts, and that holds no place as a whole: what counts of it is what is
 * free at those of its ends that are in the window.
 */
static bool high_at_ends(struct walk *walk, const struct node *node, unsigned c, uint64_t at)
{
        const struct tree_query *query = walk->query;
        const uint64_t behind = at + node_child_size(node);

        if (query->last >= behind - 1)
                return high_fits(walk, behind, min(node_end(node, c), behind - query->first));
        walk->before = min(node_start(node, c), query->last - at + 1);
        return false;
}

static bool high_in_node(struct walk *walk, const struct node *node, uint64_t base)
{
        const struct tree_query *query = walk->query;
        const uint64_t size = node_child_size(node);
        const unsigned low = lowest_child(node, base, query);
        uint64_t start;

        tree_visit(walk->tree);
        for (unsigned c = highest_child(node, base, query) + 1; c-- > low;) {
                const uint64_t at = base + c * size;

                if (!in_window(query, at, at + (size - 1))) {
                        if (longest_aligned(node, c, at, query->align_bits) >= query->size
                                    ? high_in_child(walk, node, c, at)
                                    : high_at_ends(walk, node, c, at))
                                return true;
                        continue;
                }
                if (high_fits(walk, at + size, node_end(node, c)))
                        return true;
                if (longest_aligned(node, c, at, query->align_bits) >= query->size)
                        return high_in_child(walk, node, c, at);
                start = node_start(node, c);
                walk->before = start == size ? walk->before + size : start;
        }
        return false;
}

/* ---- The lowest place, the mirror of it ----------------------------------------------------- */

/* The same upwards: what is free directly below @at, and @start granules from there on. */
static bool low_fits(struct walk *walk, uint64_t at, uint64_t start)
{
        struct tree_query *query = walk->query;
        const uint64_t run = at - walk->before;
        const uint64_t skip = -run & ((UINT64_C(1) << query->align_bits) - 1);

        if (start + walk->before < query->size || start + walk->before - query->size < skip)
                return false;
        query->ret = run + skip;
        return true;
}

static bool low_in_piece(struct walk *walk, const uint64_t *words, uint64_t base)
{
        struct tree_query *query = walk->query;

        for (unsigned i = 0; i < PIECE_WORDS; i++) {
                const uint64_t at = base + i * UINT64_C(64);
                const uint64_t word = clip_word(words[i], at, query);
                uint64_t found = 0;

                if (!word) {
                        walk->before = 0;
                        continue;
                }
                if (low_fits(walk, at, word_start(word)))
                        return true;
                if (query->size <= 64)
                        found = word_runs(word, (unsigned)query->size) &
                                aligned_bits(at, query->align_bits);
                if (found) {
                        query->ret = at + (unsigned)__builtin_ctzll(found);
                        return true;
                }
                walk->before = ~word ? word_end(word) : walk->before + 64;
        }
        return false;
}

static bool low_in_node(struct walk *walk, const struct node *node, uint64_t base);

static bool low_in_child(struct walk *walk, const struct node *node, unsigned c, uint64_t at)
{
        const uint64_t size = node_child_size(node);
        const struct tree_query *query = walk->query;
        const struct node *child;
        uint64_t first, last;

        if (node_is_block(node))
                return low_in_piece(walk, &node_block(node)->word[c * PIECE_WORDS], at);
        child = node_child(node, c);
        if (child_is_node(child))
                return low_in_node(walk, child, at);
        if (child == CHILD_TAKEN) {
                walk->before = 0;
                return false;
        }
        first = query->first > at ? query->first : at;
        last = query->last - at < size ? query->last : at + (size - 1);
        if (low_fits(walk, first, last - first + 1))
                return true;
        walk->before += last - first + 1;
        return false;
}

static bool low_at_ends(struct walk *walk, const struct node *node, unsigned c, uint64_t at)
{
        const struct tree_query *query = walk->query;
        const uint64_t behind = at + node_child_size(node);

        if (query->first <= at)
                return low_fits(walk, at, min(node_start(node, c), query->last - at + 1));
        walk->before = min(node_end(node, c), behind - query->first);
        return false;
}

static bool low_in_node(struct walk *walk, const struct node *node, uint64_t base)
{
        const struct tree_query *query = walk->query;
        const uint64_t size = node_child_size(node);
        const unsigned high = highest_child(node, base, query);
        uint64_t end;

        tree_visit(walk->tree);
        for (unsigned c = lowest_child(node, base, query); c <= high; c++) {
                const uint64_t at = base + c * size;

                if (!in_window(query, at, at + (size - 1))) {
                        if (longest_aligned(node, c, at, query->align_bits) >= query->size
                                    ? low_in_child(walk, node, c, at)
                                    : low_at_ends(walk, node, c, at))
                                return true;
                        continue;
                }
                if (low_fits(walk, at, node_start(node, c)))
                        return true;
                if (longest_aligned(node, c, at, query->align_bits) >= query->size)
                        return low_in_child(walk, node, c, at);
                end = node_end(node, c);
                walk->before = end == size ? walk->before + size : end;
        }
        return false;
}

/* ---------------------------------------------------------------------------------------------- */

static bool touches(const struct tree *tree, const struct tree_query *query)
{
        return tree->root && query->first <= tree_last(tree) && query->last >= tree->base;
}

bool tree_find_highest(const struct tree *tree, struct tree_query *query)
{
        struct walk walk = { .query = query, .tree = tree };

        return touches(tree, query) && high_in_node(&walk, tree->root, tree->base);
}

bool tree_find_lowest(const struct tree *tree, struct tree_query *query)
{
        struct walk walk = { .query = query, .tree = tree };

        return touches(tree, query) && low_in_node(&walk, tree->root, tree->base);
}
