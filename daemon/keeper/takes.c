/* SPDX-License-Identifier: MIT */
/*
 * Which takes are under way, which wait, and what becomes of what they leave behind. While the
 * pools are filled for the first time one goes after another, in the order in which the worker
 * asked, so that what one cannot use is there for the next; who has to harvest holds up nobody.
 * After that every pool's take starts at once. What is left in the stock is given back only while
 * no take is under way, which alone could need it.
 */
#include "keeper_private.h"
#include "log.h"
#include "macros.h"
#include "units.h"

#include <errno.h>

/* A kernel that ends pins late has done so by then. */
#define TIDY_AGAIN_NS (2 * NS_PER_S)

static bool any_under_way(const struct keeper *keeper)
{
        for (uint32_t i = 0; i < keeper->settings->n_pools; i++)
                if (keeper->taking[i].job)
                        return true;
        return false;
}

/* Whether one is under way that the next one has to wait for. */
static bool one_at_a_time(const struct keeper *keeper)
{
        if (!atomic_load(&keeper->jobs.work.filling))
                return false;
        for (uint32_t i = 0; i < keeper->settings->n_pools; i++)
                if (keeper->taking[i].job && !keeper->taking[i].progress.harvests)
                        return true;
        return false;
}

/* Where the pool's frames are now. */
static int list_own(const struct keeper *keeper, struct job *job)
{
        const struct slots *slots = &keeper->slots;
        int r = 0;

        for (uint32_t i = slots_next(slots, 0); !r && i < slots->room;
             i = slots_next(slots, i + 1)) {
                const struct slot *slot = &slots->slots[i];

                if (slot->state == SLOT_HELD && !slot->given_up && slot->pool == job->request.pool)
                        r = addresses_add(&job->take.own, slot->frame.phys);
        }
        addresses_sort(&job->take.own);
        return r;
}

static void start(struct keeper *keeper, struct job *job)
{
        const struct keeper_pool *pool = &keeper->settings->pools[job->request.pool];

        STAILQ_REMOVE(&keeper->takes, job, job, queued);
        keeper->n_takes--;
        keeper->taking[job->request.pool] = (struct pool_take){ .job = job };
        job->take.harvest_max_bytes = pool->harvest_max_bytes;
        /* Without memory for all of them fewer pages look as if they lengthened a run. */
        if ((job->request.phys || pool->demote) && list_own(keeper, job))
                log_warning("no memory to look for runs of pool %s", pool->name);
        keeper_start_job(keeper, job);
}

void keeper_next_takes(struct keeper *keeper)
{
        struct job *job, *next;

        for (job = STAILQ_FIRST(&keeper->takes); job; job = next) {
                next = STAILQ_NEXT(job, queued);
                if (keeper->tidying_stock || one_at_a_time(keeper))
                        return;
                if (!keeper->taking[job->request.pool].job)
                        start(keeper, job);
        }
}

int keeper_take(struct keeper *keeper, const struct keeper_message *message)
{
        uint32_t taken = slots_used(&keeper->slots) + keeper->promised;
        uint32_t room = taken < keeper->settings->slots ? keeper->settings->slots - taken : 0;
        struct job *job;

        job = job_new(JOB_TAKE, message);
        if (!job)
                return -ENOMEM;
        job->take.wanted = message->count;
        if (job->request.count > room)
                job->request.count = room;
        keeper->promised += job->request.count;
        STAILQ_INSERT_TAIL(&keeper->takes, job, queued);
        keeper->n_takes++;
        keeper_next_takes(keeper);
        return 0;
}

static void tell_end(struct keeper *keeper, const struct job *job)
{
        struct keeper_message taken = {
                .type = KEEPER_TAKEN,
                .pool = job->request.pool,
                .page_bytes = job->request.page_bytes,
                .first = job->take.seen.first,
                .last = job->take.seen.last,
                .phys = job->take.most_held_bytes,
                .count = job->take.had,
                .flags = job->take.harvested ? KEEPER_HARVESTED : 0,
                .node = job->request.node,
                .result = job->take.result,
        };

        if (!taken.result && taken.count < job->take.wanted)
                taken.result = -ENOSPC;
        keeper_tell(keeper, &taken);
}

/* What a harvest cost: nobody sees it otherwise when it is over. */
static void log_harvest(const struct keeper *keeper, const struct job *job)
{
        const struct keeper_pool *pool = &keeper->settings->pools[job->request.pool];
        char held[UNIT_TEXT_BYTES];

        log_info("pool %s: a harvest found %u of %u frames; up to %s were held beyond them",
                 pool->name, job->take.had, job->request.count,
                 size_human(job->take.most_held_bytes, held));
}

void keeper_take_done(struct keeper *keeper, struct job *job)
{
        if (job->take.harvested)
                log_harvest(keeper, job);
        keeper->promised -= job->request.count - job->take.had;
        keeper->taking[job->request.pool] = (struct pool_take){ 0 };
        keeper->loose_aside |= debts_any(&keeper->jobs.work.late) ||
                               (!any_under_way(keeper) && aside_is_loose(&keeper->jobs.work.aside));
        tell_end(keeper, job);
        keeper_next_takes(keeper);
}

void keeper_take_goes_on(struct keeper *keeper, struct job *job, const struct progress *progress)
{
        struct keeper_message message = {
                .type = KEEPER_PROGRESS,
                .pool = job->request.pool,
                .page_bytes = job->request.page_bytes,
                .phys = progress->held_bytes,
                .count = progress->had,
                .node = job->request.node,
        };

        keeper->taking[job->request.pool].progress = *progress;
        keeper_tell(keeper, &message);
        keeper_next_takes(keeper);
}

void keeper_cancel(struct keeper *keeper, uint32_t pool)
{
        struct job *job, *next;

        if (keeper->taking[pool].job)
                jobs_cancel(&keeper->jobs, keeper->taking[pool].job);
        for (job = STAILQ_FIRST(&keeper->takes); job; job = next) {
                next = STAILQ_NEXT(job, queued);
                if (job->request.pool != pool)
                        continue;
                STAILQ_REMOVE(&keeper->takes, job, job, queued);
                keeper->n_takes--;
                keeper->promised -= job->request.count;
                job->take.seen.first = UINT64_MAX;
                job->take.result = -ECANCELED;
                tell_end(keeper, job);
                job_free(job);
        }
}

void keeper_forget_takes(struct keeper *keeper)
{
        struct job *job;

        while ((job = STAILQ_FIRST(&keeper->takes))) {
                STAILQ_REMOVE_HEAD(&keeper->takes, queued);
                keeper->promised -= job->request.count;
                job_free(job);
        }
        keeper->n_takes = 0;
}

void keeper_filling(struct keeper *keeper, bool filling)
{
        atomic_store(&keeper->jobs.work.filling, filling);
        if (filling)
                return;
        keeper->loose_aside = true;
        keeper_next_takes(keeper);
}

void keeper_filled(struct keeper *keeper)
{
        /* What comes into the stock after that goes out of it with each page that comes back. */
        keeper->loose_stock = !keeper->filled_once;
        keeper->filled_once = true;
        keeper_filling(keeper, false);
}

static bool can_tidy(const struct keeper *keeper)
{
        if (keeper->tidying || atomic_load(&keeper->jobs.work.filling))
                return false;
        return keeper->loose_aside ||
               (keeper->loose_stock && STAILQ_EMPTY(&keeper->takes) && !any_under_way(keeper));
}

uint64_t keeper_tidy_due(const struct keeper *keeper)
{
        return can_tidy(keeper) ? keeper->tidy_due_ns : UINT64_MAX;
}

void keeper_tidy(struct keeper *keeper, uint64_t now_ns)
{
        struct job *job;

        if (!can_tidy(keeper) || now_ns < keeper->tidy_due_ns)
                return;
        keeper->tidy_due_ns = now_ns + TIDY_AGAIN_NS;
        job = job_new(JOB_TIDY, NULL);
        if (!job)
                return;
        job->tidy.stock = !keeper->loose_aside;
        if (job->tidy.stock)
                keeper->loose_stock = false;
        else
                keeper->loose_aside = false;
        keeper->tidying = true;
        keeper->tidying_stock = job->tidy.stock;
        keeper_start_job(keeper, job);
}

void keeper_tidied(struct keeper *keeper, const struct job *job)
{
        keeper->tidying = keeper->tidying_stock = false;
        keeper->loose_aside |= job->tidy.again;
        if (!job->tidy.again)
                keeper->tidy_due_ns = 0; /* what is next need not wait */
        keeper_next_takes(keeper);
}
