/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; works out once what every mapping of a device asks for.
 */
#include "dma_reach.h"

#include "segment.h"

static void prepare(struct dma_reach *reach)
{
        reach->segment_bytes_max = segment_bytes_max(&reach->limits);
        reach->boundary_mask =
                reach->limits.boundary_bytes ? ~(reach->limits.boundary_bytes - 1) : 0;
        reach->low_mask = reach->limits.align_bytes - 1;
}

void reach_init(struct dma_reach *reach, const struct par_constraint *limits, uint64_t start_align,
                uint64_t min_align_mask)
{
        reach->limits = (struct constraint){
                .window = { limits->addr_min, limits->addr_max ? limits->addr_max : UINT64_MAX },
                .align_bytes = start_align ? start_align : 1,
                .boundary_bytes = limits->boundary,
                .max_segment_bytes = limits->max_segment_bytes,
                .max_segments = limits->max_segments ? limits->max_segments : SEGMENTS_ANY,
        };
        reach->min_align_mask = min_align_mask;
        prepare(reach);
}

/* Where 0 is no limit. */
static void at_most(uint64_t *ours, uint64_t other)
{
        if (other && (!*ours || other < *ours))
                *ours = other;
}

bool reach_narrow(struct dma_reach *reach, const struct par_constraint *constraint)
{
        struct constraint *ours = &reach->limits;

        if (constraint->addr_min > ours->window.first)
                ours->window.first = constraint->addr_min;
        at_most(&ours->window.last, constraint->addr_max);
        if (constraint->align > ours->align_bytes)
                ours->align_bytes = constraint->align;
        at_most(&ours->boundary_bytes, constraint->boundary);
        at_most(&ours->max_segment_bytes, constraint->max_segment_bytes);
        if (constraint->max_segments && constraint->max_segments < ours->max_segments)
                ours->max_segments = constraint->max_segments;
        prepare(reach);
        return ours->window.first <= ours->window.last;
}

struct par_constraint reach_constraint(const struct dma_reach *reach)
{
        const struct constraint *limits = &reach->limits;

        return (struct par_constraint){
                .addr_min = limits->window.first,
                .addr_max = limits->window.last == UINT64_MAX ? 0 : limits->window.last,
                .align = limits->align_bytes,
                .boundary = limits->boundary_bytes,
                .max_segment_bytes = limits->max_segment_bytes,
                .max_segments = 1,
        };
}

bool reach_see(const struct dma_reach *reach, uint64_t phys, uint64_t bytes, uint64_t *ret_dma)
{
        const struct range wanted = range_of(phys, bytes);

        *ret_dma = phys;
        for (size_t i = 0; i < reach->n_windows; i++) {
                if (!range_contains(reach->windows[i].phys, wanted))
                        continue;
                *ret_dma = phys + reach->windows[i].offset;
                return true;
        }
        return !reach->n_windows;
}

bool reach_seen(const struct dma_reach *reach, uint64_t dma, size_t *from, uint64_t *ret_phys)
{
        *ret_phys = dma;
        if (!reach->n_windows)
                return !(*from)++;
        while (*from < reach->n_windows) {
                const struct reach_window *window = &reach->windows[(*from)++];

                *ret_phys = dma - window->offset;
                if (range_contains(window->phys, (struct range){ *ret_phys, *ret_phys }))
                        return true;
        }
        return false;
}
