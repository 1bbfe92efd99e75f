/* SPDX-License-Identifier: MIT */
/*
 * Several places for one request, with few segments. Runs are cut into pieces that are one segment
 * each, the longest possible ones are taken first, then what remains of the runs by length; since
 * a run yields its longest segments first, no other choice of whole pages needs fewer segments.
 *
 * Full pieces are found from the top down. Between the runs that had any lie gaps, in which only
 * the longest piece is known until it is taken. So what is not taken is not looked at, but for the
 * best of each gap, and there are as many gaps as runs that something was taken from.
 *
 * Owns nothing that outlives a call but what it returns.
 */
#include "placement.h"

#include "gap.h"
#include "gathering.h"
#include "result.h"

#include <errno.h>
#include <stdlib.h>

/* From the top down; what lies between the runs becomes gaps. */
static int take_full_pieces(struct gathering *gathering, struct range window)
{
        const uint64_t piece = gathering->cut.piece_bytes;
        struct shape shape;
        struct range run;
        uint64_t first;
        int r = 0;

        if (!piece)
                return gap_push(gathering, window);
        cut_shape(&gathering->cut, piece, &shape);
        while (space_union_find(gathering->spaces, window, &shape, &first)) {
                if (!gathering_hopeful(gathering, piece))
                        return PAR_REFUSED_FRAGMENTED;
                run = space_union_run(gathering->spaces, window, first);
                if (run.last < window.last)
                        r = gap_push(gathering, (struct range){ run.last + 1, window.last });
                if (!r)
                        r = gathering_cut(gathering, run);
                if (r || !gathering->left_bytes || run.first == window.first)
                        return r;
                window.last = run.first - 1;
        }
        return gap_push(gathering, window);
}

/* By length, until there is enough. */
static int take_the_rest(struct gathering *gathering)
{
        struct candidate best;
        int r = 0;

        while (!r && gathering->left_bytes && candidates_pop(&gathering->rest, &best)) {
                if (!gathering_hopeful(gathering, run_bytes(best.at)))
                        return PAR_REFUSED_FRAGMENTED;
                switch (best.kind) {
                case CANDIDATE_GAP: r = gap_open(gathering, best.at); break;
                case CANDIDATE_WINDOW: r = gap_split(gathering, &best); break;
                case CANDIDATE_PIECE:
                case CANDIDATE_REST: r = gathering_take(gathering, &best); break;
                }
        }
        return r;
}

/* One segment is one place. */
static int find_one(const struct space *const *spaces, size_t n_spaces, uint64_t page_bytes,
                    const struct constraint *want, struct range **ret, size_t *ret_count)
{
        struct range place, *places;
        int r;

        r = placement_find_aligned(spaces, n_spaces, page_bytes, want, &place);
        if (r)
                return r;
        places = malloc(sizeof(*places));
        if (!places)
                return -ENOMEM;
        places[0] = place;
        *ret = places;
        *ret_count = 1;
        return 0;
}

int placement_find_scattered(const struct space *const *spaces, size_t n_spaces,
                             uint64_t page_bytes, const struct constraint *want, struct range **ret,
                             size_t *ret_count)
{
        const struct space_union all = { spaces, n_spaces };
        struct gathering gathering;
        struct range window;
        uint64_t bytes;
        int r;

        assert(is_power_of_two(page_bytes) && n_spaces <= PLACEMENT_SPACES_MAX);
        if (segments_allowed(want) == 1)
                return find_one(spaces, n_spaces, page_bytes, want, ret, ret_count);
        /* Otherwise, where there is too little, all of it would be taken before that is known. */
        if (!space_union_granules(all, want->window, &window) ||
            !align_up(want->size_bytes, space_granule(spaces[0]), &bytes) ||
            space_union_bytes_in(all, window) < bytes)
                return PAR_REFUSED_EXHAUSTED;

        assert(page_bytes % space_granule(spaces[0]) == 0);
        gathering_init(&gathering, all, page_bytes, want, bytes);
        r = take_full_pieces(&gathering, window);
        if (!r)
                r = take_the_rest(&gathering);
        if (!r)
                r = gathering_finish(&gathering, ret, ret_count);
        gathering_deinit(&gathering);
        return r;
}
