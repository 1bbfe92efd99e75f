/* SPDX-License-Identifier: MIT */
/* Owns the tiers. Refuses nothing that placement_find() grants. */
#include "two_ends.h"

#include "shape.h"
#include "space_union.h"

/* Address bits that devices have; a tier ends with each. */
static const unsigned tier_bits[] = { 24, 28, 30, 31, 32, 36, 40 };

/* The tier that an address is in. */
static struct range tier_of(uint64_t at)
{
        struct range tier = RANGE_ALL;

        for (size_t i = 0; i < ARRAY_SIZE(tier_bits); i++) {
                const uint64_t end = UINT64_C(1) << tier_bits[i];

                if (at < end) {
                        tier.last = end - 1;
                        break;
                }
                tier.first = end;
        }
        return tier;
}

/**
 * struct pick - of one place among many
 * @spaces: that it may be in
 * @window: the part of a tier that the request may have; shrinks from the top
 * @shape:  what a place looks like
 * @align:  of its start, in bytes
 * @blocks: likewise, where it begins a boundary block; 0: there are none
 */
struct pick {
        struct space_union spaces;
        struct range window;
        struct shape shape;
        uint64_t align, blocks;
};

/* The lowest start on a multiple of @align, where it makes for few enough segments. */
static bool begins(const struct pick *pick, struct range run, uint64_t align, uint64_t highest,
                   uint64_t *ret)
{
        uint64_t first;

        return align_up(run.first, align, ret) && *ret <= highest &&
               shape_below(&pick->shape, *ret, &first) && first == *ret;
}

/* The start in a run, of which @highest is one. */
static uint64_t low_end(const struct pick *pick, struct range run, uint64_t highest)
{
        uint64_t first;

        if (begins(pick, run, pick->align, highest, &first) ||
            (pick->blocks && begins(pick, run, pick->blocks, highest, &first)))
                return first;
        return highest;
}

/* The start in the shortest of the highest runs. @highest: the highest start of all. */
static uint64_t start_in_shortest(struct pick *pick, uint64_t highest)
{
        uint64_t shortest = UINT64_MAX, first = highest;

        for (unsigned i = 0; i < TWO_ENDS_RUNS; i++) {
                const struct range run = space_union_run(pick->spaces, pick->window, highest);

                if (run_bytes(run) < shortest) {
                        shortest = run_bytes(run);
                        first = low_end(pick, run, highest);
                }
                if (run.first == pick->window.first || shortest == pick->shape.size_bytes)
                        break;
                pick->window.last = run.first - 1;
                if (!space_union_find(pick->spaces, pick->window, &pick->shape, &highest))
                        break;
        }
        return first;
}

static uint64_t max(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

int two_ends_find(const struct space *const *spaces, size_t n_spaces, const struct constraint *want,
                  struct range *ret)
{
        struct pick pick = { .spaces = { spaces, n_spaces } };
        struct range tier;
        uint64_t size;
        int r;

        r = placement_find(spaces, n_spaces, want, ret);
        if (r || want->size_bytes < TWO_ENDS_LARGE_BYTES)
                return r;
        tier = tier_of(ret->first);
        if (ret->last > tier.last)
                return 0;
        size = range_size(*ret);
        pick.align = max(want->align_bytes, space_granule(spaces[0]));
        pick.blocks = want->boundary_bytes > pick.align ? want->boundary_bytes : 0;
        if (range_intersect(want->window, tier, &pick.window) &&
            space_union_granules(pick.spaces, pick.window, &pick.window) &&
            shape_init(&pick.shape, want, size, pick.align))
                *ret = range_of(start_in_shortest(&pick, ret->first), size);
        return 0;
}
