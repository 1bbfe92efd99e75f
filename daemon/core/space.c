/* SPDX-License-Identifier: MIT */
/*
 * A set of addresses: bytes outside, granules inside. Owns the tree. Refuses
 * ranges off the granule and overlaps by assertion: they are mistakes of the program.
 */
#include "space.h"

#include "tree.h"

#include <errno.h>
#include <stdlib.h>

/**
 * struct space
 * @tree:    what is there
 * @shift:   logarithm of the granule
 * @granules: in it
 */
struct space {
        struct tree tree;
        unsigned shift;
        uint64_t granules;
};

int space_new(uint64_t granule_bytes, struct space **ret)
{
        struct space *space;

        assert(is_power_of_two(granule_bytes) && granule_bytes >= SPACE_GRANULE_MIN);
        space = calloc(1, sizeof(*space));
        if (!space)
                return -ENOMEM;
        space->shift = (unsigned)__builtin_ctzll(granule_bytes);
        *ret = space;
        return 0;
}

void space_free(struct space *space)
{
        if (!space)
                return;
        tree_deinit(&space->tree);
        free(space);
}

uint64_t space_granule(const struct space *space)
{
        return UINT64_C(1) << space->shift;
}

/* A range that is made of granules, as granules. */
static struct range granules_of(const struct space *space, struct range range)
{
        assert(range.first <= range.last && range_on_granule(range, space_granule(space)));
        return (struct range){ range.first >> space->shift, range.last >> space->shift };
}

/* Back to bytes. */
static struct range bytes_of(const struct space *space, uint64_t first, uint64_t last)
{
        return (struct range){ first << space->shift,
                               (last << space->shift) + (space_granule(space) - 1) };
}

/* The granules that lie in a window as a whole; false where there are none. */
static bool granules_inside(const struct space *space, struct range window, struct range *ret)
{
        const uint64_t mask = space_granule(space) - 1;

        assert(window.first <= window.last);
        ret->first = (window.first >> space->shift) + ((window.first & mask) != 0);
        ret->last = window.last >> space->shift;
        if ((window.last & mask) != mask && !ret->last--)
                return false;
        return ret->first <= ret->last;
}

int space_hold(struct space *space, struct range range, uint64_t grain_bytes)
{
        const struct range at = granules_of(space, range);

        assert(is_power_of_two(grain_bytes) && range_on_granule(range, grain_bytes));
        return tree_hold(&space->tree, at.first, at.last,
                         (unsigned)__builtin_ctzll(grain_bytes) - space->shift);
}

void space_release(struct space *space, struct range range, uint64_t grain_bytes)
{
        const struct range at = granules_of(space, range);

        tree_release(&space->tree, at.first, at.last,
                     (unsigned)__builtin_ctzll(grain_bytes) - space->shift);
}

static int change(struct space *space, struct range range, enum change how)
{
        const struct range at = granules_of(space, range);
        uint64_t changed;
        int r;

        r = tree_change(&space->tree, at.first, at.last, how, &changed);
        if (r)
                return r;
        space->granules += how == CHANGE_ADD ? changed : -changed;
        return 0;
}

int space_add(struct space *space, struct range range)
{
        return change(space, range, CHANGE_ADD);
}

int space_remove(struct space *space, struct range range)
{
        return change(space, range, CHANGE_REMOVE);
}

int space_clear(struct space *space, struct range range)
{
        return change(space, range, CHANGE_CLEAR);
}

bool space_find(const struct space *space, struct range window, uint64_t size_bytes,
                uint64_t align_bytes, enum space_end end, struct range *ret)
{
        const uint64_t granule = space_granule(space);
        struct tree_query query;
        struct range inside;
        bool found;

        assert(size_bytes > 0 && is_power_of_two(align_bytes));
        if (!granules_inside(space, window, &inside))
                return false;
        query = (struct tree_query){
                .first = inside.first,
                .last = inside.last,
                .size = ((size_bytes - 1) >> space->shift) + 1,
                .align_bits = align_bytes > granule
                                      ? (unsigned)__builtin_ctzll(align_bytes) - space->shift
                                      : 0,
        };
        found = end == SPACE_HIGHEST ? tree_find_highest(&space->tree, &query)
                                     : tree_find_lowest(&space->tree, &query);
        if (found)
                *ret = bytes_of(space, query.ret, query.ret + query.size - 1);
        return found;
}

uint64_t space_longest(const struct space *space, struct range window)
{
        struct range inside;

        if (!granules_inside(space, window, &inside))
                return 0;
        return tree_longest(&space->tree, inside.first, inside.last) << space->shift;
}

bool space_contains(const struct space *space, struct range range)
{
        const uint64_t first = range.first >> space->shift, last = range.last >> space->shift;

        return tree_count(&space->tree, first, last) == last - first + 1;
}

uint64_t space_bytes(const struct space *space)
{
        return space->granules << space->shift;
}

uint64_t space_bytes_in(const struct space *space, struct range window)
{
        const uint64_t mask = space_granule(space) - 1;
        const uint64_t first = window.first >> space->shift, last = window.last >> space->shift;
        uint64_t bytes = tree_count(&space->tree, first, last) << space->shift;

        /* What the window cuts off. */
        if (window.first & mask && tree_is_free(&space->tree, first))
                bytes -= window.first & mask;
        if (~window.last & mask && tree_is_free(&space->tree, last))
                bytes -= ~window.last & mask;
        return bytes;
}

/* From a granule upwards, as long as all are free, or all are not. */
static uint64_t upper_end(const struct space *space, uint64_t granule, bool free)
{
        uint64_t behind;

        if (tree_next(&space->tree, granule, !free, &behind))
                return behind - 1;
        return free ? tree_last(&space->tree) : UINT64_MAX >> space->shift;
}

static uint64_t lower_end(const struct space *space, uint64_t granule)
{
        uint64_t before;

        return tree_prev(&space->tree, granule, false, &before) ? before + 1 : space->tree.base;
}

bool space_next(const struct space *space, uint64_t from, struct range *ret)
{
        uint64_t first;

        if (!tree_next(&space->tree, from >> space->shift, true, &first))
                return false;
        *ret = bytes_of(space, first, upper_end(space, first, true));
        if (ret->first < from)
                ret->first = from;
        return true;
}

bool space_prev(const struct space *space, uint64_t from, struct range *ret)
{
        uint64_t last;

        if (!tree_prev(&space->tree, from >> space->shift, true, &last))
                return false;
        *ret = bytes_of(space, lower_end(space, last), last);
        if (ret->last > from)
                ret->last = from;
        return true;
}

bool space_next_gap(const struct space *space, uint64_t from, struct range *ret)
{
        const struct tree *tree = &space->tree;
        uint64_t first = from >> space->shift, inside;

        /* What the tree does not span is all gap. */
        if (tree->root && first >= tree->base && first <= tree_last(tree))
                first = tree_next(tree, first, false, &inside) ? inside : tree_last(tree) + 1;
        if (first > UINT64_MAX >> space->shift)
                return false;
        *ret = bytes_of(space, first, UINT64_MAX >> space->shift);
        if (tree_next(tree, first, true, &inside))
                *ret = bytes_of(space, first, inside - 1);
        if (ret->first < from)
                ret->first = from;
        return true;
}

size_t space_metadata_bytes(const struct space *space)
{
        return sizeof(*space) + space->tree.bytes;
}

void space_count_visits(struct space *space, size_t *visits)
{
        space->tree.visits = visits;
}

size_t space_visits_max(const struct space *space)
{
        return 4 * (size_t)tree_height(&space->tree);
}

void space_check(const struct space *space)
{
        uint64_t granules = 0, from = 0, last;

        tree_check(&space->tree);
        while (tree_next(&space->tree, from, true, &from)) {
                last = upper_end(space, from, true);
                granules += last - from + 1;
                from = last + 1;
        }
        assert(granules == space->granules);
}
