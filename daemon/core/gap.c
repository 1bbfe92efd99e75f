/* SPDX-License-Identifier: MIT */
/*
 * Finds the longest piece of a window without looking at the others. Owns nothing.
 */
#include "gap.h"

#include "union_runs.h"

int gap_push(struct gathering *gathering, struct range gap)
{
        const struct candidate item = { .kind = CANDIDATE_GAP, .at = gap };

        return candidates_push(&gathering->rest, &item);
}

/* The highest piece of @pages or more. No run of the window is longer than @longest bytes. */
static bool find_piece(const struct gathering *gathering, struct range window, uint64_t pages,
                       uint64_t longest, struct candidate *ret)
{
        const struct cut *cut = &gathering->cut;
        const uint64_t bytes = pages * cut->page_bytes;
        struct range usable;
        struct shape shape;
        uint64_t first;

        cut_shape(cut, bytes, &shape);
        if (!space_union_find_inside(gathering->spaces, window, &shape, &first))
                return false;
        ret->run = range_of(first, bytes);
        if (bytes < longest)
                ret->run = space_union_run_inside(gathering->spaces, window, first);
        cut_pages(cut, ret->run, &usable);
        ret->at = cut_chunk_at(cut, usable, first);
        return true;
}

/*
 * The longest piece, of equal ones the highest. It has the pages of the longest run, unless that
 * one does not begin aligned or lies in two blocks. Then it takes a few trials.
 */
static bool longest_piece(const struct gathering *gathering, struct range window,
                          struct candidate *ret)
{
        const uint64_t page = gathering->cut.page_bytes, piece = gathering->cut.piece_bytes;
        const uint64_t longest = space_union_longest_inside(gathering->spaces, window);
        uint64_t most = longest / page, found = 0, pages;

        if (piece && most >= piece / page)
                most = piece / page - 1;
        for (pages = most; found < most; pages = most - (most - found) / 2) {
                if (find_piece(gathering, window, pages, longest, ret))
                        found = run_bytes(ret->at) / page;
                else
                        most = pages - 1;
        }
        return found;
}

/* Look into a part of a gap. */
static int look_into(struct gathering *gathering, struct range window)
{
        struct candidate item = { .kind = CANDIDATE_WINDOW, .window = window };
        struct shape shape;
        uint64_t first;

        if (longest_piece(gathering, window, &item))
                return candidates_push(&gathering->rest, &item);
        if (gathering->end_bytes) {
                cut_shape(&gathering->cut, gathering->end_bytes, &shape);
                if (space_union_find(gathering->spaces, window, &shape, &first))
                        gathering_note_end(gathering, range_of(first, gathering->end_bytes));
        }
        return 0;
}

/*
 * Cut a run out of a window, and look into what is above. The window becomes what is below;
 * @ret_more: whether anything is.
 */
static int cut_out(struct gathering *gathering, struct range run, struct range *window,
                   bool *ret_more)
{
        int r = 0;

        if (run.last < window->last)
                r = look_into(gathering, (struct range){ run.last + 1, window->last });
        if (!r)
                r = gathering_cut(gathering, run);
        if (r)
                return r;
        *ret_more = run.first > window->first;
        if (*ret_more)
                window->last = run.first - 1;
        return 0;
}

int gap_open(struct gathering *gathering, struct range gap)
{
        struct union_runs runs;
        struct range run;
        bool more = true;
        int r;

        if (gathering->spaces.count > 1) {
                union_runs_init(&runs, gathering->spaces, gap);
                while (more && union_runs_next(&runs, gathering->cut.page_bytes, &run)) {
                        r = cut_out(gathering, run, &gap, &more);
                        if (r)
                                return r;
                }
        }
        return more ? look_into(gathering, gap) : 0;
}

int gap_split(struct gathering *gathering, const struct candidate *window)
{
        struct range below = window->window;
        bool more;
        int r;

        r = cut_out(gathering, window->run, &below, &more);
        return r || !more ? r : look_into(gathering, below);
}
