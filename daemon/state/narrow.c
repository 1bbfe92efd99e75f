/* SPDX-License-Identifier: MIT */
/*
 * What devices leave of a demand. Of two limits the tighter one stays, with the name of who set it;
 * so the first device that leaves nothing is named, and whom it contradicts.
 */
#include "narrow.h"

#include "conflict.h"
#include "pci_address.h"
#include "refusal.h"
#include "state_private.h"

#include <string.h>

static const struct device_settings *find_device(const struct state *state, const char *name,
                                                 size_t length)
{
        for (size_t i = 0; i < state->settings->n_devices; i++) {
                const struct device_settings *device = &state->settings->devices[i];

                if (!strncmp(device->name, name, length) && !device->name[length])
                        return device;
        }
        for (size_t i = 0; i < state->settings->n_devices; i++) {
                const struct device_settings *device = &state->settings->devices[i];

                if (length && !strncmp(device->pci, name, length) && !device->pci[length])
                        return device;
        }
        return NULL;
}

const struct device_settings *state_device(const struct state *state, const char *name)
{
        return find_device(state, name, strlen(name));
}

static void narrow_last(struct demand *demand, uint64_t last, struct limit_source source)
{
        if (last >= demand->limits.window.last)
                return;
        demand->limits.window.last = last;
        demand->set_by[LIMIT_ADDR_MAX] = source;
}

/* Where 0 is no limit, and less is tighter. */
static void narrow_least(struct demand *demand, uint64_t value, uint64_t *current, enum limit limit,
                         struct limit_source source)
{
        if (!value || (*current && *current <= value))
                return;
        *current = value;
        demand->set_by[limit] = source;
}

/* Each limit of the device that is tighter than what there is takes its place. */
static void narrow(struct demand *demand, const struct device_settings *device)
{
        const struct limit_source source = { SET_BY_DEVICE, device };
        const struct constraint *limits = &device->limits;
        struct constraint *ours = &demand->limits;

        if (limits->window.first > ours->window.first) {
                ours->window.first = limits->window.first;
                demand->set_by[LIMIT_ADDR_MIN] = source;
        }
        narrow_last(demand, limits->window.last, source);
        narrow_last(demand, device_mask_last(device),
                    (struct limit_source){ SET_BY_SYSFS, device });
        if (device_align_bytes(device) > ours->align_bytes) {
                ours->align_bytes = device_align_bytes(device);
                demand->set_by[LIMIT_ALIGN] = source;
        }
        narrow_least(demand, limits->boundary_bytes, &ours->boundary_bytes, LIMIT_BOUNDARY, source);
        narrow_least(demand, limits->max_segment_bytes, &ours->max_segment_bytes,
                     LIMIT_MAX_SEGMENT_BYTES, source);
        if (limits->max_segments && limits->max_segments < ours->max_segments) {
                ours->max_segments = limits->max_segments;
                demand->set_by[LIMIT_MAX_SEGMENTS] = source;
        }
}

static int narrow_nodes(struct demand *demand, const struct device_settings *device,
                        struct refusal *refusal)
{
        if (!device->nodes)
                return 0;
        if (demand->nodes && !(demand->nodes & device->nodes))
                return conflict_nodes(demand, device, refusal);
        if (!demand->nodes || demand->nodes & ~device->nodes)
                demand->set_by[LIMIT_NODES] = (struct limit_source){ SET_BY_DEVICE, device };
        demand->nodes = demand->nodes ? demand->nodes & device->nodes : device->nodes;
        return 0;
}

/**
 * struct narrowing - a demand that is being narrowed
 * @devices: @n of them, so far; they have something in common
 */
struct narrowing {
        struct demand *demand;
        struct reach *reach;
        const struct device_settings *devices[REQUEST_DEVICES_MAX];
        size_t n;
        struct refusal *refusal;
};

static int narrow_reach(struct narrowing *narrowing, const struct device_settings *device)
{
        enum reach_loss loss = reach_narrow(narrowing->reach, device);

        if (!narrowing->demand->windows_of && device->n_windows)
                narrowing->demand->windows_of = device;
        if (loss == REACH_SOME)
                return 0;
        /* The first that has nothing in common with it; with three and more it may take all. */
        for (size_t i = 0; i < narrowing->n; i++) {
                enum reach_loss pair;
                struct reach alone;

                reach_init(&alone);
                (void)reach_narrow(&alone, narrowing->devices[i]);
                pair = reach_narrow(&alone, device);
                if (pair != REACH_SOME)
                        return conflict_reach(narrowing->devices[i], device, pair,
                                              narrowing->refusal);
        }
        return conflict_reach(narrowing->devices[0], device, loss, narrowing->refusal);
}

/* It may be writing when its driver is dead. */
static void note_device(struct demand *demand, const struct device_settings *device)
{
        if (pci_address_parse(device->pci, &demand->watched[demand->n_watched]))
                demand->n_watched++;
        else
                demand->unwatched = true;
}

static int add_device(struct narrowing *narrowing, const struct device_settings *device)
{
        struct demand *demand = narrowing->demand;
        int r;

        if (device->pci[0] && !device->facts.known)
                return refusal_set(narrowing->refusal, PAR_REFUSED_INVALID,
                                   "device %s: PCI device %s was not there when pard read its "
                                   "configuration; parctl reload looks again",
                                   device->name, device->pci);
        narrow(demand, device);
        if (device->granularity_bytes > demand->granularity_bytes)
                demand->granularity_bytes = device->granularity_bytes;
        if (device->facts.known && device->facts.node >= 0)
                demand->near_nodes |= UINT64_C(1) << device->facts.node;
        r = narrow_nodes(demand, device, narrowing->refusal);
        if (r)
                return r;
        if (demand->limits.window.first > demand->limits.window.last)
                return conflict_window(demand, narrowing->refusal);
        r = narrow_reach(narrowing, device);
        if (r)
                return r;
        note_device(demand, device);
        narrowing->devices[narrowing->n++] = device;
        return 0;
}

/* The device whose name is the first @length bytes. */
static int add_name(struct narrowing *narrowing, const struct state *state, const char *name,
                    size_t length)
{
        const struct device_settings *device = find_device(state, name, length);

        if (!device)
                return refusal_set(narrowing->refusal, PAR_REFUSED_INVALID,
                                   "there is no device %.*s in the configuration",
                                   length < 64 ? (int)length : 64, name);
        if (narrowing->n == REQUEST_DEVICES_MAX)
                return refusal_set(narrowing->refusal, PAR_REFUSED_INVALID,
                                   "a buffer is for at most %d devices", REQUEST_DEVICES_MAX);
        return add_device(narrowing, device);
}

static int add_names(struct narrowing *narrowing, const struct state *state, const char *names)
{
        const char *at = names && *names ? names : NULL;
        int r = 0;

        narrowing->demand->unwatched = !at;
        while (at && !r) {
                const size_t length = strcspn(at, ",");

                r = add_name(narrowing, state, at, length);
                at = at[length] ? at + length + 1 : NULL;
        }
        return r;
}

int narrow_by_devices(const struct state *state, const char *names, struct demand *demand,
                      struct reach *reach, struct refusal *refusal)
{
        struct narrowing narrowing = { .demand = demand, .reach = reach, .refusal = refusal };

        return add_names(&narrowing, state, names);
}

const struct device_settings *state_next_device(const struct state *state, uint64_t *cursor)
{
        if (*cursor >= state->settings->n_devices)
                return NULL;
        return &state->settings->devices[(*cursor)++];
}

/* How one more device sees it. */
static void narrow_sight(struct sight *sight, const struct device_settings *device)
{
        if (device->min_align_mask > sight->min_align_mask)
                sight->min_align_mask = device->min_align_mask;
        if (device->limits.align_bytes > sight->start_align_bytes)
                sight->start_align_bytes = device->limits.align_bytes;
        if (device->granularity_bytes > sight->start_align_bytes)
                sight->start_align_bytes = device->granularity_bytes;
}

int state_device_limits(const struct state *state, const char *names, struct constraint *ret,
                        uint64_t *ret_nodes, struct sight *ret_sight, struct refusal *ret_refusal)
{
        struct demand demand = {
                .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = SEGMENTS_ANY },
        };
        struct narrowing narrowing = {
                .demand = &demand,
                .reach = &ret_sight->reach,
                .refusal = ret_refusal,
        };
        int r;

        *ret_sight = (struct sight){ .start_align_bytes = 1 };
        reach_init(&ret_sight->reach);
        r = add_names(&narrowing, state, names);
        if (r)
                return r;
        for (size_t i = 0; i < narrowing.n; i++)
                narrow_sight(ret_sight, narrowing.devices[i]);
        *ret = demand.limits;
        *ret_nodes = demand.nodes;
        return 0;
}
