/* SPDX-License-Identifier: MIT */
/*
 * What devices leave of a demand. Of two limits the tighter one stays, with the name of who set it;
 * so the first device that leaves nothing is named, and whom it contradicts.
 */
#include "narrow.h"

#include "conflict.h"
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

static int narrow_reach(struct demand *demand, struct reach *reach,
                        const struct device_settings *device,
                        const struct device_settings *const *before, size_t n_before,
                        struct refusal *refusal)
{
        enum reach_loss loss = reach_narrow(reach, device);

        if (!demand->windows_of && device->n_windows)
                demand->windows_of = device;
        if (loss == REACH_SOME)
                return 0;
        /* With three and more it may take all of them: the first that has nothing in common. */
        for (size_t i = 0; i < n_before; i++) {
                enum reach_loss pair;
                struct reach alone;

                reach_init(&alone);
                (void)reach_narrow(&alone, before[i]);
                pair = reach_narrow(&alone, device);
                if (pair != REACH_SOME)
                        return conflict_reach(before[i], device, pair, refusal);
        }
        return conflict_reach(before[0], device, loss, refusal);
}

static int add_device(struct demand *demand, struct reach *reach,
                      const struct device_settings *device,
                      const struct device_settings *const *before, size_t n_before,
                      struct refusal *refusal)
{
        int r;

        if (device->pci[0] && !device->facts.known)
                return refusal_set(refusal, PAR_REFUSED_INVALID,
                                   "device %s: PCI device %s was not there when pard read its "
                                   "configuration; parctl reload looks again",
                                   device->name, device->pci);
        narrow(demand, device);
        if (device->facts.known && device->facts.node >= 0)
                demand->near_nodes |= UINT64_C(1) << device->facts.node;
        r = narrow_nodes(demand, device, refusal);
        if (r)
                return r;
        if (demand->limits.window.first > demand->limits.window.last)
                return conflict_window(demand, refusal);
        return narrow_reach(demand, reach, device, before, n_before, refusal);
}

int narrow_by_devices(const struct state *state, const char *names, struct demand *demand,
                      struct reach *reach, uint64_t *granularity_bytes, struct refusal *refusal)
{
        const struct device_settings *devices[REQUEST_DEVICES_MAX];
        size_t n = 0, length;
        int r;

        for (; names && *names; names += length + (names[length] == ',')) {
                length = strcspn(names, ",");
                if (n == REQUEST_DEVICES_MAX)
                        return refusal_set(refusal, PAR_REFUSED_INVALID,
                                           "a buffer is for at most %d devices",
                                           REQUEST_DEVICES_MAX);
                devices[n] = find_device(state, names, length);
                if (!devices[n])
                        return refusal_set(refusal, PAR_REFUSED_INVALID,
                                           "there is no device %.*s in the configuration",
                                           length < 64 ? (int)length : 64, names);
                r = add_device(demand, reach, devices[n], devices, n, refusal);
                if (r)
                        return r;
                if (devices[n]->granularity_bytes > *granularity_bytes)
                        *granularity_bytes = devices[n]->granularity_bytes;
                n++;
        }
        return 0;
}

const struct device_settings *state_next_device(const struct state *state, uint64_t *cursor)
{
        if (*cursor >= state->settings->n_devices)
                return NULL;
        return &state->settings->devices[(*cursor)++];
}

int state_device_limits(const struct state *state, const char *names, struct constraint *ret,
                        uint64_t *ret_nodes, struct refusal *ret_refusal)
{
        uint64_t granularity_bytes = 1;
        struct demand demand = {
                .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = SEGMENTS_ANY },
        };
        struct reach reach;
        int r;

        reach_init(&reach);
        r = narrow_by_devices(state, names, &demand, &reach, &granularity_bytes, ret_refusal);
        if (r)
                return r;
        *ret = demand.limits;
        *ret_nodes = demand.nodes;
        return 0;
}
