/* SPDX-License-Identifier: MIT */
/*
 * Owns the jobs that wait here. A job is in one of the trees exactly while @waiting is true; the
 * one that is being tried is in neither. Refuses to let the slow ones hold up the quick ones.
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

static struct lingering_tree *tree_of(struct lingering *lingering, const struct job *job)
{
        return job->leave.slow ? &lingering->slow : &lingering->quick;
}

static void insert(struct lingering *lingering, struct job *job, uint64_t due_ns)
{
        job->leave.due_ns = due_ns;
        job->leave.waiting = true;
        (void)RB_INSERT(lingering_tree, tree_of(lingering, job), job);
        pthread_cond_signal(&lingering->changed);
}

static void remove_job(struct lingering *lingering, struct job *job)
{
        (void)RB_REMOVE(lingering_tree, tree_of(lingering, job), job);
        job->leave.waiting = false;
}

static void call_back_all(struct lingering *lingering, struct lingering_tree *tree)
{
        struct job *job;

        while ((job = RB_MIN(lingering_tree, tree))) {
                remove_job(lingering, job);
                reports_done(lingering->work->reports, job);
        }
}

/* The next job that is due, or NULL and how long there is none. */
static struct job *next_due(struct lingering *lingering, uint64_t *ret_due_ns)
{
        struct job *quick = RB_MIN(lingering_tree, &lingering->quick);
        struct job *slow = RB_MIN(lingering_tree, &lingering->slow);
        uint64_t now = now_ns();

        if (quick && quick->leave.due_ns <= now)
                return quick;
        if (slow && slow->leave.due_ns <= now)
                return slow;
        *ret_due_ns = UINT64_MAX;
        if (quick)
                *ret_due_ns = quick->leave.due_ns;
        if (slow && slow->leave.due_ns < *ret_due_ns)
                *ret_due_ns = slow->leave.due_ns;
        return NULL;
}

static void wait_until(struct lingering *lingering, uint64_t due_ns)
{
        struct timespec until = { .tv_sec = (time_t)(due_ns / NS_PER_S),
                                  .tv_nsec = (long)(due_ns % NS_PER_S) };

        if (due_ns == UINT64_MAX)
                pthread_cond_wait(&lingering->changed, &lingering->lock);
        else
                pthread_cond_timedwait(&lingering->changed, &lingering->lock, &until);
}

static void try(struct lingering *lingering, struct job *job)
{
        enum backend_holder holder;

        if (work_leave(lingering->work, job, &holder)) {
                job->leave.left = true;
                reports_done(lingering->work->reports, job);
        } else {
                lingering_add(lingering, job, holder);
        }
}

static void *lingering_main(void *data)
{
        struct lingering *lingering = data;
        struct job *job;
        uint64_t due_ns;

        pthread_mutex_lock(&lingering->lock);
        for (;;) {
                if (lingering->calling_back) {
                        call_back_all(lingering, &lingering->quick);
                        call_back_all(lingering, &lingering->slow);
                }
                if (lingering->stopping)
                        break;
                job = next_due(lingering, &due_ns);
                if (!job) {
                        wait_until(lingering, due_ns);
                        continue;
                }
                remove_job(lingering, job);
                pthread_mutex_unlock(&lingering->lock);
                try(lingering, job);
                pthread_mutex_lock(&lingering->lock);
        }
        pthread_mutex_unlock(&lingering->lock);
        return NULL;
}

int lingering_init(struct lingering *lingering, struct work *work)
{
        pthread_condattr_t attributes;
        int r;

        *lingering = (struct lingering){ .work = work };
        RB_INIT(&lingering->quick);
        RB_INIT(&lingering->slow);
        pthread_mutex_init(&lingering->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&lingering->changed, &attributes);
        pthread_condattr_destroy(&attributes);

        r = pthread_create(&lingering->thread, NULL, lingering_main, lingering);
        if (r)
                lingering_deinit(lingering);
        return -r;
}

void lingering_stop(struct lingering *lingering)
{
        pthread_mutex_lock(&lingering->lock);
        lingering->stopping = true;
        lingering->calling_back = true;
        pthread_cond_signal(&lingering->changed);
        pthread_mutex_unlock(&lingering->lock);
        pthread_join(lingering->thread, NULL);
}

void lingering_deinit(struct lingering *lingering)
{
        pthread_cond_destroy(&lingering->changed);
        pthread_mutex_destroy(&lingering->lock);
}

void lingering_begin(struct lingering *lingering, struct job *job)
{
        pthread_mutex_lock(&lingering->lock);
        job->leave.slow = true;
        job->leave.wait_ns = LINGERING_WAIT_FIRST_NS;
        if (lingering->calling_back)
                reports_done(lingering->work->reports, job);
        else
                insert(lingering, job, now_ns());
        pthread_mutex_unlock(&lingering->lock);
}

static uint64_t next_wait(const struct job *job, enum backend_holder holder)
{
        uint64_t first =
                holder == HOLDER_PAGES ? LINGERING_PAGES_FIRST_NS : LINGERING_WAIT_FIRST_NS;
        uint64_t max = holder == HOLDER_PAGES ? LINGERING_PAGES_MAX_NS : LINGERING_WAIT_MAX_NS;
        uint64_t wait = 2 * job->leave.wait_ns;

        if (wait < first)
                return first;
        return wait < max ? wait : max;
}

void lingering_add(struct lingering *lingering, struct job *job, enum backend_holder holder)
{
        bool patient = job_request(job).flags & KEEPER_PATIENT;

        pthread_mutex_lock(&lingering->lock);
        if (lingering->calling_back) {
                reports_done(lingering->work->reports, job);
        } else {
                /* In this order: once it waits, it may be tried, done and freed. */
                if (job->leave.holder != holder)
                        reports_lingers(lingering->work->reports, job, holder);
                job->leave.holder = holder;
                job->leave.slow = patient || holder == HOLDER_PAGES;
                job->leave.wait_ns = job->leave.nudged ? 0 : next_wait(job, holder);
                job->leave.nudged = false;
                insert(lingering, job, now_ns() + job->leave.wait_ns);
        }
        pthread_mutex_unlock(&lingering->lock);
}

void lingering_nudge(struct lingering *lingering, struct job *job)
{
        pthread_mutex_lock(&lingering->lock);
        if (job->leave.waiting) {
                remove_job(lingering, job);
                job->leave.wait_ns = 0;
                insert(lingering, job, now_ns());
        } else {
                /* It is being tried, perhaps before what the nudge is about. */
                job->leave.nudged = true;
        }
        pthread_mutex_unlock(&lingering->lock);
}

void lingering_call_back(struct lingering *lingering, bool calling_back)
{
        pthread_mutex_lock(&lingering->lock);
        lingering->calling_back = calling_back;
        pthread_cond_signal(&lingering->changed);
        pthread_mutex_unlock(&lingering->lock);
}
