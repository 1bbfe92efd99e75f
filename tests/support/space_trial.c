/* SPDX-License-Identifier: MIT */
/* Owns one space at a time, the cells that it should consist of, and a list of what it holds. */
#include "space_trial.h"

#include "cells_layout.h"
#include "heap.h"
#include "macros.h"
#include "space_question.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define HOLDS_MAX 6

/*
 * A hold is coarser where it would have more parts than this, each as large as the grain, but not
 * smaller than so many granules: every part costs memory and time.
 */
#define HELD_PARTS_MAX     100
#define HELD_PART_GRANULES 4096

struct hold {
        struct range range;
        uint64_t grain_bytes;
};

/**
 * struct world - a space under trial
 * @visits:         counted by the space
 * @metadata_bytes: of the space while it was empty
 * @fill:           out of 8: how often a change adds rather than removes
 */
struct world {
        struct space_trial *trial;
        struct choices *choices;
        struct space *space;
        struct cells *cells;
        size_t visits, metadata_bytes;
        unsigned fill, n_holds;
        struct hold holds[HOLDS_MAX];
};

static void fail(const struct world *world, const char *what)
{
        const struct cells *cells = world->cells;

        fprintf(stderr, "space %" PRIu64 ", question %" PRIu64 ": %s\n", world->trial->spaces,
                world->trial->questions, what);
        fprintf(stderr, "granule %#" PRIx64 ", in the space:\n", cells->granule_bytes);
        for (unsigned i = 0; i < cells->n; i = cells->end[i] + 1) {
                const struct range range = cells_range(cells, i, cells->end[i]);

                if (cells->there[i])
                        fprintf(stderr, "  [%#" PRIx64 ", %#" PRIx64 "]\n", range.first,
                                range.last);
        }
        for (unsigned i = 0; i < world->n_holds; i++)
                fprintf(stderr, "held: [%#" PRIx64 ", %#" PRIx64 "] grain %#" PRIx64 "\n",
                        world->holds[i].range.first, world->holds[i].range.last,
                        world->holds[i].grain_bytes);
        abort();
}

/* Not assert(): this has to hold in every build. */
#define MUST(condition, world)                   \
        do {                                     \
                if (!(condition))                \
                        fail(world, #condition); \
        } while (0)

static void check(const struct world *world)
{
        space_check(world->space);
        MUST(space_bytes(world->space) == cells_bytes_in(world->cells, RANGE_ALL), world);
}

/* Range by range. */
static void check_content(const struct world *world)
{
        struct range range = { 0, 0 }, expected = { 0, 0 };
        uint64_t at = 0;
        bool found;

        do {
                found = space_next(world->space, at, &range);
                MUST(found == cells_next(world->cells, at, &expected), world);
                MUST(range.first == expected.first && range.last == expected.last, world);
                at = range.last + 1;
        } while (found && at);
}

/* From an allocation to come on, or only that one. */
static void choose_failure(struct choices *choices, unsigned long most)
{
        const unsigned long first = 1 + (unsigned long)choose(choices, most);

        heap_fail(first, choose(choices, 2) ? first : ULONG_MAX);
}

/* ---- changes -------------------------------------------------------------------------------- */

static bool is_held(const struct world *world, struct range range)
{
        for (unsigned i = 0; i < world->n_holds; i++)
                if (range_contains(world->holds[i].range, range) &&
                    range_on_granule(range, world->holds[i].grain_bytes))
                        return true;
        return false;
}

enum op { OP_ADD, OP_REMOVE, OP_CLEAR };

static int apply(struct space *space, enum op op, struct range range)
{
        switch (op) {
        case OP_ADD: return space_add(space, range);
        case OP_REMOVE: return space_remove(space, range);
        case OP_CLEAR: break;
        }
        return space_clear(space, range);
}

/* What a change may look into: twice the height of the tree, which it may make higher or lower. */
static bool visited_too_many(const struct world *world, size_t max_before)
{
        const size_t max = space_visits_max(world->space);

        return world->visits > (max > max_before ? max : max_before) / 2;
}

/* Change a space and its cells; the heap may fail meanwhile. */
static void change_cells(struct world *world, enum op op, unsigned first, unsigned last)
{
        const struct range range = cells_range(world->cells, first, last);
        const size_t max = space_visits_max(world->space);
        const bool held = is_held(world, range);
        bool starved;
        int r;

        if (op == OP_ADD && !cells_may_add(world->cells, first, last))
                return;
        if (held)
                heap_fail(1, ULONG_MAX);
        else if (choose_one_in(world->choices, 4))
                choose_failure(world->choices, 4);
        world->visits = 0;
        r = apply(world->space, op, range);
        starved = heap_mend();
        MUST(!visited_too_many(world, max), world);
        if (r) {
                MUST(r == -ENOMEM && starved && !held, world);
                check_content(world);
                world->trial->starved++;
        } else {
                cells_set(world->cells, first, last, op == OP_ADD);
                world->trial->changes++;
        }
        check(world);
}

/* Add or remove cells that are all alike. */
static void flip(struct world *world, unsigned first, unsigned last)
{
        change_cells(world, world->cells->there[first] ? OP_REMOVE : OP_ADD, first, last);
}

/* The last cell of a change that begins with @first: at most the last one that is alike. */
static unsigned choose_last(const struct world *world, unsigned first)
{
        const struct cells *cells = world->cells;
        const unsigned end = cells->end[first];
        uint64_t step;
        unsigned last = first;

        switch (choose(world->choices, 5)) {
        case 0: break;
        case 1: last += (unsigned)choose(world->choices, 9); break;
        case 2: last += (unsigned)choose(world->choices, end - first + 1); break;
        case 3: /* up to a multiple of a power of two */
                step = choose_power(world->choices, 0, 63);
                while (last < end && cells->first[last + 1] & (step - 1))
                        last++;
                break;
        default: last = end; break;
        }
        return last < end ? last : end;
}

static void change(struct world *world)
{
        const struct cells *cells = world->cells;
        unsigned first = 0;

        for (unsigned tries = 0; tries < 3; tries++) {
                first = cells_choose(cells, world->choices);
                if ((choose(world->choices, 8) < world->fill) == !cells->there[first])
                        break;
        }
        if (choose_one_in(world->choices, 3))
                first = cells->begin[first];
        flip(world, first, choose_last(world, first));
}

/* Change something inside a hold, between multiples of its grain, where cells end there. */
static void change_held(struct world *world)
{
        const struct hold *hold = &world->holds[choose(world->choices, world->n_holds)];
        const struct cells *cells = world->cells;
        const uint64_t grain = hold->grain_bytes;
        unsigned first = cells_choose(cells, world->choices);

        while (first < cells->n &&
               (cells->first[first] < hold->range.first || cells->first[first] % grain))
                first++;
        if (first == cells->n)
                return;
        for (unsigned last = first; last <= cells->end[first]; last++) {
                if (cells->first[last + 1] - 1 > hold->range.last)
                        return;
                if (cells->first[last + 1] % grain == 0 && !choose_one_in(world->choices, 4)) {
                        flip(world, first, last);
                        return;
                }
        }
}

static void clear(struct world *world)
{
        const unsigned n = world->cells->n, first = cells_choose(world->cells, world->choices);
        const uint64_t longest = choose_one_in(world->choices, 4) ? n : 9;
        const uint64_t length = 1 + choose(world->choices, longest);

        change_cells(world, OP_CLEAR, first,
                     length < n - first ? first + (unsigned)length - 1 : n - 1);
}

/* ---- holds ---------------------------------------------------------------------------------- */

static uint64_t held_parts(const struct hold *hold, uint64_t granule_bytes)
{
        uint64_t part = hold->grain_bytes;

        if (part / granule_bytes < HELD_PART_GRANULES &&
            __builtin_mul_overflow(granule_bytes, HELD_PART_GRANULES, &part))
                return 1;
        return (hold->range.last - hold->range.first) / part;
}

/* Some cells, out to multiples of a grain. */
static struct hold choose_hold(const struct world *world)
{
        const struct cells *cells = world->cells;
        const unsigned first = cells_choose(cells, world->choices);
        const unsigned last = first + (unsigned)choose(world->choices, cells->n - first);
        const unsigned shift = (unsigned)__builtin_ctzll(cells->granule_bytes);
        struct hold hold = { cells_range(cells, first, last), 0 };

        if (choose_one_in(world->choices, 8))
                hold.range = RANGE_ALL;
        hold.grain_bytes = choose_power(world->choices, shift, shift + 12 < 63 ? shift + 12 : 63);
        while (held_parts(&hold, cells->granule_bytes) > HELD_PARTS_MAX)
                hold.grain_bytes *= 2;
        hold.range.first = align_down(hold.range.first, hold.grain_bytes);
        hold.range.last |= hold.grain_bytes - 1;
        return hold;
}

static void hold_more(struct world *world)
{
        const struct hold hold = choose_hold(world);
        int r;

        if (choose_one_in(world->choices, 4))
                choose_failure(world->choices, 8);
        r = space_hold(world->space, hold.range, hold.grain_bytes);
        if (heap_mend() && r) {
                MUST(r == -ENOMEM, world);
                check_content(world);
                world->trial->starved++;
        } else {
                MUST(!r, world);
                world->holds[world->n_holds++] = hold;
        }
        check(world);
}

static void release_one(struct world *world)
{
        struct hold *hold = &world->holds[choose(world->choices, world->n_holds)];

        space_release(world->space, hold->range, hold->grain_bytes);
        *hold = world->holds[--world->n_holds];
        check(world);
}

/* ---- the trial ------------------------------------------------------------------------------ */

static void ask(struct world *world)
{
        const struct question question = question_choose(world->cells, world->choices);

        if (!question_agrees(&question, world->space, world->cells, &world->visits)) {
                fprintf(stderr, "%zu of at most %zu visits\n", world->visits,
                        space_visits_max(world->space));
                question_print(&question, world->space, world->cells);
                fail(world, "the answers differ, or there are too many visits");
        }
        world->trial->questions++;
        world->trial->finds += question.kind == QUESTION_FIND;
}

static void step(struct world *world)
{
        const uint64_t what = choose(world->choices, 64);

        if (what < 5)
                change(world);
        else if (what == 5)
                clear(world);
        else if (what == 6)
                world->fill = (unsigned)choose(world->choices, 9);
        else if (what == 7 && world->n_holds < HOLDS_MAX)
                hold_more(world);
        else if (what == 8 && world->n_holds)
                release_one(world);
        else if (what < 11 && world->n_holds)
                change_held(world);
        else
                ask(world);
}

/* Fill an empty space: ranges are added, or all is and gaps are removed. */
static void fill(struct world *world)
{
        const struct cells *cells = world->cells;
        const bool carve = choose(world->choices, 2) && (cells->first[0] || cells->first[cells->n]);

        if (carve)
                MUST(!space_add(world->space, cells_range(cells, 0, cells->n - 1)), world);
        for (unsigned i = 0; i < cells->n; i = cells->end[i] + 1) {
                const struct range range = cells_range(cells, i, cells->end[i]);

                if (carve && !cells->there[i])
                        MUST(!space_remove(world->space, range), world);
                else if (!carve && cells->there[i])
                        MUST(!space_add(world->space, range), world);
        }
}

static void open_world(struct world *world, struct space_trial *trial)
{
        *world = (struct world){ .trial = trial, .choices = &trial->choices, .fill = 4 };
        world->cells = cells_choose_layout(world->choices, trial->n_max);
        trial->spaces++;
        MUST(!space_new(world->cells->granule_bytes, &world->space), world);
        MUST(space_granule(world->space) == world->cells->granule_bytes, world);
        space_count_visits(world->space, &world->visits);
        world->metadata_bytes = space_metadata_bytes(world->space);
        check(world);
        cells_choose_content(world->cells, world->choices);
        fill(world);
        check(world);
}

static void empty(struct world *world)
{
        struct cells *cells = world->cells;
        const struct range all = cells_range(cells, 0, cells->n - 1);

        if (choose(world->choices, 2)) {
                MUST(!space_clear(world->space, choose(world->choices, 2) ? all : RANGE_ALL),
                     world);
        } else {
                for (unsigned i = 0; i < cells->n; i = cells->end[i] + 1)
                        if (cells->there[i])
                                MUST(!space_remove(world->space,
                                                   cells_range(cells, i, cells->end[i])),
                                     world);
        }
        cells_set(cells, 0, cells->n - 1, false);
        check(world);
}

/* Whatever was done: with nothing in it and nothing held, a space is as it was. */
static void close_world(struct world *world)
{
        const bool empty_first = choose(world->choices, 2);

        if (empty_first)
                empty(world);
        while (world->n_holds)
                release_one(world);
        if (!empty_first)
                empty(world);
        MUST(space_metadata_bytes(world->space) == world->metadata_bytes, world);
        space_free(world->space);
        cells_free(world->cells);
}

void space_trial_run(struct space_trial *trial, uint64_t questions)
{
        while (trial->questions < questions && !trial->choices.over) {
                uint64_t steps = 100 + choose(&trial->choices, 900);
                struct world world;

                open_world(&world, trial);
                while (steps-- && trial->questions < questions && !trial->choices.over)
                        step(&world);
                close_world(&world);
        }
}
