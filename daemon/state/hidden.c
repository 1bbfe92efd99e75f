/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. The one place that knows who may be told addresses: lists, cursors, lookup, its
 * history and explanations ask here. A pool that hides them refuses every limit by which a client
 * could find out an address by asking for this place and that: windows, boundaries, and alignments
 * of more than a page. What is visible anyhow is no secret: an offset in a frame, and the node.
 */
#include "hidden.h"

#include "refusal.h"
#include "state_private.h"

#include <stdio.h>
#include <string.h>

/* A limit whose answer tells of addresses; LIMIT_NONE: there is none. */
static enum limit telling_limit(const struct pool_settings *pool, const struct demand *demand)
{
        const struct constraint *limits = &demand->limits;

        if (limits->window.last != UINT64_MAX || demand->windows_of)
                return LIMIT_ADDR_MAX;
        if (limits->window.first)
                return LIMIT_ADDR_MIN;
        if (limits->boundary_bytes)
                return LIMIT_BOUNDARY;
        return limits->align_bytes > pool->page_bytes ? LIMIT_ALIGN : LIMIT_NONE;
}

static int refuse(const struct pool_settings *pool, const struct demand *demand, enum limit limit,
                  struct refusal *refusal)
{
        char setter[sizeof(refusal->limit_set_by)];
        int r;

        demand_setter(demand, limit, setter, sizeof(setter));
        if (!setter[0])
                snprintf(setter, sizeof(setter), "the bus windows of device %.64s",
                         demand->windows_of->name);
        r = refusal_set(refusal, PAR_REFUSED_DENIED,
                        "pool %.64s hides the addresses of its memory, so it cannot answer %s, set "
                        "by %s; limits are of I/O addresses where the device is attached to a VFIO "
                        "container",
                        pool->name, limit_name(limit), setter);
        refusal->limit = limit;
        memcpy(refusal->limit_set_by, setter, sizeof(setter));
        refusal->size_bytes = demand->limits.size_bytes;
        return r;
}

int hide_demand(const struct state *state, const struct request *request, struct demand *demand,
                struct refusal *refusal)
{
        const struct pool *pool = NULL;
        enum limit limit;

        demand->blind = request->blind;
        if (request->pool && *request->pool)
                pool = state_pool_named(state, request->pool);
        if (!pool || !pool->settings->hidden)
                return 0;
        limit = telling_limit(pool->settings, demand);
        if (limit != LIMIT_NONE)
                return refuse(pool->settings, demand, limit, refusal);
        demand->blind = true;
        demand->limits.max_segments = SEGMENTS_ANY;
        demand->limits.max_segment_bytes = 0;
        return 0;
}

bool hidden_suits(const struct pool_settings *pool, const struct demand *demand, bool named)
{
        return named || (demand->blind && demand->limits.max_segments == SEGMENTS_ANY &&
                         telling_limit(pool, demand) == LIMIT_NONE);
}

bool hidden_from(const struct pool *pool, const struct client *asker)
{
        if (asker->is_admin)
                return false;
        return pool->settings->hidden || !(asker->allowed >> pool->index & 1);
}

bool hidden_of_uid(const struct pool *pool, uint32_t uid, const struct client *asker)
{
        return hidden_from(pool, asker) && (pool->settings->hidden || uid != asker->identity.uid);
}

bool hidden_buffer(const struct buffer *buffer, const struct client *asker)
{
        const struct holding *holding = buffer->holding;
        const struct pool *pool = holding->account->pool;

        if (!hidden_of_uid(pool, holding->uid, asker))
                return false;
        return pool->settings->hidden || !holding->share || !holder_of(asker, holding->share);
}
