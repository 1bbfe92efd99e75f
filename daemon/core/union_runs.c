/* SPDX-License-Identifier: MIT */
/*
 * Merges the descending runs of several spaces. Owns nothing. Between two calls every head lies
 * below all that was returned or left out, and does not touch it.
 */
#include "union_runs.h"

/* Make a run the head of a space, or end the space where it is below the window. */
static void set_head(struct union_runs *runs, size_t i, bool found, struct range run)
{
        runs->live[i] = found && range_intersect(run, runs->window, &runs->head[i]);
}

static void advance(struct union_runs *runs, size_t i)
{
        struct range run = { 0, 0 };
        bool found = false;

        if (runs->head[i].first > runs->window.first)
                found = space_prev(runs->spaces[i], runs->head[i].first - 1, &run);
        set_head(runs, i, found, run);
}

/* The space with the highest head, @except left out; runs->count where there is none. */
static size_t highest(const struct union_runs *runs, size_t except)
{
        size_t best = runs->count;

        for (size_t i = 0; i < runs->count; i++) {
                if (!runs->live[i] || i == except)
                        continue;
                if (best == runs->count || runs->head[i].last > runs->head[best].last)
                        best = i;
        }
        return best;
}

static bool touches(struct range below, struct range above)
{
        return below.last != UINT64_MAX && below.last + 1 == above.first;
}

/*
 * Pass over the short head of a space. Of the runs below it only two can matter next: one that is
 * long enough alone, and the highest that may touch the next run of another space.
 */
static void skip(struct union_runs *runs, size_t i, size_t other, uint64_t min_bytes)
{
        const struct space *space = runs->spaces[i];
        struct range run = { 0, 0 }, near;
        bool found = false;
        uint64_t from;

        if (runs->head[i].first > runs->window.first) {
                from = runs->head[i].first - 1;
                found = space_prev_longer(space, from, min_bytes, &run);
                if (other != runs->count && space_prev(space, runs->head[other].last + 1, &near)) {
                        /* Whole again: what space_prev() cut off belongs to it. */
                        space_next(space, near.first, &near);
                        if (!found || near.last > run.last) {
                                run = near;
                                found = true;
                        }
                }
        }
        set_head(runs, i, found, run);
}

void union_runs_init(struct union_runs *runs, const struct space *const *spaces, size_t n_spaces,
                     struct range window)
{
        assert(n_spaces <= PLACEMENT_SPACES_MAX);
        runs->spaces = spaces;
        runs->count = n_spaces;
        runs->window = window;
        for (size_t i = 0; i < n_spaces; i++) {
                struct range run = { 0, 0 };
                bool found;

                assert(space_granule(spaces[i]) == space_granule(spaces[0]));
                found = space_prev(spaces[i], window.last, &run);
                set_head(runs, i, found, run);
        }
}

bool union_runs_next(struct union_runs *runs, uint64_t min_bytes, struct range *ret)
{
        for (;;) {
                const size_t top = highest(runs, runs->count);
                size_t other;
                struct range run;

                if (top == runs->count)
                        return false;
                run = runs->head[top];
                other = highest(runs, top);
                if (other == runs->count || !touches(runs->head[other], run)) {
                        if (run_bytes(run) < min_bytes) {
                                skip(runs, top, other, min_bytes);
                                continue;
                        }
                        advance(runs, top);
                        *ret = run;
                        return true;
                }

                advance(runs, top);
                do {
                        run.first = runs->head[other].first;
                        advance(runs, other);
                        other = highest(runs, runs->count);
                } while (other != runs->count && touches(runs->head[other], run));
                if (run_bytes(run) < min_bytes)
                        continue;
                *ret = run;
                return true;
        }
}

static bool window_in_granules(struct range window, uint64_t granule_bytes, struct range *ret)
{
        const uint64_t mask = granule_bytes - 1;

        if (!align_up(window.first, granule_bytes, &ret->first))
                return false;
        ret->last = window.last;
        if ((window.last & mask) != mask) {
                if (window.last < granule_bytes)
                        return false;
                ret->last = align_down(window.last, granule_bytes) - 1;
        }
        return ret->first <= ret->last;
}

bool union_runs_room(const struct space *const *spaces, size_t n_spaces,
                     const struct constraint *want, struct range *ret_window, uint64_t *ret_bytes)
{
        struct range window;
        uint64_t bytes;

        if (!n_spaces || !align_up(want->size_bytes, space_granule(spaces[0]), &bytes) ||
            !window_in_granules(want->window, space_granule(spaces[0]), &window) ||
            placement_free_bytes(spaces, n_spaces, window) < bytes)
                return false;
        *ret_window = window;
        *ret_bytes = bytes;
        return true;
}
