/* SPDX-License-Identifier: MIT */
/*
 * The highest contiguous place. Owns nothing: the walk over the runs is union_runs.c, what a place
 * must look like is shape.c. Refuses to take anything: it only looks.
 */
#include "placement.h"

#include "result.h"
#include "shape.h"
#include "union_runs.h"

static uint64_t max(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

int placement_find(const struct space *const *spaces, size_t n_spaces,
                   const struct constraint *want, struct range *ret)
{
        return placement_find_aligned(spaces, n_spaces, 1, want, ret);
}

int placement_find_aligned(const struct space *const *spaces, size_t n_spaces, uint64_t page_bytes,
                           const struct constraint *want, struct range *ret)
{
        struct union_runs runs;
        struct shape shape;
        struct range window, run;
        uint64_t size, first, align = want->align_bytes;

        assert(is_power_of_two(page_bytes));
        if (!union_runs_room(spaces, n_spaces, want, &window, &size))
                return PAR_REFUSED_EXHAUSTED;

        align = max(max(align, page_bytes), space_granule(spaces[0]));
        if (!shape_init(&shape, want, size, align))
                return PAR_REFUSED_FRAGMENTED;
        union_runs_init(&runs, spaces, n_spaces, window);
        while (union_runs_next(&runs, size, &run)) {
                if (shape_below(&shape, run.last - (size - 1), &first) && first >= run.first) {
                        *ret = range_of(first, size);
                        return 0;
                }
        }
        return PAR_REFUSED_FRAGMENTED;
}

uint64_t placement_largest_run(const struct space *const *spaces, size_t n_spaces,
                               struct range window)
{
        struct union_runs runs;
        struct range run;
        uint64_t longest = 0;

        union_runs_init(&runs, spaces, n_spaces, window);
        while (longest < UINT64_MAX && union_runs_next(&runs, longest + 1, &run))
                longest = run_bytes(run);
        return longest;
}

uint64_t placement_free_bytes(const struct space *const *spaces, size_t n_spaces,
                              struct range window)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < n_spaces; i++) {
                if (__builtin_add_overflow(sum, space_bytes_in(spaces[i], window), &sum))
                        return UINT64_MAX;
        }
        return sum;
}
