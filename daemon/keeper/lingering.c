/* SPDX-License-Identifier: MIT */
/*
 * Owns the jobs that wait here. A job is in one of the lines exactly while @waiting is true; the
 * one that is being tried is in neither. Refuses to let the slow ones hold up the quick ones.
 *
 * A close is told before it counts (the kernel tells, and then lets go), so a look that it caused
 * may come too early, and is followed by others after 1 ms, 2 ms and so on. One that happens while
 * a frame is being looked at, after the look and before the watch, is found by such a look, too.
 */
#include "lingering.h"

#include "macros.h"

#include <errno.h>
#include <time.h>

static int by_due(const struct job *a, const struct job *b)
{
        if (a->leave.due_ns != b->leave.due_ns)
                return a->leave.due_ns < b->leave.due_ns ? -1 : 1;
        return (a > b) - (a < b);
}

RB_GENERATE_INTERNAL(lingering_tree, job, leave.lingering, by_due,
                     static __attribute__((__unused__)))

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static struct lingering_line *line_of(struct lingering *lingering, const struct job *job)
{
        return job->leave.slow ? &lingering->slow : &lingering->quick;
}

static void insert(struct lingering *lingering, struct job *job, uint64_t due_ns)
{
        struct lingering_line *line = line_of(lingering, job);

        job->leave.due_ns = due_ns;
        job->leave.waiting = true;
        (void)RB_INSERT(lingering_tree, &line->jobs, job);
        pthread_cond_signal(&line->changed);
}

static void remove_job(struct lingering *lingering, struct job *job)
{
        (void)RB_REMOVE(lingering_tree, &line_of(lingering, job)->jobs, job);
        job->leave.waiting = false;
}

/* It is the main loop's again. */
static void hand_back(struct lingering *lingering, struct job *job)
{
        closings_forget(&lingering->closings, job);
        reports_done(lingering->work->reports, job);
}

static void call_back_all(struct lingering *lingering, struct lingering_line *line)
{
        struct job *job;

        while ((job = RB_MIN(lingering_tree, &line->jobs))) {
                remove_job(lingering, job);
                hand_back(lingering, job);
        }
}

/* The next job that is due, or NULL and until when there is none. */
static struct job *next_due(struct lingering_line *line, uint64_t *ret_due_ns)
{
        struct job *job = RB_MIN(lingering_tree, &line->jobs);

        if (job && job->leave.due_ns <= now_ns())
                return job;
        *ret_due_ns = job ? job->leave.due_ns : UINT64_MAX;
        return NULL;
}

static void wait_until(struct lingering_line *line, uint64_t due_ns)
{
        struct timespec until = { .tv_sec = (time_t)(due_ns / NS_PER_S),
                                  .tv_nsec = (long)(due_ns % NS_PER_S) };
        pthread_mutex_t *lock = &line->lingering->lock;

        if (due_ns == UINT64_MAX)
                pthread_cond_wait(&line->changed, lock);
        else
                pthread_cond_timedwait(&line->changed, lock, &until);
}

/* ---- looking -------------------------------------------------------------------------------- */

/* The lock is held but for the look itself. */
static void try(struct lingering *lingering, struct job *job)
{
        enum backend_holder holder;
        bool left;

        closings_pause(&lingering->closings, job);
        pthread_mutex_unlock(&lingering->lock);
        left = work_leave(lingering->work, job, &holder);
        if (!left)
                lingering_add(lingering, job, holder);
        pthread_mutex_lock(&lingering->lock);
        if (left) {
                job->leave.left = true;
                hand_back(lingering, job);
        }
}

static void *lingering_main(void *data)
{
        struct lingering_line *line = data;
        struct lingering *lingering = line->lingering;
        struct job *job;
        uint64_t due_ns;

        pthread_mutex_lock(&lingering->lock);
        for (;;) {
                if (lingering->calling_back)
                        call_back_all(lingering, line);
                if (lingering->stopping)
                        break;
                job = next_due(line, &due_ns);
                if (!job) {
                        wait_until(line, due_ns);
                        continue;
                }
                remove_job(lingering, job);
                try(lingering, job);
        }
        pthread_mutex_unlock(&lingering->lock);
        return NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void line_init(struct lingering_line *line, struct lingering *lingering)
{
        pthread_condattr_t attributes;

        line->lingering = lingering;
        RB_INIT(&line->jobs);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&line->changed, &attributes);
        pthread_condattr_destroy(&attributes);
}

int lingering_init(struct lingering *lingering, struct work *work)
{
        int r = 0;

        *lingering = (struct lingering){ .work = work };
        pthread_mutex_init(&lingering->lock, NULL);
        line_init(&lingering->quick, lingering);
        line_init(&lingering->slow, lingering);
        closings_init(&lingering->closings);

        while (!r && lingering->n_threads < ARRAY_SIZE(lingering->threads)) {
                r = pthread_create(&lingering->threads[lingering->n_threads], NULL, lingering_main,
                                   lingering->n_threads ? &lingering->slow : &lingering->quick);
                lingering->n_threads += !r;
        }
        if (!r)
                return 0;
        lingering_stop(lingering);
        lingering_deinit(lingering);
        return -r;
}

void lingering_stop(struct lingering *lingering)
{
        pthread_mutex_lock(&lingering->lock);
        lingering->stopping = true;
        pthread_mutex_unlock(&lingering->lock);
        lingering_call_back(lingering, true);
        while (lingering->n_threads)
                pthread_join(lingering->threads[--lingering->n_threads], NULL);
}

void lingering_deinit(struct lingering *lingering)
{
        closings_deinit(&lingering->closings);
        pthread_cond_destroy(&lingering->slow.changed);
        pthread_cond_destroy(&lingering->quick.changed);
        pthread_mutex_destroy(&lingering->lock);
}

/* ---- what is asked of it --------------------------------------------------------------------- */

void lingering_begin(struct lingering *lingering, struct job *job)
{
        pthread_mutex_lock(&lingering->lock);
        job->leave.slow = true;
        job->leave.wait_ns = LINGERING_WAIT_FIRST_NS;
        if (lingering->calling_back)
                hand_back(lingering, job);
        else
                insert(lingering, job, now_ns());
        pthread_mutex_unlock(&lingering->lock);
}

static uint64_t next_wait(const struct job *job, enum backend_holder holder)
{
        uint64_t first = LINGERING_WAIT_FIRST_NS, max = LINGERING_WAIT_MAX_NS;
        uint64_t wait = 2 * job->leave.wait_ns;

        if (holder == HOLDER_PAGES) {
                first = LINGERING_PAGES_FIRST_NS;
                max = LINGERING_PAGES_MAX_NS;
        } else if (job->leave.watch) {
                max = LINGERING_WATCHED_MAX_NS;
        }
        if (wait < first)
                return first;
        return wait < max ? wait : max;
}

void lingering_add(struct lingering *lingering, struct job *job, enum backend_holder holder)
{
        bool patient = job_request(job).flags & KEEPER_PATIENT;

        pthread_mutex_lock(&lingering->lock);
        if (lingering->calling_back) {
                hand_back(lingering, job);
        } else {
                /* In this order: once it waits, it may be tried, done and freed. */
                if (job->leave.holder != holder)
                        reports_lingers(lingering->work->reports, job, holder);
                job->leave.holder = holder;
                if (holder == HOLDER_FILE)
                        (void)closings_watch(&lingering->closings, job);
                job->leave.slow = patient || holder == HOLDER_PAGES;
                job->leave.wait_ns = job->leave.nudged ? 0 : next_wait(job, holder);
                job->leave.nudged = false;
                insert(lingering, job, now_ns() + job->leave.wait_ns);
        }
        pthread_mutex_unlock(&lingering->lock);
}

/* Before all that is merely due. The lock is held. */
static void nudge(struct lingering *lingering, struct job *job)
{
        if (job->leave.waiting) {
                remove_job(lingering, job);
                job->leave.wait_ns = 0;
                insert(lingering, job, 0);
        } else {
                /* It is being tried, perhaps before what the nudge is about. */
                job->leave.nudged = true;
        }
}

void lingering_nudge(struct lingering *lingering, struct job *job)
{
        pthread_mutex_lock(&lingering->lock);
        nudge(lingering, job);
        pthread_mutex_unlock(&lingering->lock);
}

static void heard(void *data, struct job *job)
{
        nudge(data, job);
}

void lingering_hear(struct lingering *lingering)
{
        pthread_mutex_lock(&lingering->lock);
        closings_hear(&lingering->closings, heard, lingering);
        pthread_mutex_unlock(&lingering->lock);
}

void lingering_call_back(struct lingering *lingering, bool calling_back)
{
        pthread_mutex_lock(&lingering->lock);
        lingering->calling_back = calling_back;
        pthread_cond_broadcast(&lingering->quick.changed);
        pthread_cond_broadcast(&lingering->slow.changed);
        pthread_mutex_unlock(&lingering->lock);
}
