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
                found = space_prev(runs->spaces.of[i], runs->head[i].first - 1, &run);
        set_head(runs, i, found, run);
}

/* The space with the highest head, @except left out; how many there are where there is none. */
static size_t highest(const struct union_runs *runs, size_t except)
{
        size_t best = runs->spaces.count;

        for (size_t i = 0; i < runs->spaces.count; i++) {
                if (!runs->live[i] || i == except)
                        continue;
                if (best == runs->spaces.count || runs->head[i].last > runs->head[best].last)
                        best = i;
        }
        return best;
}

static bool touches(struct range below, struct range above)
{
        return below.last != UINT64_MAX && below.last + 1 == above.first;
}

/*
 * Pass over the head of a space, which lies above that of the others and touches none. The next of
 * its runs that can touch anything is the highest that is not above where that of @other ends.
 */
static void skip(struct union_runs *runs, size_t i, size_t other)
{
        const struct space *space = runs->spaces.of[i];
        const uint64_t from = runs->head[other].last + 1;
        struct range run;
        bool found;

        found = space_prev(space, from, &run);
        /* Whole again: space_prev() cut off what is above. */
        if (found && run.last == from)
                space_next(space, run.first, &run);
        set_head(runs, i, found, run);
}

void union_runs_init(struct union_runs *runs, struct space_union spaces, struct range window)
{
        const uint64_t granule = spaces.count ? space_granule(spaces.of[0]) : 1;

        assert(spaces.count <= PLACEMENT_SPACES_MAX);
        runs->spaces = spaces;
        runs->window = window;
        for (size_t i = 0; i < spaces.count; i++) {
                struct range run = { 0, 0 };
                bool found;

                /* A space that lies elsewhere says so at once. */
                found = space_find(spaces.of[i], window, granule, granule, SPACE_HIGHEST, &run) &&
                        space_prev(spaces.of[i], run.last, &run);
                set_head(runs, i, found, run);
        }
}

bool union_runs_next(struct union_runs *runs, uint64_t min_bytes, struct range *ret)
{
        const size_t none = runs->spaces.count;

        for (;;) {
                const size_t top = highest(runs, none);
                size_t other = top == none ? none : highest(runs, top);
                struct range run;

                if (other == none)
                        return false; /* one space alone has runs left */
                run = runs->head[top];
                if (!touches(runs->head[other], run)) {
                        skip(runs, top, other);
                        continue;
                }

                advance(runs, top);
                do {
                        run.first = runs->head[other].first;
                        advance(runs, other);
                        other = highest(runs, none);
                } while (other != none && touches(runs->head[other], run));
                if (run_bytes(run) < min_bytes)
                        continue;
                *ret = run;
                return true;
        }
}
