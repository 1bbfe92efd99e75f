/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Both sides of a conflict in the same words: who, and what he demands.
 */
#include "conflict.h"

#include "macros.h"
#include "refusal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SIDE_BYTES 176

/* Never rounded: "4 GiB", or 0x12345000 where no unit fits. */
static const char *exact_words(uint64_t value, char to[32])
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        uint64_t rest = value;
        unsigned unit = 0;

        while (unit + 1 < ARRAY_SIZE(units) && rest && rest % 1024 == 0) {
                rest /= 1024;
                unit++;
        }
        if (rest < 10000)
                snprintf(to, 32, "%" PRIu64 " %s", rest, units[unit]);
        else
                snprintf(to, 32, "0x%" PRIx64, value);
        return to;
}

/* What a limit demands: "below 256 MiB", "boundary 64 KiB". */
static void demands(const struct demand *demand, enum limit limit, char *to, size_t room)
{
        const struct constraint *limits = &demand->limits;
        const char *name = limit_name(limit);
        char number[32];

        switch (limit) {
        case LIMIT_ADDR_MIN:
                snprintf(to, room, "from %s up", exact_words(limits->window.first, number));
                return;
        case LIMIT_ADDR_MAX:
                if (limits->window.last != UINT64_MAX)
                        snprintf(to, room, "below %s",
                                 exact_words(limits->window.last + 1, number));
                else
                        snprintf(to, room, "anywhere");
                return;
        case LIMIT_MAX_SEGMENTS:
                snprintf(to, room, "%s %" PRIu32, name, limits->max_segments);
                return;
        case LIMIT_NODES: snprintf(to, room, "%s 0x%" PRIx64, name, demand->nodes); return;
        case LIMIT_SIZE: exact_words(limits->size_bytes, number); break;
        case LIMIT_ALIGN: exact_words(limits->align_bytes, number); break;
        case LIMIT_BOUNDARY: exact_words(limits->boundary_bytes, number); break;
        case LIMIT_MAX_SEGMENT_BYTES: exact_words(limits->max_segment_bytes, number); break;
        case LIMIT_NONE:
        case LIMIT_COUNT: to[0] = '\0'; return;
        }
        snprintf(to, room, "%s %s", name, number);
}

/* "device a: below 256 MiB". */
static void side(const struct demand *demand, enum limit limit, char to[SIDE_BYTES])
{
        char who[96], what[64];

        demand_setter(demand, limit, who, sizeof(who));
        demands(demand, limit, what, sizeof(what));
        snprintf(to, SIDE_BYTES, "%s: %s", who, what);
}

/* @other: LIMIT_NONE: there is no other side. */
static int note_limits(const struct demand *demand, enum limit limit, enum limit other,
                       struct refusal *refusal)
{
        refusal->permanent = true;
        refusal->limit = limit;
        refusal->size_bytes = demand->limits.size_bytes;
        demand_setter(demand, limit, refusal->limit_set_by, sizeof(refusal->limit_set_by));
        refusal->conflict = other;
        if (other)
                demand_setter(demand, other, refusal->conflict_set_by,
                              sizeof(refusal->conflict_set_by));
        return refusal->result;
}

int conflict_window(const struct demand *demand, struct refusal *refusal)
{
        char low[SIDE_BYTES], high[SIDE_BYTES];

        if (demand->set_by[LIMIT_ADDR_MIN].by == SET_BY_REQUEST &&
            demand->set_by[LIMIT_ADDR_MAX].by == SET_BY_REQUEST) {
                refusal_set(refusal, PAR_REFUSED_INVALID,
                            "addr_min 0x%" PRIx64 " (the request) is above addr_max 0x%" PRIx64
                            " (the request)",
                            demand->limits.window.first, demand->limits.window.last);
        } else {
                side(demand, LIMIT_ADDR_MAX, high);
                side(demand, LIMIT_ADDR_MIN, low);
                refusal_set(refusal, PAR_REFUSED_NEVER_FITS,
                            "no address will do: \"%s\" against \"%s\"", high, low);
        }
        return note_limits(demand, LIMIT_ADDR_MAX, LIMIT_ADDR_MIN, refusal);
}

int conflict_nodes(const struct demand *demand, const struct device_settings *device,
                   struct refusal *refusal)
{
        char ours[SIDE_BYTES];

        side(demand, LIMIT_NODES, ours);
        refusal_set(refusal, PAR_REFUSED_NEVER_FITS,
                    "no NUMA node will do: \"%s\" against \"device %s: nodes 0x%" PRIx64 "\"", ours,
                    device->name, device->nodes);
        (void)note_limits(demand, LIMIT_NODES, LIMIT_NODES, refusal);
        snprintf(refusal->conflict_set_by, sizeof(refusal->conflict_set_by), "device %s",
                 device->name);
        return refusal->result;
}

/* Of the memory that a device sees, its first bus window: "0x0 to 0x3fff as 0x1000 to 0x4fff". */
static void sight_words(const struct device_settings *device, char to[SIDE_BYTES])
{
        const struct bus_window *window = &device->windows[0];

        if (!device->n_windows)
                snprintf(to, SIDE_BYTES, "device %s: all memory at its own address", device->name);
        else
                snprintf(to, SIDE_BYTES,
                         "device %s: memory 0x%" PRIx64 " to 0x%" PRIx64
                         " at bus address 0x%" PRIx64 "%s",
                         device->name, window->cpu.first, window->cpu.last, window->dma_first,
                         device->n_windows > 1 ? " ..." : "");
}

int conflict_reach(const struct device_settings *one, const struct device_settings *other,
                   enum reach_loss loss, struct refusal *refusal)
{
        char first[SIDE_BYTES], second[SIDE_BYTES];

        sight_words(one, first);
        sight_words(other, second);
        refusal_set(refusal, PAR_REFUSED_NEVER_FITS, "%s: \"%s\" against \"%s\"",
                    loss == REACH_APART ? "no memory is seen by both"
                                        : "a buffer has one bus address, and they see memory at "
                                          "different ones",
                    first, second);
        refusal->limit = LIMIT_ADDR_MAX;
        refusal->conflict = LIMIT_ADDR_MAX;
        snprintf(refusal->limit_set_by, sizeof(refusal->limit_set_by), "device %s", one->name);
        snprintf(refusal->conflict_set_by, sizeof(refusal->conflict_set_by), "device %s",
                 other->name);
        return refusal->result;
}

/* What the limit is in conflict with. */
static enum limit opponent(const struct demand *demand, enum limit limit)
{
        const struct constraint *limits = &demand->limits;

        switch (limit) {
        case LIMIT_ADDR_MIN:
        case LIMIT_ADDR_MAX: {
                enum limit other = limit == LIMIT_ADDR_MIN ? LIMIT_ADDR_MAX : LIMIT_ADDR_MIN;

                return demand->set_by[other].by == SET_BY_NOBODY ? LIMIT_SIZE : other;
        }
        case LIMIT_ALIGN:
                return demand->set_by[LIMIT_ADDR_MAX].by == SET_BY_NOBODY ? LIMIT_ADDR_MIN
                                                                          : LIMIT_ADDR_MAX;
        case LIMIT_BOUNDARY:
                return limits->boundary_bytes < limits->align_bytes ? LIMIT_ALIGN
                                                                    : LIMIT_MAX_SEGMENTS;
        case LIMIT_MAX_SEGMENT_BYTES:
                return limits->max_segment_bytes < limits->align_bytes ? LIMIT_ALIGN
                                                                       : LIMIT_MAX_SEGMENTS;
        default: return LIMIT_NONE;
        }
}

static uint64_t value_of(const struct constraint *limits, enum limit limit)
{
        return limit == LIMIT_BOUNDARY ? limits->boundary_bytes : limits->align_bytes;
}

int conflict_constraint(const struct demand *demand, int r, enum limit limit,
                        struct refusal *refusal)
{
        enum limit other = opponent(demand, limit);
        char what[DEMAND_WORDS_BYTES], first[SIDE_BYTES], second[SIDE_BYTES], by[96];

        if (limit == LIMIT_SIZE) {
                refusal_set(refusal, r, "a buffer of 0 bytes makes no sense");
                other = LIMIT_NONE;
        } else if (r == PAR_REFUSED_INVALID) {
                demand_setter(demand, limit, by, sizeof(by));
                refusal_set(refusal, r, "%s 0x%" PRIx64 " (%s) is no power of two",
                            limit_name(limit), value_of(&demand->limits, limit), by);
                other = LIMIT_NONE;
        } else {
                demand_words(demand, what, sizeof(what));
                side(demand, limit, first);
                side(demand, other, second);
                refusal_set(refusal, r, "%s: \"%s\" rules that out, with \"%s\"", what, first,
                            second);
        }
        return note_limits(demand, limit, other, refusal);
}

int conflict_bus(const struct demand *demand, struct range hull, struct refusal *refusal)
{
        const bool below = demand->limits.window.last < hull.first;
        const bool above = demand->limits.window.first > hull.last;
        const enum limit limit = above ? LIMIT_ADDR_MIN : LIMIT_ADDR_MAX;
        char ours[SIDE_BYTES];

        side(demand, limit, ours);
        refusal_set(refusal, PAR_REFUSED_NEVER_FITS,
                    "no bus address will do: \"%s\" against \"%s of device %s: %s0x%" PRIx64
                    " to 0x%" PRIx64 "\"",
                    ours, "bus windows", demand->windows_of->name,
                    below || above ? "" : "in parts of ", hull.first, hull.last);
        (void)note_limits(demand, limit, limit, refusal);
        snprintf(refusal->conflict_set_by, sizeof(refusal->conflict_set_by),
                 "the bus windows of device %s", demand->windows_of->name);
        return refusal->result;
}

int conflict_offset(const struct demand *demand, enum limit limit, struct refusal *refusal)
{
        char ours[SIDE_BYTES];

        side(demand, limit, ours);
        refusal_set(refusal, PAR_REFUSED_INVALID,
                    "\"%s\" against \"the bus windows of device %s\": what is a multiple of that "
                    "on its bus is none in memory%s",
                    ours, demand->windows_of->name,
                    limit == LIMIT_BOUNDARY ? ", and there are too many of them" : "");
        (void)note_limits(demand, limit, LIMIT_ADDR_MIN, refusal);
        snprintf(refusal->conflict_set_by, sizeof(refusal->conflict_set_by),
                 "the bus windows of device %s", demand->windows_of->name);
        return refusal->result;
}

int conflict_room(const struct demand *demand, struct refusal *refusal)
{
        char what[DEMAND_WORDS_BYTES];

        demand_words(demand, what, sizeof(what));
        refusal_set(refusal, PAR_REFUSED_NEVER_FITS,
                    "%s: no bus window of device %s has room for that", what,
                    demand->windows_of->name);
        (void)note_limits(demand, LIMIT_SIZE, LIMIT_NONE, refusal);
        return refusal->result;
}
