/* SPDX-License-Identifier: MIT */
/*
 * Normalising requests. Limits are compared as the devices see addresses (narrow.c); only what is
 * left is carried over to memory, view by view (demand_views.c). Refuses what means nothing and
 * what contradicts itself.
 */
#include "demand.h"

#include "conflict.h"
#include "demand_views.h"
#include "hidden.h"
#include "narrow.h"

#include <stdio.h>

void demand_setter(const struct demand *demand, enum limit limit, char *to, size_t room)
{
        const struct limit_source *source = &demand->set_by[limit];

        switch (source->by) {
        case SET_BY_REQUEST: snprintf(to, room, "the request"); return;
        case SET_BY_DEVICE: snprintf(to, room, "device %s", source->device->name); return;
        case SET_BY_SYSFS: snprintf(to, room, "sysfs for device %s", source->device->name); return;
        case SET_BY_WINDOWS:
                snprintf(to, room, "the bus windows of device %s", source->device->name);
                return;
        case SET_BY_NOBODY: break;
        }
        to[0] = '\0';
}

bool demand_is_unlimited(const struct demand *demand)
{
        return demand->want.window.first == 0 && demand->want.window.last == UINT64_MAX;
}

/* Fill in what "not given" means. */
static void from_request(const struct request *request, struct demand *demand)
{
        struct constraint *limits = &demand->limits;

        *limits = request->want;
        demand->nodes = request->nodes;
        demand->label = request->label;
        demand->seq = request->seq;
        demand->share = request->share;
        demand->devices = request->device;
        if (!limits->align_bytes)
                limits->align_bytes = 1;
        if (!limits->max_segments)
                limits->max_segments = 1;
        for (int i = LIMIT_NONE + 1; i < LIMIT_COUNT; i++)
                demand->set_by[i].by = SET_BY_REQUEST;
        if (limits->window.first == 0)
                demand->set_by[LIMIT_ADDR_MIN].by = SET_BY_NOBODY;
        if (limits->window.last == UINT64_MAX)
                demand->set_by[LIMIT_ADDR_MAX].by = SET_BY_NOBODY;
}

/* To whole granules, and to what the devices count in. */
static void round_size(struct constraint *limits, uint64_t granularity_bytes)
{
        const uint64_t unit = granularity_bytes > GRANULE_BYTES ? granularity_bytes : GRANULE_BYTES;
        uint64_t rounded;

        if (!limits->size_bytes)
                return;
        if (!align_up(limits->size_bytes, unit, &rounded))
                rounded = UINT64_MAX - (unit - 1);
        limits->size_bytes = rounded;
}

int demand_init(const struct state *state, const struct request *request, struct demand *ret,
                struct refusal *ret_refusal)
{
        enum limit limit = LIMIT_NONE;
        struct reach reach;
        int r;

        *ret = (struct demand){ 0 };
        reach_init(&reach);
        from_request(request, ret);
        r = narrow_by_devices(state, request->device, ret, &reach, ret_refusal);
        if (r)
                return r;
        if (ret->limits.window.first > ret->limits.window.last)
                return conflict_window(ret, ret_refusal);
        r = hide_demand(state, request, ret, ret_refusal);
        if (r)
                return r;
        round_size(&ret->limits, ret->granularity_bytes);
        ret->want = ret->limits; /* for the words of a refusal */
        r = constraint_check(&ret->limits, &limit);
        if (r)
                return conflict_constraint(ret, r, limit, ret_refusal);

        ret->low = ret->set_by[LIMIT_ADDR_MIN];
        ret->high = ret->set_by[LIMIT_ADDR_MAX];
        r = demand_make_views(ret, &reach, ret_refusal);
        if (!r)
                demand_select(ret, 0);
        return r;
}
