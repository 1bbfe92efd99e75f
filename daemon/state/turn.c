/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; marks pools and waiters. Invariant: a pool is held up by one waiter at most, and
 * for TURN_HOLD_NS at most before it is open for TURN_OPEN_NS, whoever held it up in that time; a
 * waiter holds up pools for TURN_HOLD_NS at most before it rests, and all waiters of a uid together
 * half of the time (waiting_uid.h).
 */
#include "turn.h"

#include "macros.h"
#include "state_private.h"
#include "tell.h"

#define TURN_YOUNG_NS    (100 * NS_PER_MS)
#define TURN_HOLD_NS     (10 * NS_PER_S)
#define TURN_OPEN_NS     NS_PER_S
#define TURN_REST_MAX_NS (600 * NS_PER_S)

static uint64_t bit_of(const struct pool *pool)
{
        return UINT64_C(1) << pool->index;
}

void turn_begin(struct state *state, struct waiter *waiter, uint64_t now_ns)
{
        waiter->rest_ns = TURN_HOLD_NS;
        due_set(&state->dues, &waiter->turn, now_ns + TURN_YOUNG_NS);
}

/* What was kept for a waiter in these pools, which it holds up, is there for the next. */
static void let_go(struct state *state, struct waiter *waiter, uint64_t pools)
{
        state->turns_changed |= pools != 0;
        state->came |= pools;
        state->held_up &= ~pools;
        waiter->holds &= ~pools;
        waiter->began = waiter->holds;
}

void turn_end(struct state *state, struct waiter *waiter)
{
        due_cancel(&state->dues, &waiter->turn);
        if (waiter->ripe)
                let_go(state, waiter, waiter->holds);
}

/* Open to all for a moment. */
static void open_pool(struct state *state, struct pool *pool, uint64_t now_ns)
{
        state->held_up &= ~bit_of(pool);
        state->open |= bit_of(pool);
        due_set(&state->dues, &pool->turn, now_ns + TURN_OPEN_NS);
        state->turns_changed = true;
        state_came(state, pool);
}

/* The waiter has had its time: to the end of the line. */
static void turn_over(struct state *state, struct waiter *waiter, uint64_t now_ns)
{
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (waiter->holds >> i & 1)
                        open_pool(state, &state->pools[i], now_ns);
        let_go(state, waiter, waiter->holds);
        waiter->ripe = false;
        waiter_to_the_end(state, waiter);
        due_set(&state->dues, &waiter->turn, now_ns + waiter->rest_ns);
        if (waiter->rest_ns < TURN_REST_MAX_NS)
                waiter->rest_ns *= 2;
}

void turn_due(struct state *state, struct waiter *waiter, uint64_t now_ns)
{
        due_cancel(&state->dues, &waiter->turn);
        if (waiter->ripe) {
                turn_over(state, waiter, now_ns);
        } else {
                waiter->ripe = true;
                state->turns_changed = true;
        }
}

void turn_pool_due(struct state *state, struct pool *pool, uint64_t now_ns)
{
        struct waiter *waiter;

        due_cancel(&state->dues, &pool->turn);
        if (state->open & bit_of(pool)) {
                state->open &= ~bit_of(pool);
                state->turns_changed = true;
                return;
        }
        TAILQ_FOREACH (waiter, &state->waiters, link)
                waiter->holds &= ~bit_of(pool);
        open_pool(state, pool, now_ns);
}

/* The waiter's time runs from the first pool that it holds up; a pool's as long as somebody does.
 */
static void hold(struct state *state, struct waiter *waiter, uint64_t pools, uint64_t now_ns)
{
        if (!waiter->began)
                due_set(&state->dues, &waiter->turn, now_ns + TURN_HOLD_NS);
        waiter->began = true;
        waiter->holds |= pools;
        state->held_up |= pools;
        waiting_uid_holds(state, waiter->of_uid, pools, now_ns);
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                struct pool *pool = &state->pools[i];

                if (!(pools >> i & 1))
                        continue;
                pool->held_window = waiter->window;
                pool->held_window.first =
                        align_down(waiter->window.first, pool->settings->page_bytes);
                pool->held_window.last |= pool->settings->page_bytes - 1;
                if (!due_is_set(&pool->turn))
                        due_set(&state->dues, &pool->turn, now_ns + TURN_HOLD_NS);
        }
}

/* Pools for which somebody waits and that nobody holds up, while they are not open to all. */
static uint64_t pools_to_hold(const struct state *state)
{
        uint64_t pools = 0;

        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (state->pools[i].waiting)
                        pools |= bit_of(&state->pools[i]);
        return pools & ~state->held_up & ~state->open;
}

void turns_settle(struct state *state, uint64_t now_ns)
{
        struct waiter *waiter;
        uint64_t pools, of_it;

        if (!state->turns_changed)
                return;
        state->turns_changed = false;
        pools = pools_to_hold(state);
        TAILQ_FOREACH (waiter, &state->waiters, link) {
                if (!pools)
                        break;
                of_it = waiter->reach & pools & ~waiter->barred & ~waiter->of_uid->had;
                if (waiter->ripe && of_it) {
                        hold(state, waiter, of_it, now_ns);
                        if (!waiter->for_growth)
                                tell_wanted(state, waiter, now_ns);
                }
                pools &= ~state->held_up;
        }
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                struct pool *pool = &state->pools[i];

                /* It was held up until now: whoever gave up may come again at once. */
                if (!((state->held_up | state->open) & bit_of(pool)) && due_is_set(&pool->turn))
                        open_pool(state, pool, now_ns);
        }
}

void turn_bar(struct state *state, struct waiter *waiter, uint64_t pools)
{
        state->turns_changed |= pools != waiter->barred;
        waiter->barred = pools;
        if (waiter->holds & pools)
                let_go(state, waiter, waiter->holds & pools);
}

uint64_t turns_against(const struct state *state, const struct waiter *waiter, uint64_t pools)
{
        return pools & state->held_up & ~(waiter ? waiter->holds : 0);
}
