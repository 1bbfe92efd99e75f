/* SPDX-License-Identifier: MIT */
/*
 * What would come of a request, and who is in the way. Takes nothing.
 */
#include "choice.h"
#include "macros.h"
#include "refusal.h"
#include "report.h"
#include "state_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frames and pieces that are looked at for blockers: an answer for people need not walk a terabyte,
 * and must not hold up everybody else. */
#define BLOCKER_STEPS_MAX 16384

DEFINE_CLEANUP(struct buffer, buffer_free)

/* The choice as a buffer would show it. */
static int explain_grant(const struct demand *demand, const struct choice *choice,
                         struct explanation *ret)
{
        _cleanup_(buffer_freep) struct buffer *buffer = NULL;
        struct segment_cursor cursor = { 0 };
        char what[192];
        int r;

        r = buffer_new(choice->places, choice->n_places, choice->pool->settings->page_bytes,
                       &demand->want, &buffer);
        if (r)
                return r;
        while (ret->n_segments < ARRAY_SIZE(ret->segments) &&
               buffer_next_segment(buffer, &cursor, &ret->segments[ret->n_segments]))
                ret->n_segments++;
        ret->pool = choice->pool->settings->name;
        demand_words(demand, what, sizeof(what));
        snprintf(ret->refusal.sentence, sizeof(ret->refusal.sentence),
                 "%s: would be granted from pool %s at 0x%llx, in %llu segment%s", what, ret->pool,
                 (unsigned long long)buffer->runs[0].first,
                 (unsigned long long)buffer->segment_count, buffer->segment_count == 1 ? "" : "s");
        return 0;
}

static bool already_listed(const struct explanation *ret, uint64_t buffer)
{
        for (size_t i = 0; i < ret->n_blockers; i++)
                if (ret->blockers[i].buffer == buffer)
                        return true;
        return false;
}

/* Keep the largest, in order. */
static void consider(const struct client *asker, const struct buffer *buffer,
                     struct explanation *ret)
{
        size_t at = ret->n_blockers;

        if (already_listed(ret, buffer->id))
                return;
        while (at > 0 && ret->blockers[at - 1].size_bytes < buffer->size_bytes)
                at--;
        if (at == REPORT_BLOCKERS_MAX)
                return;
        if (ret->n_blockers < REPORT_BLOCKERS_MAX)
                ret->n_blockers++;
        memmove(&ret->blockers[at + 1], &ret->blockers[at],
                (ret->n_blockers - at - 1) * sizeof(ret->blockers[0]));
        ret->blockers[at] = (struct blocker){
                .buffer = buffer->id,
                .size_bytes = buffer->size_bytes,
                .needs_below = buffer->needs_below,
        };
        report_holding(buffer->holding, asker, &ret->blockers[at].holder);
}

/* Return: whether there may be more to look at. */
static bool find_in_frame(const struct frame *frame, const struct client *asker,
                          struct range window, unsigned *steps, struct explanation *ret)
{
        const struct buffer_piece *piece;

        for (piece = frame_piece_from(frame, window.first); piece && piece->phys <= window.last;
             piece = frame_piece_next(piece)) {
                if (!*steps)
                        return false;
                --*steps;
                consider(asker, piece->buffer, ret);
        }
        return true;
}

static void find_blockers(const struct state *state, const struct client *asker,
                          const struct demand *demand, uint64_t pools, struct explanation *ret)
{
        struct range window = demand->want.window;
        unsigned steps = BLOCKER_STEPS_MAX;
        struct frame *frame;

        for (frame = state_frame_in(state, window); frame && steps && frame->phys <= window.last;
             frame = state_frame_next(state, frame)) {
                steps--;
                if (pools >> frame->pool->index & 1 &&
                    !find_in_frame(frame, asker, window, &steps, ret))
                        return;
        }
}

int state_explain(struct state *state, struct client *client, const struct request *request,
                  uint64_t now_ns, struct explanation *ret)
{
        _cleanup_(choice_deinit) struct choice choice = { 0 };
        struct demand demand;
        uint64_t pools = 0;
        int r;

        (void)now_ns;
        *ret = (struct explanation){ .largest = { 1, 0 } };
        r = state_decide(state, client, request, &demand, &pools, &choice, &ret->refusal);
        if (r < 0)
                return r;
        ret->result = r;
        if (pools)
                report_longer(state, client, &demand, pools, ret);
        if (!r) {
                refusal_figures(state, client, &demand, pools, &ret->refusal);
                return explain_grant(&demand, &choice, ret);
        }
        if (pools)
                find_blockers(state, client, &demand, pools, ret);
        return 0;
}
