/* SPDX-License-Identifier: MIT */
/*
 * Why not: which limit stands in the way is found by taking the limits away one by one and looking
 * whether the request would then be met. Costs a few searches, and only when the answer is no.
 */
#include "refusal.h"

#include "choice.h"
#include "grow.h"
#include "macros.h"
#include "placement.h"
#include "quota.h"
#include "state_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Exact where that takes no more than four digits, else rounded down to a tenth. */
const char *bytes_words(uint64_t bytes, char *to)
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        uint64_t value = bytes, rest = 0;
        bool rounded = false;
        unsigned unit = 0;

        while (unit + 1 < ARRAY_SIZE(units) &&
               (value >= 10000 || (value >= 1024 && (rounded || value % 1024 == 0)))) {
                rest = value % 1024;
                rounded = rounded || rest;
                value /= 1024;
                unit++;
        }
        if (rounded)
                snprintf(to, 32, "%" PRIu64 ".%" PRIu64 " %s", value, rest * 10 / 1024,
                         units[unit]);
        else
                snprintf(to, 32, "%" PRIu64 " %s", value, units[unit]);
        return to;
}

int refusal_set(struct refusal *refusal, int result, const char *format, ...)
{
        va_list args;

        *refusal = (struct refusal){ .result = result };
        refusal->permanent = result == PAR_REFUSED_NEVER_FITS || result == PAR_REFUSED_INVALID ||
                             result == PAR_REFUSED_DENIED;
        va_start(args, format);
        vsnprintf(refusal->sentence, sizeof(refusal->sentence), format, args);
        va_end(args);
        return result;
}

void range_words(struct range window, char *to, size_t room)
{
        char limit[32];

        if (window.first == 0 && window.last == UINT64_MAX)
                snprintf(to, room, "anywhere");
        else if (window.first == 0 && !((window.last + 1) & 0xfff))
                snprintf(to, room, "below %s", bytes_words(window.last + 1, limit));
        else if (window.last == UINT64_MAX)
                snprintf(to, room, "from 0x%" PRIx64 " up", window.first);
        else
                snprintf(to, room, "between 0x%" PRIx64 " and 0x%" PRIx64, window.first,
                         window.last);
}

/* Where it may lie: in memory, and where that differs, as the device sees it. */
static void where_words(const struct demand *demand, char *to, size_t room)
{
        const struct range phys = demand->want.window;
        char where[64];

        if (demand->dma_offset) {
                range_words((struct range){ phys.first + demand->dma_offset,
                                            phys.last + demand->dma_offset },
                            where, sizeof(where));
                snprintf(to, room, "%s on the bus (memory 0x%" PRIx64 " to 0x%" PRIx64 ")", where,
                         phys.first, phys.last);
        } else {
                range_words(phys, to, room);
        }
}

void demand_words(const struct demand *demand, char *to, size_t room)
{
        const struct constraint *want = &demand->want;
        char size[32], align[64] = "", where[128], pieces[48], number[32], whom[96] = "";

        bytes_words(want->size_bytes, size);
        where_words(demand, where, sizeof(where));
        if (want->max_segments == 1)
                snprintf(pieces, sizeof(pieces), "in one piece");
        else if (want->max_segments == SEGMENTS_ANY)
                snprintf(pieces, sizeof(pieces), "in any number of segments");
        else
                snprintf(pieces, sizeof(pieces), "in at most %" PRIu32 " segments",
                         want->max_segments);
        if (want->align_bytes > GRANULE_BYTES)
                snprintf(align, sizeof(align), " aligned to %s",
                         bytes_words(want->align_bytes, number));
        if (demand->devices && *demand->devices)
                snprintf(whom, sizeof(whom), " for device%s %.80s",
                         strchr(demand->devices, ',') ? "s" : "", demand->devices);
        snprintf(to, room, "%s %s%s %s%s", size, pieces, align, where, whom);
}

/* Of so many bytes in empty frames, those that others have not claimed. */
static uint64_t unclaimed(const struct client *client, const struct pool *pool,
                          const struct demand *demand, uint64_t bytes)
{
        uint64_t left = claims_left_bytes(client, pool) + client_kept_bytes(client, pool, demand);

        return bytes < left ? bytes : left;
}

void refusal_figures(const struct state *state, const struct client *client,
                     const struct demand *demand, uint64_t pools, struct refusal *ret)
{
        ret->size_bytes = demand->want.size_bytes;
        ret->free_in_window_bytes = 0;
        ret->largest_run_bytes = 0;
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                struct space_list whole, parts;
                struct range run;

                if (!(pools >> i & 1))
                        continue;
                client_memory(client, &state->pools[i], demand, &whole, &parts);
                ret->free_in_window_bytes +=
                        unclaimed(
                                client, &state->pools[i], demand,
                                placement_free_bytes(whole.of, whole.count, demand->want.window)) +
                        placement_free_bytes(parts.of, parts.count, demand->want.window);
                if (choice_longest(client, &state->pools[i], demand, &run) &&
                    range_size(run) > ret->largest_run_bytes)
                        ret->largest_run_bytes = range_size(run);
        }
}

/* The demand without one of its limits. Return: whether there was such a limit. */
static bool relax(struct demand *demand, enum limit limit)
{
        struct constraint *want = &demand->want;

        switch (limit) {
        case LIMIT_ADDR_MAX:
                if (want->window.last == UINT64_MAX)
                        return false;
                want->window.last = UINT64_MAX;
                return true;
        case LIMIT_ADDR_MIN:
                if (want->window.first == 0)
                        return false;
                want->window.first = 0;
                return true;
        case LIMIT_ALIGN:
                if (want->align_bytes <= GRANULE_BYTES)
                        return false;
                want->align_bytes = 1;
                return true;
        case LIMIT_BOUNDARY:
                if (!want->boundary_bytes)
                        return false;
                want->boundary_bytes = 0;
                return true;
        case LIMIT_MAX_SEGMENTS:
                if (want->max_segments == SEGMENTS_ANY)
                        return false;
                want->max_segments = SEGMENTS_ANY;
                return true;
        case LIMIT_NODES:
                if (!demand->nodes)
                        return false;
                demand->nodes = 0;
                return true;
        default: return false;
        }
}

/* Return: 1 where the demand would be met now (or ever), 0; -ENOMEM. */
static int would_fit(const struct state *state, const struct client *client,
                     const struct demand *demand, uint64_t pools, bool ever)
{
        struct choice choice = { 0 };
        int r;

        if (ever)
                return choice_could_ever(state, client, demand, pools, false);
        r = choice_find(state, client, demand, pools, 0, &choice);
        choice_deinit(&choice);
        return r < 0 ? r : !r;
}

/* The first limit without which the request would be met. */
static int find_limit(const struct state *state, const struct client *client,
                      const struct demand *demand, uint64_t pools, bool ever, enum limit *ret)
{
        static const enum limit order[] = { LIMIT_ADDR_MAX, LIMIT_ADDR_MIN, LIMIT_NODES,
                                            LIMIT_ALIGN,    LIMIT_BOUNDARY, LIMIT_MAX_SEGMENTS };

        for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
                struct demand relaxed = *demand;
                int r;

                if (!relax(&relaxed, order[i]))
                        continue;
                r = would_fit(state, client, &relaxed, pools, ever);
                if (r < 0)
                        return r;
                if (r) {
                        *ret = order[i];
                        return 0;
                }
        }
        *ret = LIMIT_SIZE;
        return 0;
}

/* Bytes that pard holds in the window, whoever has them. */
static uint64_t held_in_window(const struct state *state, const struct demand *demand,
                               uint64_t pools, uint64_t *ret_largest)
{
        uint64_t bytes = 0, run;

        *ret_largest = 0;
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                struct space_list list = { .count = 0 };

                if (!(pools >> i & 1))
                        continue;
                space_list_add(&list, &state->pools[i].all, demand->nodes);
                bytes += placement_free_bytes(list.of, list.count, demand->want.window);
                run = placement_largest_run(list.of, list.count, demand->want.window);
                if (run > *ret_largest)
                        *ret_largest = run;
        }
        return bytes;
}

/* What a pool may hold there at most for this client; *ret_claimed: and for others, who claimed it.
 */
static uint64_t most_there(const struct state *state, const struct client *client,
                           const struct demand *demand, uint64_t pools, uint64_t *ret_claimed)
{
        uint64_t most = 0, claimed;

        *ret_claimed = 0;

        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool_settings *settings = state->pools[i].settings;

                if (!(pools >> i & 1) || !range_overlaps(settings->window, demand->want.window))
                        continue;
                claimed = claims_of_others_bytes(client, &state->pools[i]);
                if (settings->size_max_bytes - claimed > most) {
                        most = settings->size_max_bytes - claimed;
                        *ret_claimed = claimed;
                }
        }
        return most;
}

/* @own: it is what the client has itself that leaves no room. */
static void write_never(const struct state *state, const struct client *client,
                        const struct demand *demand, uint64_t pools, bool own, struct refusal *ret)
{
        char what[DEMAND_WORDS_BYTES], held[32], run[32], because[160] = "";
        uint64_t bytes, largest, claimed;
        uint64_t most = most_there(state, client, demand, pools, &claimed);

        bytes = held_in_window(state, demand, pools, &largest);
        demand_words(demand, what, sizeof(what));
        bytes_words(bytes, held);
        bytes_words(largest, run);
        if (ret->limit != LIMIT_SIZE && ret->limit_set_by[0])
                snprintf(because, sizeof(because), "; without %s, set by %s, it could",
                         limit_name(ret->limit), ret->limit_set_by);
        if (own)
                snprintf(ret->sentence, sizeof(ret->sentence),
                         "%s cannot be had beside what this client has itself: pard holds %s there "
                         "in all; it would have to free some%s",
                         what, held, because);
        else if (claimed && demand->want.size_bytes > most)
                snprintf(ret->sentence, sizeof(ret->sentence),
                         "%s can never be had: beside the %s that others have claimed, no pool "
                         "there may hold more than %s%s",
                         what, bytes_words(claimed, run), bytes_words(most, held), because);
        else if (most > bytes && demand->want.size_bytes > most)
                snprintf(ret->sentence, sizeof(ret->sentence),
                         "%s can never be had: no pool there may hold more than %s%s", what,
                         bytes_words(most, held), because);
        else if (!bytes)
                snprintf(ret->sentence, sizeof(ret->sentence),
                         "%s can never be had: pard holds nothing there%s", what, because);
        else
                snprintf(ret->sentence, sizeof(ret->sentence),
                         "%s can never be had: pard holds %s there in all, the largest run is %s%s",
                         what, held, run, because);
}

/* A pool that would do, but holds less than it should; NULL where there is none. */
static const struct pool *short_pool(const struct state *state, const struct demand *demand,
                                     uint64_t pools)
{
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool *pool = &state->pools[i];

                if (pools >> i & 1 && pool->note[0] &&
                    range_overlaps(pool->settings->window, demand->want.window))
                        return pool;
        }
        return NULL;
}

/* What was freed and is not with the kernel yet, so that it will be there in a moment. */
static uint64_t bytes_coming(const struct state *state, uint64_t pools)
{
        uint64_t bytes = 0;

        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (pools >> i & 1)
                        bytes += state->pools[i].bytes.leaving;
        return bytes;
}

/* One that could not grow when it was last asked to. */
static const struct pool *stuck_pool(const struct state *state, const struct demand *demand,
                                     uint64_t pools)
{
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool *pool = &state->pools[i];

                if (pools >> i & 1 && (pool->reason[0] || pool->tired) && pool_room_bytes(pool) &&
                    range_overlaps(pool->settings->window, demand->want.window))
                        return pool;
        }
        return NULL;
}

/* One that must not hold anything in a part of the window. */
static const struct pool *drained_pool(const struct state *state, const struct demand *demand,
                                       uint64_t pools)
{
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (pools >> i & 1 && pool_drains(&state->pools[i], demand->want.window))
                        return &state->pools[i];
        return NULL;
}

void refusal_append(struct refusal *refusal, const char *format, ...)
{
        size_t used = strlen(refusal->sentence);
        va_list args;

        va_start(args, format);
        vsnprintf(refusal->sentence + used, sizeof(refusal->sentence) - used, format, args);
        va_end(args);
}

/* What is in quarantine in pools that would do, and how long, as far as that is known. */
static void append_quarantines(const struct state *state, const struct demand *demand,
                               uint64_t pools, struct refusal *ret)
{
        const struct holding *first = NULL;
        uint64_t bytes = 0;
        char size[32];

        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool *pool = &state->pools[i];
                const struct holding *holding = holding_first(pool);

                if (!(pools >> i & 1) ||
                    !range_overlaps(pool->settings->window, demand->want.window))
                        continue;
                bytes += pool->bytes.quarantined;
                if (holding && (!first || holding->until_ns < first->until_ns))
                        first = holding;
        }
        if (!bytes)
                return;
        refusal_append(ret, "; %s are in quarantine", bytes_words(bytes, size));
        if (first && first->until_ns > state->now_ns)
                refusal_append(ret, ", some of that for another %" PRIu64 " s",
                               (first->until_ns - state->now_ns + NS_PER_S - 1) / NS_PER_S);
        else if (first)
                refusal_append(ret, " until devices are quiet");
        refusal_append(ret, "; parctl release would free that");
}

/* Bytes that are free there and kept for others. */
static uint64_t kept_bytes(const struct state *state, const struct client *client, uint64_t pools)
{
        uint64_t bytes = 0;

        for (; pools; pools &= pools - 1) {
                const struct pool *pool = &state->pools[__builtin_ctzll(pools)];
                uint64_t kept = claims_kept_bytes(client, pool);

                bytes += kept < pool->bytes.free ? kept : pool->bytes.free;
        }
        return bytes;
}

static void write_not_now(const struct state *state, const struct client *client,
                          const struct demand *demand, uint64_t pools, struct refusal *ret)
{
        const struct pool *lacking = short_pool(state, demand, pools);
        const struct pool *stuck = stuck_pool(state, demand, pools);
        const struct pool *drained = drained_pool(state, demand, pools);
        char what[DEMAND_WORDS_BYTES], free_bytes[32], run[32], coming[32];
        uint64_t coming_bytes = bytes_coming(state, pools);
        uint64_t claimed_bytes = kept_bytes(state, client, pools);

        demand_words(demand, what, sizeof(what));
        bytes_words(ret->free_in_window_bytes, free_bytes);
        bytes_words(ret->largest_run_bytes, run);
        snprintf(ret->sentence, sizeof(ret->sentence),
                 "%.303s: %s are free there, the largest run is %s", what, free_bytes, run);
        if (lacking)
                refusal_append(ret, "; pool %.64s holds %.140s", lacking->settings->name,
                               lacking->note);
        else if (stuck && !ret->growing)
                refusal_append(ret, "; pool %.64s cannot grow now: %.140s", stuck->settings->name,
                               stuck->reason[0]
                                       ? stuck->reason
                                       : "it had to look for pages often lately, and pauses");
        if (drained && !lacking)
                refusal_append(ret, "; pool %.64s is drained there", drained->settings->name);
        if (claimed_bytes)
                refusal_append(ret, "; %s more are kept for others, who claimed them",
                               bytes_words(claimed_bytes, coming));
        if (pools & state->held_up)
                refusal_append(ret, "; others wait for it already");
        append_quarantines(state, demand, pools, ret);
        if (coming_bytes)
                refusal_append(ret, "; %s are on their way back",
                               bytes_words(coming_bytes, coming));
}

int refusal_explain(const struct state *state, const struct client *client,
                    const struct demand *demand, uint64_t pools, int result, struct refusal *ret)
{
        int ever, own, r;

        *ret = (struct refusal){ .result = result };
        refusal_figures(state, client, demand, pools, ret);
        ever = choice_could_ever(state, client, demand, pools, false);
        if (ever < 0)
                return ever;
        r = find_limit(state, client, demand, pools, !ever, &ret->limit);
        if (r)
                return r;
        demand_setter(demand, ret->limit, ret->limit_set_by, sizeof(ret->limit_set_by));
        if (ever) {
                ret->growing = state_can_grow(state, client, demand, pools);
                write_not_now(state, client, demand, pools, ret);
        } else {
                own = choice_could_ever(state, client, demand, pools, true);
                if (own < 0)
                        return own;
                ret->result = PAR_REFUSED_NEVER_FITS;
                ret->permanent = true;
                write_never(state, client, demand, pools, own, ret);
        }
        return ret->result;
}
