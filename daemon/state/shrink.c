/* SPDX-License-Identifier: MIT */
/*
 * Giving back what a pool has not needed for a while: the least that was free beyond its target
 * since the time began. The shortest runs go first, so that the long ones stay. The search looks at
 * a few runs only and goes on where it was: a good choice soon is worth more than the best.
 */
#include "state_private.h"

#define SHRINK_FRAMES_MAX 64 /* in one turn */
#define SHRINK_LOOKS_MAX  64 /* runs of a node that are compared */
#define SHRINK_TRIES_MAX  4  /* times that nothing was found among them */

/* A part of the time begins, with so much that is not needed. */
static void part_begin(struct state *state, struct pool *pool, uint64_t surplus, uint64_t now_ns)
{
        for (unsigned i = POOL_SHRINK_PARTS - 1; i > 0; i--)
                pool->idle_bytes[i] = pool->idle_bytes[i - 1];
        pool->idle_bytes[0] = surplus;
        if (pool->n_idle < POOL_SHRINK_PARTS)
                pool->n_idle++;
        due_set(&state->dues, &pool->shrink,
                now_ns + pool->settings->shrink_delay_ns / POOL_SHRINK_PARTS);
}

/* What was not needed in all of it. */
static uint64_t least_idle(const struct pool *pool)
{
        uint64_t least = pool->n_idle == POOL_SHRINK_PARTS ? UINT64_MAX : 0;

        for (unsigned i = 0; i < POOL_SHRINK_PARTS; i++)
                if (pool->idle_bytes[i] < least)
                        least = pool->idle_bytes[i];
        return least;
}

void state_shrink_settle(struct state *state, struct pool *pool, uint64_t now_ns)
{
        uint64_t surplus = pool_surplus_bytes(pool);

        if (!surplus) {
                due_cancel(&state->dues, &pool->shrink);
                pool->n_idle = 0;
                pool->shrink_bytes = 0;
        } else if (!due_is_set(&pool->shrink)) {
                if (pool->bytes.free)
                        part_begin(state, pool, surplus, now_ns);
        } else if (surplus < pool->idle_bytes[0]) {
                pool->idle_bytes[0] = surplus;
        }
}

void state_shrink_now(struct state *state, struct pool *pool, uint64_t bytes, uint64_t now_ns)
{
        pool->n_idle = 0;
        pool->shrink_bytes = bytes;
        due_cancel(&state->dues, &pool->shrink);
        if (bytes)
                due_set(&state->dues, &pool->shrink, now_ns);
}

/**
 * shortest_run() - the shortest run of a space that has some of another in it
 * @from:  where to look from, downwards; on return where to go on
 * @looks: how many may still be looked at
 */
static bool shortest_run(const struct space *space, const struct space *inside, uint64_t *from,
                         unsigned *looks, struct range *ret)
{
        struct range run;
        bool found = false;

        while (*looks && space_prev(space, *from, &run)) {
                --*looks;
                if (run.last == *from)
                        space_next(space, run.first, &run); /* whole again */
                if (space_bytes_in(inside, run) &&
                    (!found || run.last - run.first < ret->last - ret->first)) {
                        *ret = run;
                        found = true;
                }
                if (!run.first) {
                        *from = UINT64_MAX;
                        return found;
                }
                *from = run.first - 1;
        }
        if (*looks)
                *from = UINT64_MAX; /* seen to the end */
        return found;
}

/* A piece of free memory that can be missed most; false where none was found this time. */
static bool find_piece(struct pool *pool, struct range *ret)
{
        struct range best = { 0, UINT64_MAX }, run;
        const struct space *free = NULL;
        uint64_t from = pool->shrink_from, next = UINT64_MAX, top;
        unsigned looks;

        for (unsigned i = 0; i < pool->free.count; i++) {
                uint64_t at = from;

                looks = SHRINK_LOOKS_MAX;
                if (!pool->free.of[i] || !space_bytes(pool->free.of[i]))
                        continue;
                if (shortest_run(pool->all.of[i], pool->free.of[i], &at, &looks, &run) &&
                    run.last - run.first <= best.last - best.first) {
                        best = run;
                        free = pool->free.of[i];
                }
                if (at != UINT64_MAX && (next == UINT64_MAX || at > next))
                        next = at;
        }
        pool->shrink_from = next;
        if (!free)
                return false;
        top = best.last;
        looks = SHRINK_LOOKS_MAX;
        while (looks && space_prev(free, top, &run) && run.last >= best.first) {
                looks--;
                if (run.first < best.first)
                        run.first = best.first;
                if (top == best.last || run.last - run.first < ret->last - ret->first)
                        *ret = run;
                if (run.first == best.first)
                        break;
                top = run.first - 1;
        }
        return true;
}

/* Give back up to so many bytes of a free piece, from its top. Return: how many. */
static uint64_t give_back(struct state *state, struct pool *pool, struct range piece,
                          uint64_t bytes, unsigned *frames)
{
        uint64_t page_bytes = pool->settings->page_bytes, given = 0;
        uint64_t at = piece.last - (page_bytes - 1);

        while (given < bytes && *frames && at >= piece.first) {
                struct frame *frame = state_frame_at(state, at);

                assert(frame && frame->state == FRAME_FREE);
                frame->unwanted = true;
                state_frame_give_back(state, frame);
                given += page_bytes;
                --*frames;
                if (at < page_bytes)
                        break;
                at -= page_bytes;
        }
        return given;
}

void state_shrink_due(struct state *state, struct pool *pool, uint64_t now_ns)
{
        uint64_t surplus = pool_surplus_bytes(pool), left;
        unsigned frames = SHRINK_FRAMES_MAX, tries = SHRINK_TRIES_MAX;
        struct range piece = { 0 }; /* gcc does not see that find_piece() sets it */

        if (!pool->shrink_bytes) {
                pool->shrink_bytes = least_idle(pool);
                for (unsigned i = 0; i < pool->n_idle; i++)
                        pool->idle_bytes[i] -= pool->shrink_bytes;
        }
        left = pool->shrink_bytes < surplus ? pool->shrink_bytes : surplus;
        left = left < pool->bytes.free ? left : pool->bytes.free;
        while (left && frames && tries) {
                if (find_piece(pool, &piece))
                        left -= give_back(state, pool, piece, left, &frames);
                else
                        tries--;
        }
        pool->shrink_bytes = left;
        due_cancel(&state->dues, &pool->shrink);
        if (left)
                due_set(&state->dues, &pool->shrink, now_ns);
        else if (pool_surplus_bytes(pool) && pool->bytes.free)
                part_begin(state, pool, pool_surplus_bytes(pool), now_ns);
}
