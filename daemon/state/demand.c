/* SPDX-License-Identifier: MIT */
/*
 * Normalising requests. Refuses what means nothing and what contradicts itself, with a sentence
 * that names the limit and who set it.
 */
#include "demand.h"

#include "refusal.h"
#include "state_private.h"

#include <stdio.h>
#include <string.h>

const struct device_settings *state_device(const struct state *state, const char *name)
{
        for (size_t i = 0; i < state->settings->n_devices; i++)
                if (!strcmp(state->settings->devices[i].name, name))
                        return &state->settings->devices[i];
        return NULL;
}

void demand_setter(const struct demand *demand, enum limit limit, const char *pool, char *to,
                   size_t room)
{
        switch (demand->set_by[limit]) {
        case SET_BY_DEVICE: snprintf(to, room, "device %s", demand->device->name); return;
        case SET_BY_POOL: snprintf(to, room, "pool %s", pool ? pool : "?"); return;
        case SET_BY_REQUEST: snprintf(to, room, "the request"); return;
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
        struct constraint *want = &demand->want;

        *want = request->want;
        demand->nodes = request->nodes;
        demand->label = request->label;
        if (!want->align_bytes)
                want->align_bytes = 1;
        if (!want->max_segments)
                want->max_segments = 1;
        for (int i = LIMIT_NONE + 1; i < LIMIT_COUNT; i++)
                demand->set_by[i] = SET_BY_REQUEST;
        if (want->window.first == 0)
                demand->set_by[LIMIT_ADDR_MIN] = SET_BY_NOBODY;
        if (want->window.last == UINT64_MAX)
                demand->set_by[LIMIT_ADDR_MAX] = SET_BY_NOBODY;
}

/* Each limit of the device that is tighter than the request's takes its place. */
static void narrow(struct demand *demand, const struct device_settings *device)
{
        const struct constraint *limits = &device->limits;
        struct constraint *want = &demand->want;

        demand->device = device;
        if (limits->window.first > want->window.first) {
                want->window.first = limits->window.first;
                demand->set_by[LIMIT_ADDR_MIN] = SET_BY_DEVICE;
        }
        if (limits->window.last < want->window.last) {
                want->window.last = limits->window.last;
                demand->set_by[LIMIT_ADDR_MAX] = SET_BY_DEVICE;
        }
        if (limits->align_bytes > want->align_bytes) {
                want->align_bytes = limits->align_bytes;
                demand->set_by[LIMIT_ALIGN] = SET_BY_DEVICE;
        }
        if (limits->boundary_bytes &&
            (!want->boundary_bytes || limits->boundary_bytes < want->boundary_bytes)) {
                want->boundary_bytes = limits->boundary_bytes;
                demand->set_by[LIMIT_BOUNDARY] = SET_BY_DEVICE;
        }
        if (limits->max_segment_bytes &&
            (!want->max_segment_bytes || limits->max_segment_bytes < want->max_segment_bytes)) {
                want->max_segment_bytes = limits->max_segment_bytes;
                demand->set_by[LIMIT_MAX_SEGMENT_BYTES] = SET_BY_DEVICE;
        }
        if (limits->max_segments && limits->max_segments < want->max_segments) {
                want->max_segments = limits->max_segments;
                demand->set_by[LIMIT_MAX_SEGMENTS] = SET_BY_DEVICE;
        }
        if (device->nodes) {
                demand->set_by[LIMIT_NODES] = SET_BY_DEVICE;
                demand->nodes = demand->nodes ? demand->nodes & device->nodes : device->nodes;
        }
}

static void refusal_limit(struct refusal *refusal, const struct demand *demand, enum limit limit)
{
        refusal->permanent = true;
        refusal->limit = limit;
        refusal->size_bytes = demand->want.size_bytes;
        demand_setter(demand, limit, NULL, refusal->limit_set_by, sizeof(refusal->limit_set_by));
}

/* The window is empty: two limits are in conflict. */
static int refuse_window(const struct demand *demand, struct refusal *refusal)
{
        char min_by[96], max_by[96];

        demand_setter(demand, LIMIT_ADDR_MIN, NULL, min_by, sizeof(min_by));
        demand_setter(demand, LIMIT_ADDR_MAX, NULL, max_by, sizeof(max_by));
        refusal_set(refusal, demand->device ? PAR_REFUSED_NEVER_FITS : PAR_REFUSED_INVALID,
                    "addr_min 0x%llx (%s) is above addr_max 0x%llx (%s)",
                    (unsigned long long)demand->want.window.first, min_by,
                    (unsigned long long)demand->want.window.last, max_by);
        refusal_limit(refusal, demand, LIMIT_ADDR_MAX);
        return refusal->result;
}

static unsigned long long limit_value(const struct demand *demand, enum limit limit)
{
        const struct constraint *want = &demand->want;

        switch (limit) {
        case LIMIT_SIZE: return want->size_bytes;
        case LIMIT_ADDR_MIN: return want->window.first;
        case LIMIT_ADDR_MAX: return want->window.last;
        case LIMIT_ALIGN: return want->align_bytes;
        case LIMIT_BOUNDARY: return want->boundary_bytes;
        case LIMIT_MAX_SEGMENT_BYTES: return want->max_segment_bytes;
        case LIMIT_MAX_SEGMENTS: return want->max_segments;
        default: return 0;
        }
}

static int refuse_constraint(const struct demand *demand, int r, enum limit limit,
                             struct refusal *refusal)
{
        unsigned long long value = limit_value(demand, limit);
        char what[128], by[96];

        demand_setter(demand, limit, NULL, by, sizeof(by));
        if (limit == LIMIT_SIZE && !value) {
                refusal_set(refusal, r, "a buffer of 0 bytes makes no sense");
        } else if (r == PAR_REFUSED_INVALID) {
                refusal_set(refusal, r, "%s 0x%llx (%s) is no power of two", limit_name(limit),
                            value, by);
        } else {
                demand_words(demand, what, sizeof(what));
                refusal_set(refusal, r, "%s: %s 0x%llx (%s) rules that out", what,
                            limit_name(limit), value, by);
        }
        refusal_limit(refusal, demand, limit);
        return r;
}

int demand_init(const struct state *state, const struct request *request, struct demand *ret,
                struct refusal *ret_refusal)
{
        const struct device_settings *device;
        enum limit limit = LIMIT_NONE;
        uint64_t rounded;
        int r;

        *ret = (struct demand){ 0 };
        from_request(request, ret);
        if (request->device && *request->device) {
                device = state_device(state, request->device);
                if (!device)
                        return refusal_set(ret_refusal, PAR_REFUSED_INVALID,
                                           "there is no device %.64s in the configuration",
                                           request->device);
                narrow(ret, device);
                if (request->nodes && device->nodes && !ret->nodes) {
                        refusal_set(
                                ret_refusal, PAR_REFUSED_NEVER_FITS,
                                "nodes 0x%llx (the request) and 0x%llx (device %s) have none in "
                                "common",
                                (unsigned long long)request->nodes,
                                (unsigned long long)device->nodes, device->name);
                        refusal_limit(ret_refusal, ret, LIMIT_NODES);
                        return PAR_REFUSED_NEVER_FITS;
                }
        }
        if (ret->want.window.first > ret->want.window.last)
                return refuse_window(ret, ret_refusal);
        if (ret->want.size_bytes) {
                if (!align_up(ret->want.size_bytes, GRANULE_BYTES, &rounded))
                        rounded = UINT64_MAX - (GRANULE_BYTES - 1);
                ret->want.size_bytes = rounded;
        }
        r = constraint_check(&ret->want, &limit);
        if (r)
                return refuse_constraint(ret, r, limit, ret_refusal);
        return 0;
}
