/* SPDX-License-Identifier: MIT */
/*
 * Memory in the order of its addresses, frames that are alike put together. Reads, changes nothing.
 */
#include "report.h"
#include "state_private.h"

static uint64_t free_bytes(const struct frame *frame)
{
        if (frame->state == FRAME_FREE)
                return frame->pool->settings->page_bytes;
        if (frame->state != FRAME_GRANTED || !frame->divided)
                return 0;
        return space_bytes_in(frame->account->partial.of[frame->node], frame_range(frame));
}

static bool goes_on(const struct extent_report *extent, const struct frame *frame)
{
        return extent->range.last + 1 == frame->phys &&
               extent->pool == frame->pool->settings->name &&
               extent->state == frame_state_name(frame->state) &&
               extent->draining == pool_drains(frame->pool, frame_range(frame));
}

bool state_next_extent(const struct state *state, const struct client *asker, struct range window,
                       const char *pool, uint64_t *cursor, unsigned *steps,
                       struct extent_report *ret)
{
        struct frame *frame = report_frame_at(state, asker, window, *cursor, steps);
        bool any = false;

        for (; frame && frame->phys <= window.last;
             frame = report_frame_next(state, asker, frame, steps)) {
                bool wanted = report_wants_pool(frame->pool, pool) &&
                              range_overlaps(frame_range(frame), window);

                if (!*steps || (any && (!wanted || !goes_on(ret, frame))))
                        return any;
                --*steps;
                report_pass(cursor, frame);
                if (!wanted)
                        continue;
                if (any) {
                        ret->range.last = frame_range(frame).last;
                        ret->free_bytes += free_bytes(frame);
                        continue;
                }
                any = true;
                *ret = (struct extent_report){
                        .range = frame_range(frame),
                        .pool = frame->pool->settings->name,
                        .state = frame_state_name(frame->state),
                        .draining = pool_drains(frame->pool, frame_range(frame)),
                        .page_bytes = frame->pool->settings->page_bytes,
                        .free_bytes = free_bytes(frame),
                };
        }
        return any;
}
