/* SPDX-License-Identifier: MIT */
/*
 * Owns the notes of what could not be had. While there are GROW_FAILURES_MAX of them nothing is
 * asked for on demand, so that nobody can keep the keeper busy with wishes that cannot be met; nor
 * by wishing for something else each time, since what comes in the place of a note waits as long as
 * that would have. Harvests cost the system much even where they find something: a pool that had
 * HARVESTS_MAX of them in a short time has one every HARVEST_EVERY_NS.
 * Refuses to guess where the system has its memory: it asks, and looks at what came.
 */
#include "grow.h"

#include "demand.h"
#include "macros.h"
#include "placement.h"
#include "quota.h"
#include "state_private.h"

#define GROW_DELAY_FIRST_NS   NS_PER_S
#define GROW_DELAY_MAX_NS     (60 * NS_PER_S)
#define GROW_DELAY_HARVEST_NS (600 * NS_PER_S)
#define GROW_FORGET_NS        (600 * NS_PER_S) /* after that a delay begins anew */

#define HARVESTS_MAX     8
#define HARVEST_EVERY_NS (75 * NS_PER_S)

/* ---- what to ask for ------------------------------------------------------------------------ */

static uint64_t up_to(uint64_t bytes, uint64_t unit)
{
        uint64_t sum;

        return align_up(bytes, unit, &sum) ? sum : UINT64_MAX - (unit - 1);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
        uint64_t sum;

        return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static bool whole_frames(struct range window, uint64_t page_bytes, struct range *ret)
{
        if (!align_up(window.first, page_bytes, &ret->first))
                return false;
        ret->last = window.last;
        if ((window.last & (page_bytes - 1)) != page_bytes - 1) {
                if (window.last < page_bytes)
                        return false;
                ret->last = align_down(window.last, page_bytes) - 1;
        }
        return ret->first <= ret->last;
}

/* Where frames may lie: wholly inside the demand's window, or, where that has no room for
 * @bytes, reaching into it. */
static bool frames_window(const struct pool *pool, struct range want, uint64_t bytes,
                          struct range *ret)
{
        uint64_t page_bytes = pool->settings->page_bytes;
        struct range all, inner;

        if (!whole_frames(pool->settings->window, page_bytes, &all) ||
            !range_intersect(all, want, ret))
                return false;
        if (whole_frames(*ret, page_bytes, &inner) && inner.last - inner.first >= bytes - 1) {
                *ret = inner;
                return true;
        }
        ret->first = align_down(ret->first, page_bytes);
        ret->last |= page_bytes - 1;
        return true;
}

/* Adjacent memory that is sure to have a place for the demand; with @slack wherever it begins. */
static uint64_t run_needed(const struct constraint *want, uint64_t page_bytes, bool slack)
{
        uint64_t bytes = up_to(want->size_bytes, page_bytes), run = bytes;

        if (want->max_segments == SEGMENTS_ANY)
                return page_bytes;
        if (want->max_segments > 1)
                return up_to(want->size_bytes / want->max_segments +
                                     (want->size_bytes % want->max_segments != 0),
                             page_bytes);
        if (slack && want->align_bytes > page_bytes)
                run = plus(run, want->align_bytes - page_bytes);
        if (slack && want->boundary_bytes > page_bytes)
                run = plus(run, bytes - page_bytes);
        return run;
}

static uint64_t free_bytes(const struct pool *pool, const struct demand *demand)
{
        struct space_list list = { .count = 0 };

        space_list_add(&list, &pool->free, demand->nodes);
        return placement_free_bytes(list.of, list.count, demand->want.window);
}

/* How much more memory the demand needs; 0: more than the pool may hold. */
static uint64_t bytes_needed(const struct pool *pool, const struct client *client,
                             const struct demand *demand, uint64_t run)
{
        uint64_t page_bytes = pool->settings->page_bytes, room = pool_room_bytes(pool);
        uint64_t size = up_to(demand->want.size_bytes, page_bytes);
        uint64_t there = free_bytes(pool, demand), left = claims_left_bytes(client, pool);
        uint64_t needed = run;

        /* What others have claimed stays free. */
        if (size > left && size - left > needed)
                needed = size - left;
        there = there < left ? there : left;

        if (demand->want.max_segments > 1 && size > there && size - there > needed)
                needed = size - there;
        needed = pool_in_runs(pool, needed);
        if (needed <= room)
                return needed;
        /* With what is free already it may do. */
        return room && plus(there, room) >= size && plus(there, room) >= run ? room : 0;
}

static bool on_nodes(const struct pool *pool, uint64_t nodes)
{
        int node = pool->settings->node;

        return !nodes || node < 0 || (node < NODES_MAX && nodes >> node & 1);
}

/* What no memory could change. */
static bool is_in_reach(const struct pool *pool, const struct demand *demand)
{
        struct constraint inside = demand->want;
        enum limit limit;

        return inside.size_bytes <= pool->settings->size_max_bytes &&
               on_nodes(pool, demand->nodes) &&
               range_intersect(pool->settings->window, inside.window, &inside.window) &&
               !constraint_check(&inside, &limit);
}

bool grow_could_ever(const struct pool *pool, const struct demand *demand, uint64_t there_bytes)
{
        uint64_t max = pool->settings->size_max_bytes, all = node_spaces_bytes(&pool->all);
        struct range window;

        return max > all && is_in_reach(pool, demand) &&
               plus(there_bytes, max - all) >= demand->want.size_bytes &&
               frames_window(pool, demand->want.window, demand->want.size_bytes, &window);
}

/* Return: whether frames could meet the demand. */
static bool make_wish(const struct pool *pool, const struct client *client,
                      const struct demand *demand, bool slack, struct take_wish *ret)
{
        uint64_t page_bytes = pool->settings->page_bytes, run, bytes;
        struct range window, gaps[DRAIN_WINDOWS_MAX + 1];
        size_t n_gaps;

        if (!is_in_reach(pool, demand))
                return false;
        run = run_needed(&demand->want, page_bytes, slack);
        bytes = bytes_needed(pool, client, demand, run);
        if (!bytes || !frames_window(pool, demand->want.window, run, &window))
                return false;
        n_gaps = pool_gaps(pool, window, run, gaps);
        if (!n_gaps)
                return false;
        if (run <= page_bytes)
                run = 0;
        bytes /= page_bytes;
        *ret = (struct take_wish){
                .pool = pool->index,
                .count = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
                .window = gaps[pool->gap % n_gaps],
                .run_bytes =
                        run > pool->settings->run_min_bytes ? run : pool->settings->run_min_bytes,
        };
        return true;
}

/* ---- what could not be had ------------------------------------------------------------------ */

/* Whoever has the first has the second too. */
static bool at_least_as_hard(struct range window, uint64_t run_bytes,
                             const struct grow_failure *failure)
{
        return run_bytes >= failure->run_bytes && range_contains(failure->window, window);
}

static bool is_hopeless(const struct pool *pool, const struct take_wish *wish)
{
        size_t n = 0;

        if (pool->tired)
                return true;
        for (size_t i = 0; i < GROW_FAILURES_MAX; i++) {
                const struct grow_failure *failure = &pool->failures[i];

                if (!failure->active)
                        continue;
                if (at_least_as_hard(wish->window, wish->run_bytes, failure))
                        return true;
                n++;
        }
        return n == GROW_FAILURES_MAX;
}

/* The easiest way to the demand that has not failed lately. */
static bool find_wish(const struct pool *pool, const struct client *client,
                      const struct demand *demand, struct take_wish *ret)
{
        return (make_wish(pool, client, demand, true, ret) && !is_hopeless(pool, ret)) ||
               (make_wish(pool, client, demand, false, ret) && !is_hopeless(pool, ret));
}

/* The same again, or the entry that can be missed most, with its delay. */
static struct grow_failure *failure_entry(struct pool *pool, uint64_t now_ns)
{
        struct grow_failure *best = &pool->failures[0];

        for (size_t i = 0; i < GROW_FAILURES_MAX; i++)
                if (plus(pool->failures[i].until_ns, GROW_FORGET_NS) <= now_ns)
                        pool->failures[i] = (struct grow_failure){ 0 };
        for (size_t i = 0; i < GROW_FAILURES_MAX; i++) {
                struct grow_failure *failure = &pool->failures[i];

                if (failure->delay_ns &&
                    at_least_as_hard(pool->wish.window, pool->wish.run_bytes, failure))
                        return failure;
                if (!failure->active && (best->active || failure->delay_ns < best->delay_ns))
                        best = failure;
        }
        best->window = pool->wish.window;
        best->run_bytes = pool->wish.run_bytes;
        return best;
}

static void set_regrow(struct state *state, struct pool *pool)
{
        uint64_t first = pool->tired ? pool->tired_until_ns : UINT64_MAX;

        for (size_t i = 0; i < GROW_FAILURES_MAX; i++)
                if (pool->failures[i].active && pool->failures[i].until_ns < first)
                        first = pool->failures[i].until_ns;
        due_cancel(&state->dues, &pool->regrow);
        if (first != UINT64_MAX)
                due_set(&state->dues, &pool->regrow, first);
}

uint64_t grow_delay_ns(uint64_t before_ns, uint32_t asked, const struct take_result *result)
{
        uint64_t delay_ns = result->got >= asked - asked / 2 ? 0 : before_ns * 2;

        if (result->harvested)
                return GROW_DELAY_HARVEST_NS;
        if (delay_ns < GROW_DELAY_FIRST_NS)
                return GROW_DELAY_FIRST_NS;
        return delay_ns < GROW_DELAY_MAX_NS ? delay_ns : GROW_DELAY_MAX_NS;
}

void grow_failed(struct state *state, struct pool *pool, const struct take_result *result,
                 uint64_t now_ns)
{
        struct grow_failure *failure = failure_entry(pool, now_ns);

        failure->delay_ns = grow_delay_ns(failure->delay_ns, pool->wish.count, result);
        failure->until_ns = now_ns + failure->delay_ns;
        failure->active = true;
        pool->gap++; /* the next may look elsewhere */
        set_regrow(state, pool);
}

void grow_succeeded(struct state *state, struct pool *pool)
{
        for (size_t i = 0; i < GROW_FAILURES_MAX; i++)
                if (at_least_as_hard(pool->wish.window, pool->wish.run_bytes, &pool->failures[i]))
                        pool->failures[i] = (struct grow_failure){ 0 };
        set_regrow(state, pool);
}

void grow_harvested(struct state *state, struct pool *pool, uint64_t now_ns)
{
        const uint64_t burst_ns = (HARVESTS_MAX - 1) * HARVEST_EVERY_NS;

        if (pool->rested_ns < now_ns)
                pool->rested_ns = now_ns;
        pool->rested_ns += HARVEST_EVERY_NS;
        if (pool->rested_ns <= now_ns + burst_ns)
                return;
        pool->tired = true;
        pool->tired_until_ns = pool->rested_ns - burst_ns;
        set_regrow(state, pool);
}

void grow_due(struct state *state, struct pool *pool, uint64_t now_ns)
{
        if (pool->tired && pool->tired_until_ns <= now_ns)
                pool->tired = false;
        for (size_t i = 0; i < GROW_FAILURES_MAX; i++)
                if (pool->failures[i].active && pool->failures[i].until_ns <= now_ns)
                        pool->failures[i].active = false;
        set_regrow(state, pool);
        waiters_may_ask_again(state, pool);
}

void state_grow_anew(struct state *state, struct pool *pool)
{
        for (size_t i = 0; i < GROW_FAILURES_MAX; i++)
                pool->failures[i] = (struct grow_failure){ 0 };
        due_cancel(&state->dues, &pool->regrow);
        due_cancel(&state->dues, &pool->refill);
        pool->refill_delay_ns = 0;
        pool->rested_ns = 0;
        pool->tired = false;
        waiters_may_ask_again(state, pool);
}

/* ---- asking --------------------------------------------------------------------------------- */

bool state_can_grow(const struct state *state, const struct client *client,
                    const struct demand *demand, uint64_t pools)
{
        struct take_wish wish;

        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (pools >> i & 1 && find_wish(&state->pools[i], client, demand, &wish))
                        return true;
        return false;
}

/* What is asked for ahead of demand can wait, unless much has been put into it. */
static void make_way(struct state *state, struct pool *pool, const struct take_wish *wish)
{
        bool will_do = pool->wish.run_bytes >= wish->run_bytes &&
                       range_contains(wish->window, pool->wish.window);

        if (will_do || pool->for_demand || pool->cancelled || pool->aside_bytes)
                return;
        pool->cancelled = true;
        state->ops->cancel(state->data, pool->index);
}

bool state_grow_for(struct state *state, const struct client *client, const struct demand *demand,
                    uint64_t pools, bool *ret_asked)
{
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                struct pool *pool = &state->pools[state->preferred[i]];
                struct take_wish wish;

                if (!(pools >> pool->index & 1) || !find_wish(pool, client, demand, &wish))
                        continue;
                if (pool->taking) {
                        make_way(state, pool, &wish);
                } else {
                        state_take(state, pool, &wish, true);
                        *ret_asked = true;
                }
                return true;
        }
        return false;
}
