/* SPDX-License-Identifier: MIT */
/*
 * Owns whose turn it is to hold pages beyond what is wanted: one take at a time does, or two pools
 * would hold against each other what both look for. Refuses to touch a page before the look at the
 * stock says that it is worth it, where the system can be looked at.
 */
#include "harvest.h"

#include "macros.h"

#include <errno.h>
#include <time.h>

/* What is added between two looks at limits, the system's memory and who wants it to end. */
#define STEP_BYTES (64 * MiB)

/**
 * struct growth - one harvest()
 * @why:     why no more can be added; 0: more can
 * @added_ns, @looked_ns: how long was spent adding since the last look, and how long that look took
 */
struct growth {
        struct take *take;
        int node;
        bool all_good;
        uint64_t page_bytes, large_bytes;
        int why;
        uint64_t added_ns, looked_ns;
};

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Not every page that is added will do. */
static bool is_choosy(const struct growth *growth)
{
        return !growth->all_good || growth->take->run_bytes;
}

/* ---- turns ---------------------------------------------------------------------------------- */

static int wait_for_turn(struct take *take)
{
        struct work *work = take->work;
        int r = 0;

        take->harvests = true;
        take_tell(take, true); /* whoever waited for this take need not wait any longer */
        pthread_mutex_lock(&work->turn_lock);
        while (atomic_load(&work->harvesting) && !take_is_over(take))
                pthread_cond_wait(&work->turn_changed, &work->turn_lock);
        if (take_is_over(take)) {
                r = -ECANCELED;
        } else {
                atomic_store(&work->harvesting, true);
                work->sought = take->window;
                work->sought_bytes = take->job->request.page_bytes;
        }
        pthread_mutex_unlock(&work->turn_lock);
        take->has_turn = r == 0;
        return r;
}

bool harvest_seeks(struct work *work, const struct backend_frame *frame)
{
        bool sought;

        if (!atomic_load(&work->harvesting))
                return false;
        pthread_mutex_lock(&work->turn_lock);
        sought = atomic_load(&work->harvesting) && frame->page_bytes == work->sought_bytes &&
                 (work->sought.first > 0 || work->sought.last < UINT64_MAX) &&
                 range_contains(work->sought, range_of(frame->phys, frame->page_bytes));
        pthread_mutex_unlock(&work->turn_lock);
        return sought;
}

void harvest_end(struct take *take)
{
        struct work *work = take->work;

        if (!take->has_turn)
                return;
        pthread_mutex_lock(&work->turn_lock);
        atomic_store(&work->harvesting, false);
        pthread_cond_broadcast(&work->turn_changed);
        pthread_mutex_unlock(&work->turn_lock);
        take->has_turn = false;
}

/* ---- adding --------------------------------------------------------------------------------- */

/* Pages that may be held at once. */
static uint64_t limit(const struct growth *growth)
{
        const struct take *take = growth->take;
        uint64_t beyond = take->has_turn ? take->job->take.harvest_max_bytes : 0;

        return take->left + beyond / growth->page_bytes;
}

/* One large page, taken apart. */
static int add_large(struct growth *growth, uint64_t *ret_added)
{
        struct work *work = growth->take->work;
        uint64_t n;
        int r;

        *ret_added = 0;
        r = work_more(work, growth->large_bytes, growth->node, 1, &n);
        if (!n)
                return r;
        r = work_demote(work, growth->large_bytes, growth->node, growth->page_bytes);
        if (r)
                work_less(work, growth->large_bytes, growth->node, 1);
        else
                *ret_added = growth->large_bytes / growth->page_bytes;
        return r;
}

/* How many pages may be added now; 0: none, and growth->why tells. */
static uint64_t room(struct growth *growth)
{
        struct take *take = growth->take;
        uint64_t held = take->extra + take->aside;

        if (held >= limit(growth) && is_choosy(growth) && !take->has_turn &&
            take->job->take.harvest_max_bytes)
                growth->why = wait_for_turn(take);
        if (!growth->why && held >= limit(growth))
                growth->why = -EFBIG;
        return growth->why ? 0 : limit(growth) - held;
}

static void add(struct growth *growth)
{
        struct take *take = growth->take;
        uint64_t step = room(growth), most = STEP_BYTES / growth->page_bytes, added;
        uint64_t start_ns = now_ns();

        if (!step)
                return;
        most = most ? most : 1;
        step = step < most ? step : most;
        if (growth->large_bytes)
                growth->why = add_large(growth, &added);
        else
                growth->why = work_more(take->work, growth->page_bytes, growth->node, step, &added);
        if (!growth->why && !added)
                growth->why = -ENOMEM;
        take->extra += added;
        take->job->take.harvested |= take->has_turn && added;
        growth->added_ns += now_ns() - start_ns;
        take_tell(take, false);
}

/* ---- taking --------------------------------------------------------------------------------- */

static int look_and_draw(struct growth *growth)
{
        struct take *take = growth->take;
        struct addresses chosen = { 0 };
        uint64_t start_ns = now_ns();
        int r;

        /* Where the machine is large, looking takes longer than adding. */
        if (!growth->why && growth->added_ns < growth->looked_ns)
                return 0;
        r = take_look(take, growth->node, &chosen);
        growth->looked_ns = now_ns() - start_ns;
        growth->added_ns = 0;

        if (r == -EOPNOTSUPP && !take->run_bytes)
                r = take_draw(take, growth->node, NULL, UINT64_MAX);
        else if (!r && chosen.n && (chosen.n == take->left || growth->why || growth->large_bytes))
                r = take_draw(take, growth->node, &chosen, UINT64_MAX);
        addresses_deinit(&chosen);
        return r;
}

static int draw(struct growth *growth)
{
        struct take *take = growth->take;

        if (take_is_over(take))
                return -ECANCELED;
        if (!is_choosy(growth))
                return take_draw(take, growth->node, NULL, take->extra);
        return look_and_draw(growth);
}

int harvest(struct take *take, int node, bool all_good, uint64_t large_bytes)
{
        struct growth growth = {
                .take = take,
                .node = node,
                .all_good = all_good,
                .page_bytes = take->job->request.page_bytes,
                .large_bytes = large_bytes,
        };
        int r = 0;

        while (take->left && !growth.why && !r) {
                if (large_bytes)
                        take_want_runs(take, large_bytes);
                add(&growth);
                r = draw(&growth);
        }
        if (take->left)
                take_look_around(take, node);
        take_less(take, node);
        if (!take->left)
                return 0;
        return r ? r : growth.why;
}
