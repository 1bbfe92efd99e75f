/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on bus windows. A buffer has one bus address, so what two devices see at different
 * ones is memory of neither. Owns nothing.
 */
#include "reach.h"

/* Each device leaves at most so many views more than were there, less one: both are in order. */
_Static_assert(REQUEST_DEVICES_MAX *(BUS_WINDOWS_MAX - 1) + 1 <= VIEWS_MAX, "views are too few");

void reach_init(struct reach *reach)
{
        *reach = (struct reach){ .open = true };
}

/* What a device sees. Without windows it sees everything where the processor does. */
static void sight_of(const struct device_settings *device, struct reach *ret)
{
        *ret = (struct reach){ .views = { { RANGE_ALL, 0 } }, .count = 1 };
        for (size_t i = 0; i < device->n_windows; i++) {
                const struct bus_window *window = &device->windows[i];

                ret->views[i] = (struct view){ window->cpu, window->dma_first - window->cpu.first };
                ret->count = i + 1;
        }
}

/* @share: there is memory that both see, if not at the same address. */
static void add_common(struct reach *reach, struct view one, struct view other, bool *share)
{
        struct range both;

        if (!range_intersect(one.phys, other.phys, &both))
                return;
        *share = true;
        if (one.dma_offset != other.dma_offset)
                return;
        assert(reach->count < VIEWS_MAX);
        reach->views[reach->count++] = (struct view){ both, one.dma_offset };
}

enum reach_loss reach_narrow(struct reach *reach, const struct device_settings *device)
{
        const struct reach before = *reach;
        struct reach sight;
        bool share = false;

        sight_of(device, &sight);
        *reach = before.open ? sight : (struct reach){ 0 };
        for (size_t i = 0; i < sight.count; i++)
                for (size_t j = 0; j < before.count; j++)
                        add_common(reach, before.views[j], sight.views[i], &share);
        if (reach->count)
                return REACH_SOME;
        return share ? REACH_DIFFERENT : REACH_APART;
}

bool reach_is_all(const struct reach *reach)
{
        return reach->open ||
               (reach->count == 1 && reach->views[0].phys.first == 0 &&
                reach->views[0].phys.last == UINT64_MAX && !reach->views[0].dma_offset);
}

struct range view_dma(const struct view *view)
{
        return (struct range){ view->phys.first + view->dma_offset,
                               view->phys.last + view->dma_offset };
}

struct range reach_dma_hull(const struct reach *reach)
{
        struct range hull = view_dma(&reach->views[0]);

        for (size_t i = 1; i < reach->count; i++) {
                const struct range dma = view_dma(&reach->views[i]);

                hull.first = dma.first < hull.first ? dma.first : hull.first;
                hull.last = dma.last > hull.last ? dma.last : hull.last;
        }
        return hull;
}
