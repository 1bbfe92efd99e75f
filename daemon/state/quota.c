/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing: the sums are in payer.c. Costs a search in the tree of uids.
 */
#include "quota.h"

#include "choice.h"
#include "refusal.h"
#include "state_private.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t quota_room_bytes(const struct client *client, const struct pool *pool)
{
        uint64_t quota = pool->settings->quota_bytes, counted;

        if (!quota)
                return UINT64_MAX;
        counted = payer_counted_bytes(client->session_owner->payer, pool);
        return counted < quota ? quota - counted : 0;
}

uint64_t quota_pools(const struct state *state, const struct client *client, uint64_t size_bytes,
                     uint64_t pools)
{
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool *pool = &state->pools[i];
                uint64_t page_bytes = pool->settings->page_bytes, room;

                room = quota_room_bytes(client, pool);
                if (room != UINT64_MAX && align_down(room, page_bytes) < size_bytes)
                        pools &= ~(UINT64_C(1) << i);
        }
        return pools;
}

/* Frames of a place, from its beginning on, that are nobody's yet. */
static uint64_t new_bytes(const struct state *state, const struct pool *pool, struct range place)
{
        uint64_t page_bytes = pool->settings->page_bytes, bytes = 0;
        const struct frame *frame = state_frame_at(state, align_down(place.first, page_bytes));

        for (; frame && frame->phys <= place.last; frame = state_frame_next(state, frame))
                if (frame->pool == pool && frame->state == FRAME_FREE)
                        bytes += page_bytes;
        return bytes;
}

static bool same_frame(uint64_t a, uint64_t b, uint64_t page_bytes)
{
        return align_down(a, page_bytes) == align_down(b, page_bytes);
}

bool quota_allows(const struct state *state, const struct client *client,
                  const struct choice *choice)
{
        uint64_t room = quota_room_bytes(client, choice->pool), bytes = 0;
        uint64_t page_bytes = choice->pool->settings->page_bytes;

        if (room == UINT64_MAX)
                return true;
        for (size_t i = 0; i < choice->n_places; i++) {
                struct range place = choice->places[i];

                /* Segments of one frame follow each other, from the top down or upwards. */
                if (i && same_frame(place.first, choice->places[i - 1].first, page_bytes) &&
                    same_frame(place.last, place.first, page_bytes))
                        continue;
                bytes += new_bytes(state, choice->pool, place);
        }
        return bytes <= room;
}

/* The first of the pools whose quota is in the way; one that has any. */
static const struct pool *full_pool(const struct state *state, const struct client *client,
                                    const struct demand *demand, uint64_t pools)
{
        const struct pool *limited = &state->pools[0];

        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool *pool = &state->pools[i];

                if (!(pools >> i & 1) || !pool->settings->quota_bytes)
                        continue;
                if (!quota_pools(state, client, demand->want.size_bytes, UINT64_C(1) << i))
                        return pool;
                limited = pool;
        }
        return limited;
}

static uint64_t most_by_quota(const struct state *state, uint64_t pools)
{
        uint64_t most = 0;

        for (size_t i = 0; i < state->settings->n_pools; i++) {
                uint64_t quota = state->pools[i].settings->quota_bytes;

                if (!(pools >> i & 1))
                        continue;
                if (!quota)
                        return UINT64_MAX;
                most = quota > most ? quota : most;
        }
        return most;
}

int quota_refuse(const struct state *state, const struct client *client,
                 const struct demand *demand, uint64_t pools, struct refusal *ret)
{
        const struct pool *pool = full_pool(state, client, demand, pools);
        const struct state_bytes *bytes = &client->session_owner->payer->bytes[pool->index];
        char size[32], quota[32], held[32], dead[32], lingering[32];
        int n;

        if (demand->want.size_bytes > most_by_quota(state, pools))
                return refusal_set(ret, PAR_REFUSED_NEVER_FITS,
                                   "%s can never be had: the quota of pool %.64s is %s",
                                   bytes_words(demand->want.size_bytes, size), pool->settings->name,
                                   bytes_words(pool->settings->quota_bytes, quota));
        *ret = (struct refusal){ .result = PAR_REFUSED_QUOTA };
        refusal_figures(state, client, demand, pools, ret);
        n = snprintf(ret->sentence, sizeof(ret->sentence),
                     "%s more would be beyond the quota of pool %.64s: uid %u may have %s and has "
                     "%s",
                     bytes_words(demand->want.size_bytes, size), pool->settings->name,
                     client->identity.uid, bytes_words(pool->settings->quota_bytes, quota),
                     bytes_words(payer_counted_bytes(client->session_owner->payer, pool), held));
        if (bytes->quarantined)
                n += snprintf(ret->sentence + n, sizeof(ret->sentence) - (size_t)n,
                              ", %s of it in quarantine: parctl release or par_reclaim() would end "
                              "that",
                              bytes_words(bytes->quarantined, dead));
        if (bytes->lingering)
                snprintf(ret->sentence + n, sizeof(ret->sentence) - (size_t)n,
                         ", %s lingering: parctl frames tells who refers to it",
                         bytes_words(bytes->lingering, lingering));
        return PAR_REFUSED_QUOTA;
}
