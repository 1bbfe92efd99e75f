/* SPDX-License-Identifier: MIT */
/*
 * Draining. There may be many frames in a window, so they are seen to in steps; the window itself
 * is in force at once: what arrives in it, or becomes free, goes. A granted frame is closed: its
 * owner gets nothing more from it, and it leaves with its last buffer. The end of a drain does not
 * undo that; the frame comes back then.
 */
#include "drain.h"

#include "refusal.h"
#include "state_private.h"

#include <inttypes.h>
#include <string.h>
#include <syslog.h>

bool pool_drains(const struct pool *pool, struct range frame)
{
        for (size_t i = 0; i < pool->drain.n_windows; i++)
                if (range_overlaps(pool->drain.windows[i], frame))
                        return true;
        return false;
}

uint64_t pool_draining_bytes(const struct pool *pool)
{
        uint64_t bytes = 0;

        for (size_t i = 0; i < pool->drain.n_windows; i++)
                bytes += node_spaces_bytes_in(&pool->all, pool->drain.windows[i]);
        return bytes;
}

/* ---- sets of windows ------------------------------------------------------------------------ */

/* The lowest drained window that reaches to @from or above; NULL: none does. */
static const struct range *next_window(const struct drain *drain, uint64_t from)
{
        const struct range *next = NULL;

        for (size_t i = 0; i < drain->n_windows; i++) {
                const struct range *window = &drain->windows[i];

                if (window->last >= from && (!next || window->first < next->first))
                        next = window;
        }
        return next;
}

/* The longest first. */
static void add_gap(struct range gap, uint64_t min_bytes, struct range *gaps, size_t *n)
{
        size_t at = *n;

        if (gap.last - gap.first < min_bytes - 1)
                return;
        while (at > 0 && gap.last - gap.first > gaps[at - 1].last - gaps[at - 1].first) {
                gaps[at] = gaps[at - 1];
                at--;
        }
        gaps[at] = gap;
        ++*n;
}

size_t pool_gaps(const struct pool *pool, struct range window, uint64_t min_bytes,
                 struct range *ret)
{
        uint64_t from = window.first;
        const struct range *drained;
        size_t n = 0;

        assert(min_bytes > 0);

        while ((drained = next_window(&pool->drain, from)) && drained->first <= window.last) {
                if (drained->first > from)
                        add_gap((struct range){ from, drained->first - 1 }, min_bytes, ret, &n);
                if (drained->last >= window.last)
                        return n;
                from = drained->last + 1;
        }
        add_gap((struct range){ from, window.last }, min_bytes, ret, &n);
        return n;
}

static bool touches(struct range a, struct range b)
{
        a.first -= a.first > 0;
        a.last += a.last < UINT64_MAX;
        return range_overlaps(a, b);
}

/* Return: whether there was room; nothing changed otherwise. */
static bool windows_add(struct drain *drain, struct range window)
{
        struct drain merged = { .n_windows = 0 };

        for (size_t i = 0; i < drain->n_windows; i++) {
                struct range there = drain->windows[i];

                if (!touches(there, window)) {
                        merged.windows[merged.n_windows++] = there;
                        continue;
                }
                /* Those before touch neither of the two, so they do not touch both together. */
                window.first = there.first < window.first ? there.first : window.first;
                window.last = there.last > window.last ? there.last : window.last;
        }
        if (merged.n_windows == DRAIN_WINDOWS_MAX)
                return false;
        merged.windows[merged.n_windows++] = window;
        memcpy(drain->windows, merged.windows, sizeof(drain->windows));
        drain->n_windows = merged.n_windows;
        return true;
}

/* Return: whether there was room; nothing changed otherwise. */
static bool windows_remove(struct drain *drain, struct range window)
{
        struct range rest[2 * DRAIN_WINDOWS_MAX] = { { 0, 0 } };
        size_t n = 0;

        for (size_t i = 0; i < drain->n_windows; i++) {
                struct range there = drain->windows[i];

                if (!range_overlaps(there, window)) {
                        rest[n++] = there;
                        continue;
                }
                if (there.first < window.first)
                        rest[n++] = (struct range){ there.first, window.first - 1 };
                if (there.last > window.last)
                        rest[n++] = (struct range){ window.last + 1, there.last };
        }
        if (n > DRAIN_WINDOWS_MAX)
                return false;
        memcpy(drain->windows, rest, n * sizeof(rest[0]));
        drain->n_windows = n;
        return true;
}

/* ---- the frames ----------------------------------------------------------------------------- */

void state_tell_draining(struct state *state, struct buffer *buffer, bool again)
{
        uint64_t first = UINT64_MAX, last = 0, offset = 0;

        for (size_t i = 0; i < buffer->n_pieces; i++) {
                struct buffer_piece *piece = &buffer->pieces[i];

                if ((again || !piece->told_draining) &&
                    pool_drains(piece->frame->pool, frame_range(piece->frame))) {
                        piece->told_draining = true;
                        first = offset < first ? offset : first;
                        last = offset + piece->length_bytes;
                }
                offset += piece->length_bytes;
        }
        if (first < last)
                buffer_tell(state, buffer, EVENT_DRAINING, first, last - first);
}

static void drain_frame(struct state *state, struct frame *frame)
{
        const struct buffer_piece *piece;

        switch (frame->state) {
        case FRAME_FREE: state_frame_give_back(state, frame); return;
        case FRAME_REUSABLE: state_frame_leave(state, frame); return;
        case FRAME_GRANTED:
        case FRAME_QUARANTINED:
                if (frame->n_pieces && !frame->closed)
                        state_frame_close(state, frame);
                for (piece = frame_piece_from(frame, 0); piece; piece = frame_piece_next(piece))
                        if (!piece->told_draining)
                                state_tell_draining(state, piece->buffer, false);
                return;
        case FRAME_LEAVING:
        case FRAME_LINGERING: state_frame_stay_away(state, frame); return;
        case FRAME_RETIRED:
        case FRAME_STATES: return;
        }
}

void state_drain_walk(struct state *state, struct pool *pool, uint64_t now_ns, unsigned *steps)
{
        struct drain *drain = &pool->drain;
        struct frame *frame = state_frame_from(state, drain->next), *next;

        due_cancel(&state->dues, &drain->walk);
        for (; frame && frame->phys <= drain->last; frame = next) {
                if (!*steps) {
                        drain->next = frame->phys;
                        due_set(&state->dues, &drain->walk, now_ns);
                        return;
                }
                --*steps;
                next = state_frame_next(state, frame);
                if (frame->pool == pool && pool_drains(pool, frame_range(frame)))
                        drain_frame(state, frame);
        }
}

/* Have a window seen to, beside what has not been yet. */
static void walk_begin(struct state *state, struct pool *pool, struct range window, uint64_t now_ns)
{
        struct drain *drain = &pool->drain;
        unsigned steps = TICK_STEPS_MAX;

        if (!due_is_set(&drain->walk) || window.first < drain->next)
                drain->next = window.first;
        if (!due_is_set(&drain->walk) || window.last > drain->last)
                drain->last = window.last;
        state_drain_walk(state, pool, now_ns, &steps);
}

/* ---- administration ------------------------------------------------------------------------- */

static int refuse_many(const struct pool *pool, struct refusal *refusal)
{
        return refusal_set(refusal, PAR_REFUSED_QUOTA,
                           "pool %.64s has no room for another window to drain: %u it may have",
                           pool->settings->name, (unsigned)DRAIN_WINDOWS_MAX);
}

int state_drain(struct state *state, struct client *asker, const char *pool_name,
                struct range window, bool drain, uint64_t now_ns, uint64_t *ret_bytes,
                struct refusal *refusal)
{
        struct pool *pool;
        int r;

        r = state_admin_pool(state, asker, pool_name, &pool, refusal);
        if (r)
                return r;
        if (window.first > window.last || !range_intersect(pool->settings->window, window, &window))
                return refusal_set(refusal, PAR_REFUSED_INVALID,
                                   "pool %.64s has no addresses between 0x%" PRIx64
                                   " and 0x%" PRIx64,
                                   pool->settings->name, window.first, window.last);
        window.first = align_down(window.first, pool->settings->page_bytes);
        window.last |= pool->settings->page_bytes - 1;
        if (!(drain ? windows_add : windows_remove)(&pool->drain, window))
                return refuse_many(pool, refusal);

        state_log(state, LOG_NOTICE, &(struct log_fields){ .pool = pool->settings->name },
                  "pool %s: %s 0x%" PRIx64 " to 0x%" PRIx64, pool->settings->name,
                  drain ? "draining" : "no longer draining", window.first, window.last);
        if (drain)
                walk_begin(state, pool, window, now_ns);
        else
                state_grow_anew(state, pool);
        *ret_bytes = drain ? node_spaces_bytes_in(&pool->all, window) : 0;
        state_changed(state, now_ns);
        return 0;
}
