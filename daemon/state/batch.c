/* SPDX-License-Identifier: MIT */
/*
 * Several equal buffers at once. They are placed in runs, as many side by side as a frame takes,
 * with one search for each run; where no run is left, one by one, in the same order of preference
 * as a single one. So a batch may go into a new frame although some of it would have fitted into
 * what its client has.
 *
 * Invariant: until all of them have their places nobody hears of any, neither the ledger, nor the
 * keeper, nor the client, and all of it can be undone. Refuses what a packet does not describe in a
 * few bytes: a buffer in several frames or segments.
 */
#include "choice.h"
#include "constraint.h"
#include "macros.h"
#include "quota.h"
#include "refusal.h"
#include "state_private.h"
#include "views.h"

#include <stdio.h>
#include <string.h>

/**
 * struct batch - on its way
 * @one:     what each of them demands
 * @pools:   where they may lie
 * @buffers: @placed of @count
 */
struct batch {
        struct state *state;
        struct client *client;
        struct demand one;
        uint64_t pools, now_ns;
        size_t count, placed;
        struct buffer **buffers;
};

static int refuse_one_by_one(const char *why, struct refusal *refusal)
{
        return refusal_set(refusal, PAR_REFUSED_INVALID,
                           "in a batch each buffer lies in one page, as one segment, and this may "
                           "not: %s; ask for one at a time",
                           why);
}

/* Whether all of them will be what is granted in a batch, wherever they lie. */
static int check_shape(const struct batch *batch, struct refusal *refusal)
{
        const struct constraint *limits = &batch->one.limits;
        const uint64_t size = limits->size_bytes;

        if (batch->one.windows_of)
                return refuse_one_by_one("its device has bus windows", refusal);
        if (limits->boundary_bytes && limits->boundary_bytes < size)
                return refuse_one_by_one("its boundary is below its size", refusal);
        if (limits->max_segment_bytes && limits->max_segment_bytes < size)
                return refuse_one_by_one("max_segment_bytes is below its size", refusal);
        for (size_t i = 0; i < batch->state->settings->n_pools; i++) {
                const struct pool_settings *pool = batch->state->pools[i].settings;

                if (!(batch->pools >> i & 1))
                        continue;
                if (pool->page_bytes < size)
                        return refuse_one_by_one("it is larger than a page", refusal);
                if (pool->handout == HANDOUT_DMABUF)
                        return refuse_one_by_one("its pool hands dma-bufs out", refusal);
        }
        return 0;
}

/* What so many of them side by side demand: no boundary may lie inside of one, so none lies inside
 * of the run, and neither does the edge of a page. */
static void widen(const struct batch *batch, uint64_t page_bytes, size_t n, struct demand *ret)
{
        struct constraint *want;

        *ret = batch->one;
        want = &ret->limits;
        want->size_bytes *= n;
        want->max_segments = 1;
        want->max_segment_bytes = 0;
        if (!want->boundary_bytes || want->boundary_bytes > page_bytes)
                want->boundary_bytes = page_bytes;
        demand_select(ret, 0);
}

/* How many may lie side by side, at most. */
static size_t longest_run(const struct batch *batch, uint64_t page_bytes)
{
        const struct constraint *limits = &batch->one.limits;
        const size_t left = batch->count - batch->placed;
        uint64_t room = page_bytes, n;

        if (limits->boundary_bytes && limits->boundary_bytes < room)
                room = limits->boundary_bytes;
        if (limits->size_bytes & (limits->align_bytes - 1))
                return 1; /* the next one would not be aligned */
        n = room / limits->size_bytes;
        return n < left ? n : left;
}

/* A run of @ret_n in a pool, the longest of halves. Return: 0; PAR_REFUSED_*, as the search for one
 * says; -ENOMEM. */
static int find_run(const struct batch *batch, const struct pool *pool, struct choice *ret,
                    size_t *ret_n)
{
        const uint64_t page_bytes = pool->settings->page_bytes;
        struct demand run;
        int r = 0;

        for (size_t n = longest_run(batch, page_bytes); n; n /= 2) {
                enum limit limit;

                widen(batch, page_bytes, n, &run);
                if (constraint_check(&run.want, &limit)) {
                        r = PAR_REFUSED_FRAGMENTED; /* so many are wider than its addresses */
                        continue;
                }
                r = views_find(batch->state, batch->client, &run, UINT64_C(1) << pool->index,
                               batch->state->held_up, ret);
                if (r <= 0) {
                        *ret_n = n;
                        return r;
                }
        }
        return r;
}

/* The same in any of the pools. */
static int find(const struct batch *batch, struct choice *ret, size_t *ret_n)
{
        const struct state *state = batch->state;
        int answer = PAR_REFUSED_EXHAUSTED;

        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool *pool = &state->pools[state->preferred[i]];
                int r;

                if (!(batch->pools >> pool->index & 1))
                        continue;
                r = find_run(batch, pool, ret, ret_n);
                if (r <= 0)
                        return r;
                if (r == PAR_REFUSED_FRAGMENTED)
                        answer = r;
        }
        return answer;
}

/* The search has looked whether one more of them may be had. */
static int place_run(struct batch *batch, const struct choice *choice, size_t n,
                     struct refusal *refusal)
{
        const uint64_t size = batch->one.want.size_bytes;
        struct quota_excess excess;
        int r = 0;

        for (size_t i = 0; i < n && !r; i++) {
                struct range at = range_of(choice->places[0].first + i * size, size);

                r = client_may_have_more(batch->client, refusal);
                if (!r && i && quota_check(batch->client, choice->pool, 0, &excess))
                        r = quota_explain(batch->client, &batch->one, &excess, refusal);
                if (!r)
                        r = state_place(batch->state, batch->client, &batch->one, choice->pool, at,
                                        batch->now_ns, &batch->buffers[batch->placed]);
                if (!r)
                        batch->placed++;
        }
        return r;
}

static int place_some(struct batch *batch, struct refusal *refusal)
{
        _cleanup_(choice_deinit) struct choice choice = { 0 };
        size_t n = 0;
        int r;

        r = find(batch, &choice, &n);
        if (r > 0)
                return views_explain_barred(batch->state, batch->client, &batch->one, batch->pools,
                                            choice.barred, &choice.excess, r, refusal);
        return r ? r : place_run(batch, &choice, n, refusal);
}

/* "buffer 31 of 64: " before what there is to say of it. */
static void say_which(const struct batch *batch, struct refusal *refusal)
{
        char sentence[SENTENCE_BYTES];

        if (batch->count == 1)
                return;
        memcpy(sentence, refusal->sentence, sizeof(sentence));
        snprintf(refusal->sentence, sizeof(refusal->sentence), "buffer %zu of %zu: %.600s",
                 batch->placed + 1, batch->count, sentence);
}

static int place_all(struct batch *batch, struct refusal *refusal)
{
        const uint64_t last_buffer = batch->state->last_buffer;
        int r = 0;

        while (!r && batch->placed < batch->count)
                r = place_some(batch, refusal);
        if (!r)
                return 0;
        if (r > 0)
                say_which(batch, refusal);
        while (batch->placed)
                state_unplace(batch->state, batch->buffers[--batch->placed], batch->now_ns);
        batch->state->last_buffer = last_buffer;
        return r;
}

static int decide(struct batch *batch, const struct request *request, struct refusal *refusal)
{
        uint64_t denied;
        int r;

        r = demand_init(batch->state, request, &batch->one, refusal);
        if (r)
                return r;
        batch->pools =
                choice_pools(batch->state, batch->client, &batch->one, request->pool, &denied);
        r = state_check_request(batch->state, batch->client, request, batch->pools, denied,
                                refusal);
        return r ? r : check_shape(batch, refusal);
}

int state_alloc_batch(struct state *state, struct client *client, const struct request *request,
                      size_t count, uint64_t now_ns, struct buffer **ret,
                      struct refusal *ret_refusal)
{
        struct batch batch = {
                .state = state,
                .client = client,
                .now_ns = now_ns,
                .count = count,
                .buffers = ret,
        };
        int r;

        assert(count && count <= BATCH_BUFFERS_MAX && !request->share.wanted);

        state->now_ns = now_ns;
        r = decide(&batch, request, ret_refusal);
        if (!r)
                r = place_all(&batch, ret_refusal);
        if (r > 0)
                state_count_refusal(state, r);
        for (size_t i = 0; i < batch.placed; i++)
                state_announce(state, client, ret[i]);
        state_changed(state, now_ns);
        return r;
}
