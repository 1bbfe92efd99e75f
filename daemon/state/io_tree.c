/* SPDX-License-Identifier: MIT */
/*
 * Owns an interval tree: a tree in the order of the first addresses, in which each part knows the
 * highest address of all that is below it. A search leaves out what ends too early.
 *
 * Invariant: io_part::highest. The tree's macros keep it where they turn parts around each other;
 * what is above a change is brought up to date here.
 */
#define RB_AUGMENT(part) augment(part) /* before tree.h, which has an empty one otherwise */

#include "io_tree.h"

#include <string.h>

static uint64_t highest_below(const struct io_part *part)
{
        return part ? part->highest : 0;
}

static void augment(struct io_part *part)
{
        const uint64_t left = highest_below(RB_LEFT(part, by_iova));
        const uint64_t right = highest_below(RB_RIGHT(part, by_iova));

        part->highest = part->iova.last;
        if (left > part->highest)
                part->highest = left;
        if (right > part->highest)
                part->highest = right;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
        return (a > b) - (a < b);
}

/* All but the number of the mapping. */
static int compare_places(const struct io_part *a, const struct io_part *b)
{
        int r = compare_numbers(a->iova.first, b->iova.first);

        if (!r)
                r = compare_numbers(a->iova.last, b->iova.last);
        if (!r)
                r = compare_numbers(a->mapping->client_id, b->mapping->client_id);
        if (!r)
                r = compare_numbers(a->mapping->space, b->mapping->space);
        return r ? r : strcmp(a->mapping->label, b->mapping->label);
}

static int part_compare(const struct io_part *a, const struct io_part *b)
{
        const int r = compare_places(a, b);

        return r ? r : compare_numbers(a->mapping->number, b->mapping->number);
}

TREE_GENERATE(io_tree, io_part, by_iova, part_compare)

/* ---- changes -------------------------------------------------------------------------------- */

static void augment_above(struct io_part *part)
{
        for (; part; part = RB_PARENT(part, by_iova))
                augment(part);
}

void io_tree_insert(struct io_tree *tree, struct io_part *part)
{
        part->highest = part->iova.last;
        RB_INSERT(io_tree, tree, part);
        augment_above(part);
}

/* Where the tree becomes shorter by the removal of a part: all that changes is above that. */
static struct io_part *shortened_at(struct io_part *part)
{
        struct io_part *next = RB_RIGHT(part, by_iova);

        if (!next || !RB_LEFT(part, by_iova))
                return RB_PARENT(part, by_iova);
        while (RB_LEFT(next, by_iova))
                next = RB_LEFT(next, by_iova);
        /* The next one takes the place of the part. */
        return RB_PARENT(next, by_iova) == part ? next : RB_PARENT(next, by_iova);
}

void io_tree_remove(struct io_tree *tree, struct io_part *part)
{
        struct io_part *from = shortened_at(part);

        RB_REMOVE(io_tree, tree, part);
        augment_above(from);
}

/* ---- questions ------------------------------------------------------------------------------ */

struct visit {
        uint64_t address;
        bool (*visit)(void *data, const struct io_part *part);
        void *data;
};

/* As deep as the tree is: twice the logarithm of its size at most. */
static bool visit_below(const struct io_part *part, const struct visit *visit)
{
        if (!part || part->highest < visit->address)
                return true;
        if (!visit_below(RB_LEFT(part, by_iova), visit))
                return false;
        if (part->iova.first > visit->address)
                return true;
        if (part->iova.last >= visit->address && !visit->visit(visit->data, part))
                return false;
        return visit_below(RB_RIGHT(part, by_iova), visit);
}

bool io_tree_visit(const struct io_tree *tree, uint64_t address,
                   bool (*visit)(void *data, const struct io_part *part), void *data)
{
        const struct visit all = { address, visit, data };

        return visit_below(RB_ROOT(tree), &all);
}

struct io_part *io_tree_same(struct io_tree *tree, const struct io_part *part)
{
        struct io_part *at = RB_ROOT(tree);

        while (at) {
                const int r = compare_places(part, at);

                if (!r)
                        return at;
                at = r < 0 ? RB_LEFT(at, by_iova) : RB_RIGHT(at, by_iova);
        }
        return NULL;
}
