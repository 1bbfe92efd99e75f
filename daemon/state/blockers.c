/* SPDX-License-Identifier: MIT */
/*
 * Who is in the way of a request: the largest buffers in its window. Reads, changes nothing.
 *
 * Looks at the pieces in the window one by one, but not at all of them: an answer for people need
 * not walk a terabyte, and must not hold up everybody else. Where there are more, it looks at the
 * buffers of the pools from the largest down as well, and at no more of those. Where a quota is in
 * the way, it looks at those alone, and lists what counts for that quota.
 */
#include "quota.h"
#include "report.h"
#include "state_private.h"

#include <string.h>

/* Frames and pieces in the window; runs of buffers from the largest down. */
#define STEPS_MAX 1024

/**
 * struct hunt - for blockers
 * @pools: where
 * @steps: that may still be made
 * @quota: what is looked for counts for it; NULL: it lies in the window
 * @ret:   what was found so far
 */
struct hunt {
        const struct client *asker;
        struct range window;
        uint64_t pools;
        unsigned steps;
        const struct quota_excess *quota;
        struct explanation *ret;
};

static bool already_listed(const struct explanation *ret, uint64_t buffer)
{
        for (size_t i = 0; i < ret->n_blockers; i++)
                if (ret->blockers[i].buffer == buffer)
                        return true;
        return false;
}

/* Keep the largest, in order. */
static void consider(const struct hunt *hunt, const struct buffer *buffer)
{
        struct explanation *ret = hunt->ret;
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
        report_holding(buffer->holding, hunt->asker, &ret->blockers[at].holder);
}

/* Return: whether there may be more to look at. */
static bool look_in_frame(struct hunt *hunt, const struct frame *frame)
{
        const struct buffer_piece *piece;

        for (piece = frame_piece_from(frame, hunt->window.first);
             piece && piece->phys <= hunt->window.last; piece = frame_piece_next(piece)) {
                if (!hunt->steps)
                        return false;
                hunt->steps--;
                consider(hunt, piece->buffer);
        }
        return true;
}

/* From the beginning of the window. Return: whether that was all of it. */
static bool look_by_address(struct hunt *hunt, const struct state *state)
{
        const struct frame *frame;

        for (frame = state_frame_in(state, hunt->window); frame && frame->phys <= hunt->window.last;
             frame = state_frame_next(state, frame)) {
                if (!hunt->steps)
                        return false;
                hunt->steps--;
                if (hunt->pools >> frame->pool->index & 1 && !look_in_frame(hunt, frame))
                        return false;
        }
        return true;
}

static bool reaches(struct hunt *hunt, const struct buffer *buffer)
{
        for (size_t i = 0; i < buffer->n_runs && hunt->steps; i++, hunt->steps--)
                if (range_overlaps(buffer->runs[i], hunt->window))
                        return true;
        return false;
}

static void look_by_class(struct hunt *hunt, const struct state *state, unsigned size_class)
{
        const struct buffer *buffer;

        for (size_t i = 0; i < state->settings->n_pools; i++) {
                if (!(hunt->pools >> i & 1))
                        continue;
                LIST_FOREACH (buffer, &state->pools[i].by_size[size_class], by_size) {
                        if (!hunt->steps)
                                return;
                        hunt->steps--;
                        if (hunt->quota ? quota_counts(hunt->quota, hunt->asker,
                                                       buffer->holding->account)
                                        : reaches(hunt, buffer))
                                consider(hunt, buffer);
                }
        }
}

/* Whether a buffer of this class or of those below could be one of the largest. */
static bool may_be_listed(const struct explanation *ret, unsigned size_class)
{
        return ret->n_blockers < REPORT_BLOCKERS_MAX ||
               ret->blockers[REPORT_BLOCKERS_MAX - 1].size_bytes >> size_class <= 1;
}

static void look_by_size(struct hunt *hunt, const struct state *state)
{
        for (unsigned size_class = BUFFER_CLASSES; size_class-- > 0;)
                if (hunt->steps && may_be_listed(hunt->ret, size_class))
                        look_by_class(hunt, state, size_class);
}

void report_blockers(const struct state *state, const struct client *asker,
                     const struct demand *demand, uint64_t pools, struct explanation *ret)
{
        struct hunt hunt = {
                .asker = asker,
                .window = demand->want.window,
                .pools = pools,
                .steps = STEPS_MAX,
                .ret = ret,
        };

        if (look_by_address(&hunt, state))
                return;
        hunt.steps = STEPS_MAX;
        look_by_size(&hunt, state);
}

void report_quota_blockers(const struct state *state, const struct client *asker,
                           const struct quota_excess *excess, struct explanation *ret)
{
        struct hunt hunt = {
                .asker = asker,
                .pools = UINT64_C(1) << excess->pool->index,
                .steps = STEPS_MAX,
                .quota = excess,
                .ret = ret,
        };

        look_by_size(&hunt, state);
}
