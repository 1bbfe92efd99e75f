/* SPDX-License-Identifier: MIT */
/*
 * Searches in several spaces. Two ask each other by turns for the highest start: a space, which
 * knows what is free, and the shape, which knows what has few enough segments. When they agree,
 * that is the place. Owns nothing.
 */
#include "space_union.h"

#include "union_runs.h"

bool space_union_granules(struct space_union spaces, struct range window, struct range *ret)
{
        uint64_t granule, mask;

        if (!spaces.count)
                return false;
        granule = space_granule(spaces.of[0]);
        mask = granule - 1;
        if (!align_up(window.first, granule, &ret->first))
                return false;
        ret->last = window.last;
        if ((window.last & mask) != mask) {
                if (window.last < granule)
                        return false;
                ret->last = align_down(window.last, granule) - 1;
        }
        return ret->first <= ret->last;
}

uint64_t space_union_bytes_in(struct space_union spaces, struct range window)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < spaces.count; i++) {
                if (__builtin_add_overflow(sum, space_bytes_in(spaces.of[i], window), &sum))
                        return UINT64_MAX;
        }
        return sum;
}

/*
 * Each round but the last two passes over a run for good: where the shape has a start in the run
 * below the one that the space named, the space names that one next.
 */
static bool find_in_space(const struct space *space, struct range window, const struct shape *shape,
                          uint64_t *ret)
{
        struct range place;
        uint64_t first;

        while (space_find(space, window, shape->size_bytes, shape->align_bytes, SPACE_HIGHEST,
                          &place)) {
                if (!shape_below(shape, place.first, &first) || first < window.first)
                        return false;
                if (first == place.first) {
                        *ret = first;
                        return true;
                }
                window.last = first + (shape->size_bytes - 1);
        }
        return false;
}

/* Leave of a window what a place has to begin in to be higher than one; false for nothing. */
static bool above(struct range *window, uint64_t first, uint64_t granule)
{
        if (window->last - first < granule)
                return false;
        window->first = first + granule;
        return true;
}

bool space_union_find_inside(struct space_union spaces, struct range window,
                             const struct shape *shape, uint64_t *ret)
{
        bool found = false;

        /* The spaces of nodes come in ascending order: the last ones lie highest. */
        for (size_t i = spaces.count; i-- > 0;) {
                if (!find_in_space(spaces.of[i], window, shape, ret))
                        continue;
                found = true;
                if (!above(&window, *ret, space_granule(spaces.of[i])))
                        break;
        }
        return found;
}

/* The highest place in a run that is made of several. */
static bool find_across(struct space_union spaces, struct range window, const struct shape *shape,
                        uint64_t *ret)
{
        struct union_runs runs;
        struct range run;
        uint64_t first;

        union_runs_init(&runs, spaces, window);
        while (union_runs_next(&runs, shape->size_bytes, &run)) {
                if (shape_below(shape, run.last - (shape->size_bytes - 1), &first) &&
                    first >= run.first) {
                        *ret = first;
                        return true;
                }
        }
        return false;
}

bool space_union_find(struct space_union spaces, struct range window, const struct shape *shape,
                      uint64_t *ret)
{
        bool found;

        found = space_union_find_inside(spaces, window, shape, ret);
        if (spaces.count < 2)
                return found;
        /* A walk over runs is the last resort. */
        if (found && !above(&window, *ret, space_granule(spaces.of[0])))
                return true;
        if (window.last - window.first < shape->size_bytes - 1 ||
            (!found && space_union_bytes_in(spaces, window) < shape->size_bytes))
                return found;
        return find_across(spaces, window, shape, ret) || found;
}

uint64_t space_union_longest_inside(struct space_union spaces, struct range window)
{
        uint64_t longest = 0;

        for (size_t i = 0; i < spaces.count; i++) {
                const uint64_t bytes = space_longest(spaces.of[i], window);

                longest = bytes > longest ? bytes : longest;
        }
        return longest;
}

uint64_t space_union_longest(struct space_union spaces, struct range window)
{
        uint64_t longest = space_union_longest_inside(spaces, window);
        struct union_runs runs;
        struct range run;

        if (spaces.count < 2)
                return longest;
        union_runs_init(&runs, spaces, window);
        while (longest < UINT64_MAX && union_runs_next(&runs, longest + 1, &run))
                longest = run_bytes(run);
        return longest;
}

/* The space that an address is in; NULL: none. */
static const struct space *space_at(struct space_union spaces, uint64_t at)
{
        for (size_t i = 0; i < spaces.count; i++) {
                if (space_contains(spaces.of[i], (struct range){ at, at }))
                        return spaces.of[i];
        }
        return NULL;
}

struct range space_union_run_inside(struct space_union spaces, struct range window, uint64_t at)
{
        const struct space *space = spaces.count == 1 ? spaces.of[0] : space_at(spaces, at);
        struct range below, above, run;
        bool found;

        assert(space);
        found = space_prev(space, at, &below) && space_next(space, at, &above) &&
                range_intersect((struct range){ below.first, above.last }, window, &run);
        assert(found);
        (void)found;
        return run;
}

struct range space_union_run(struct space_union spaces, struct range window, uint64_t at)
{
        struct range run = space_union_run_inside(spaces, window, at);

        if (spaces.count == 1)
                return run;
        while (run.first > window.first && space_at(spaces, run.first - 1))
                run.first = space_union_run_inside(spaces, window, run.first - 1).first;
        while (run.last < window.last && space_at(spaces, run.last + 1))
                run.last = space_union_run_inside(spaces, window, run.last + 1).last;
        return run;
}
