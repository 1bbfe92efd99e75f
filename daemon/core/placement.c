/* SPDX-License-Identifier: MIT */
/*
 * The contiguous place, and the figures of what is there. Owns nothing: the search is in
 * space_union.c, what a place must look like in shape.c. Refuses to take anything: it only looks.
 */
#include "placement.h"

#include "result.h"
#include "shape.h"
#include "space_union.h"

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
        const struct space_union all = { spaces, n_spaces };
        struct range window;
        struct shape shape;
        uint64_t size, first, align;

        assert(is_power_of_two(page_bytes) && n_spaces <= PLACEMENT_SPACES_MAX);
        if (!space_union_granules(all, want->window, &window) ||
            !align_up(want->size_bytes, space_granule(spaces[0]), &size))
                return PAR_REFUSED_EXHAUSTED;

        align = max(max(want->align_bytes, page_bytes), space_granule(spaces[0]));
        if (shape_init(&shape, want, size, align) &&
            space_union_find(all, window, &shape, &first)) {
                *ret = range_of(first, size);
                return 0;
        }
        return space_union_bytes_in(all, window) < size ? PAR_REFUSED_EXHAUSTED
                                                        : PAR_REFUSED_FRAGMENTED;
}

bool placement_find_largest_run(const struct space *const *spaces, size_t n_spaces,
                                struct range window, struct range *ret)
{
        const struct space_union all = { spaces, n_spaces };
        struct shape shape = { 0 };
        uint64_t first;

        if (!space_union_granules(all, window, &window))
                return false;
        shape.size_bytes = space_union_longest(all, window);
        shape.align_bytes = space_granule(spaces[0]);
        if (shape.size_bytes == UINT64_MAX) {
                *ret = RANGE_ALL; /* too long for a place */
                return true;
        }
        if (!shape.size_bytes || !space_union_find(all, window, &shape, &first))
                return false;
        *ret = range_of(first, shape.size_bytes);
        return true;
}

uint64_t placement_largest_run(const struct space *const *spaces, size_t n_spaces,
                               struct range window)
{
        const struct space_union all = { spaces, n_spaces };

        if (!space_union_granules(all, window, &window))
                return 0;
        return space_union_longest(all, window);
}

uint64_t placement_free_bytes(const struct space *const *spaces, size_t n_spaces,
                              struct range window)
{
        return space_union_bytes_in((struct space_union){ spaces, n_spaces }, window);
}
