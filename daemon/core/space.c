/* SPDX-License-Identifier: MIT */
/*
 * A set of addresses. Owns a tree of runs, which are as long as can be (no two touch), and spare
 * nodes, of which there are as many as changes are reserved: a change adds one run at most, so it
 * never has to ask the heap. Refuses ranges off the granule, overlaps and changes that nobody
 * reserved, by assertion: they are mistakes of the program.
 */
#include "space.h"

#include "run_tree.h"

#include <errno.h>
#include <stdlib.h>

struct space {
        uint64_t granule_bytes;
        struct run *root;
        struct run *spare; /* linked by right */
        size_t n_spare, n_reserved;
        size_t n_ranges;
};

int space_new(uint64_t granule_bytes, struct space **ret)
{
        struct space *space;

        assert(is_power_of_two(granule_bytes));
        space = calloc(1, sizeof(*space));
        if (!space)
                return -ENOMEM;
        space->granule_bytes = granule_bytes;
        *ret = space;
        return 0;
}

static void free_list(struct run *run)
{
        while (run) {
                struct run *next = run->right;

                free(run);
                run = next;
        }
}

static void free_tree(struct run *run)
{
        if (!run)
                return;
        free_tree(run->left);
        free_tree(run->right);
        free(run);
}

void space_free(struct space *space)
{
        if (!space)
                return;
        free_tree(space->root);
        free_list(space->spare);
        free(space);
}

int space_reserve(struct space *space, size_t n_changes)
{
        struct run *list = NULL, **end = &space->spare;

        for (size_t i = 0; i < n_changes; i++) {
                struct run *run = calloc(1, sizeof(*run));

                if (!run) {
                        free_list(list);
                        return -ENOMEM;
                }
                run->right = list;
                list = run;
                if (!i)
                        end = &run->right;
        }
        if (!n_changes)
                return 0;
        *end = space->spare;
        space->spare = list;
        space->n_spare += n_changes;
        space->n_reserved += n_changes;
        return 0;
}

/* Give what no reserved change needs back to the heap. */
static void trim(struct space *space)
{
        while (space->n_spare > space->n_reserved) {
                struct run *run = space->spare;

                space->spare = run->right;
                space->n_spare--;
                free(run);
        }
}

void space_unreserve(struct space *space, size_t n_changes)
{
        assert(n_changes <= space->n_reserved);
        space->n_reserved -= n_changes;
        trim(space);
}

static void insert(struct space *space, struct range range)
{
        struct run *run = space->spare;

        assert(run);
        space->spare = run->right;
        space->n_spare--;
        run->at = range;
        space->root = run_tree_insert(space->root, run);
        space->n_ranges++;
}

static void take_out(struct space *space, uint64_t first)
{
        struct run *run;

        space->root = run_tree_remove(space->root, first, &run);
        run->right = space->spare;
        space->spare = run;
        space->n_spare++;
        space->n_ranges--;
}

static void begin_change(struct space *space)
{
        assert(space->n_reserved > 0);
        space->n_reserved--;
}

void space_add(struct space *space, struct range range)
{
        struct run *near;

        assert(range.first <= range.last && range_on_granule(range, space->granule_bytes));
        begin_change(space);
        near = run_tree_below(space->root, range.last, 1);
        assert(!near || near->at.last < range.first);
        if (near && near->at.last == range.first - 1) {
                range.first = near->at.first;
                take_out(space, near->at.first);
        }
        near = range.last == UINT64_MAX ? NULL : run_tree_above(space->root, range.last + 1);
        if (near && near->at.first == range.last + 1) {
                range.last = near->at.last;
                take_out(space, near->at.first);
        }
        insert(space, range);
        trim(space);
}

void space_remove(struct space *space, struct range range)
{
        const struct run *run;
        struct range whole;

        assert(range.first <= range.last && range_on_granule(range, space->granule_bytes));
        begin_change(space);
        run = run_tree_below(space->root, range.first, 1);
        assert(run && range_contains(run->at, range));
        whole = run->at;
        take_out(space, whole.first);
        if (whole.first < range.first)
                insert(space, (struct range){ whole.first, range.first - 1 });
        if (whole.last > range.last)
                insert(space, (struct range){ range.last + 1, whole.last });
        trim(space);
}

uint64_t space_granule(const struct space *space)
{
        return space->granule_bytes;
}

size_t space_ranges(const struct space *space)
{
        return space->n_ranges;
}

bool space_contains(const struct space *space, struct range range)
{
        const struct run *run = run_tree_below(space->root, range.first, 1);

        return run && range_contains(run->at, range);
}

uint64_t space_bytes(const struct space *space)
{
        return space->root ? space->root->bytes : 0;
}

uint64_t space_bytes_in(const struct space *space, struct range window)
{
        const uint64_t sum = run_tree_bytes(space->root, window.last);

        return window.first ? sum - run_tree_bytes(space->root, window.first - 1) : sum;
}

bool space_next(const struct space *space, uint64_t from, struct range *ret)
{
        const struct run *run = run_tree_below(space->root, from, 1);

        if (run && run->at.last >= from) {
                *ret = (struct range){ from, run->at.last };
                return true;
        }
        run = run_tree_above(space->root, from);
        if (!run)
                return false;
        *ret = run->at;
        return true;
}

bool space_prev(const struct space *space, uint64_t from, struct range *ret)
{
        return space_prev_longer(space, from, 1, ret);
}

bool space_prev_longer(const struct space *space, uint64_t from, uint64_t size_bytes,
                       struct range *ret)
{
        const struct run *run = run_tree_below(space->root, from, size_bytes);

        if (!run)
                return false;
        *ret = (struct range){ run->at.first, run->at.last < from ? run->at.last : from };
        return true;
}

void space_check(const struct space *space)
{
        const struct run *run;
        size_t n = 0;

        run_tree_check(space->root);
        for (run = space->spare; run; run = run->right)
                n++;
        assert(n == space->n_spare && n == space->n_reserved);

        n = 0;
        run = run_tree_above(space->root, 0);
        while (run) {
                assert(range_on_granule(run->at, space->granule_bytes));
                n++;
                run = run->at.last == UINT64_MAX ? NULL
                                                 : run_tree_above(space->root, run->at.last + 1);
        }
        assert(n == space->n_ranges);
}
