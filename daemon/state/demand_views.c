/* SPDX-License-Identifier: MIT */
/*
 * From bus addresses to memory. A search knows only memory: what is a multiple on the bus has to be
 * one there as well. Where the offset of a bus window makes that untrue for a boundary, the window
 * is cut at its boundaries, and each part is a view of its own; for an alignment it is refused.
 */
#include "demand_views.h"

#include "conflict.h"

/**
 * struct viewing - views in the making
 * @seen:    some memory is inside the limits' addresses
 * @crooked: some is, but where a multiple of align on the bus is none in memory
 * @too_many: boundaries would make too many views of it
 */
struct viewing {
        struct demand *demand;
        bool seen, crooked, too_many;
};

/* The constraint of a view. */
static struct constraint view_want(const struct demand *demand, const struct demand_view *view)
{
        struct constraint want = demand->limits;

        want.window = view->at.phys;
        if (view->one_block)
                want.boundary_bytes = 0;
        return want;
}

/* What has no room for it is no view. */
static void add_view(struct viewing *viewing, const struct view *view, struct range dma,
                     bool one_block)
{
        struct demand *demand = viewing->demand;
        const struct range all = view_dma(view), wanted = demand->limits.window;
        struct demand_view new = {
                .at = { { dma.first - view->dma_offset, dma.last - view->dma_offset },
                        view->dma_offset },
                .one_block = one_block,
                .first_by_window = dma.first == all.first &&
                                   (wanted.first < all.first || demand->low.by == SET_BY_NOBODY),
                .last_by_window = dma.last == all.last &&
                                  (wanted.last > all.last || demand->high.by == SET_BY_NOBODY),
        };
        struct constraint want = view_want(demand, &new);
        enum limit limit;

        if (constraint_check(&want, &limit))
                return;
        if (demand->n_views == VIEWS_MAX)
                viewing->too_many = true;
        else
                demand->views[demand->n_views++] = new;
}

/* Boundaries of the bus that are none in memory: between two of them none has to be heeded. */
static void add_blocks(struct viewing *viewing, const struct view *view, struct range dma)
{
        const uint64_t boundary = viewing->demand->limits.boundary_bytes;

        if ((dma.last - dma.first) / boundary >= VIEWS_MAX) {
                viewing->too_many = true;
                return;
        }
        for (uint64_t first = dma.first;;) {
                const uint64_t block_last = first | (boundary - 1);
                const uint64_t last = block_last < dma.last ? block_last : dma.last;

                add_view(viewing, view, (struct range){ first, last }, true);
                if (last == dma.last)
                        return;
                first = last + 1;
        }
}

static void add_views(struct viewing *viewing, const struct view *view)
{
        const struct constraint *limits = &viewing->demand->limits;
        const uint64_t unit = view->dma_offset & -view->dma_offset; /* 0: no offset */
        struct range dma;

        if (!range_intersect(view_dma(view), limits->window, &dma))
                return;
        viewing->seen = true;
        if (unit && limits->align_bytes > unit)
                viewing->crooked = true;
        else if (unit && limits->boundary_bytes > unit)
                add_blocks(viewing, view, dma);
        else
                add_view(viewing, view, dma, false);
}

int demand_make_views(struct demand *demand, const struct reach *reach, struct refusal *refusal)
{
        struct viewing viewing = { .demand = demand };

        if (!demand->windows_of) {
                demand->views[0].at.phys = demand->limits.window;
                demand->n_views = 1;
                return 0;
        }
        for (size_t i = 0; i < reach->count; i++)
                add_views(&viewing, &reach->views[i]);
        if (!viewing.seen)
                return conflict_bus(demand, reach_dma_hull(reach), refusal);
        if (viewing.too_many)
                return conflict_offset(demand, LIMIT_BOUNDARY, refusal);
        if (!demand->n_views && viewing.crooked)
                return conflict_offset(demand, LIMIT_ALIGN, refusal);
        return demand->n_views ? 0 : conflict_room(demand, refusal);
}

void demand_select(struct demand *demand, size_t view)
{
        const struct demand_view *selected = &demand->views[view];
        const struct limit_source windows = { SET_BY_WINDOWS, demand->windows_of };

        assert(view < demand->n_views);
        demand->want = view_want(demand, selected);
        demand->dma_offset = selected->at.dma_offset;
        demand->set_by[LIMIT_ADDR_MIN] = selected->first_by_window ? windows : demand->low;
        demand->set_by[LIMIT_ADDR_MAX] = selected->last_by_window ? windows : demand->high;
}

struct range demand_hull(const struct demand *demand)
{
        struct range hull = demand->views[0].at.phys;

        for (size_t i = 1; i < demand->n_views; i++) {
                const struct range *phys = &demand->views[i].at.phys;

                hull.first = phys->first < hull.first ? phys->first : hull.first;
                hull.last = phys->last > hull.last ? phys->last : hull.last;
        }
        return hull;
}
