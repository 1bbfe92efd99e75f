/* SPDX-License-Identifier: MIT */
/*
 * Owns the jobs that wait here. A job is in one of the trees exactly while @waiting is true; the
 * one that is being tried is in neither. Refuses to let the slow ones hold up the quick ones.
 */
#include "linger.h"

#include "macros.h"

#include <errno.h>
#include <time.h>

static int by_due(const struct job *a, const struct job *b)
{
        if (a->leave.due_ns != b->leave.due_ns)
                return a->leave.due_ns < b->leave.due_ns ? -1 : 1;
        return (a > b) - (a < b);
}

RB_GENERATE_INTERNAL(linger_tree, job, leave.lingering, by_due, static __attribute__((__unused__)))

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static struct linger_tree *tree_of(struct linger *linger, const struct job *job)
{
        return job->leave.slow ? &linger->slow : &linger->quick;
}

static void insert(struct linger *linger, struct job *job, uint64_t due_ns)
{
        job->leave.due_ns = due_ns;
        job->leave.waiting = true;
        (void)RB_INSERT(linger_tree, tree_of(linger, job), job);
        pthread_cond_signal(&linger->changed);
}

static void remove_job(struct linger *linger, struct job *job)
{
        (void)RB_REMOVE(linger_tree, tree_of(linger, job), job);
        job->leave.waiting = false;
}

static void call_back_all(struct linger *linger, struct linger_tree *tree)
{
        struct job *job;

        while ((job = RB_MIN(linger_tree, tree))) {
                remove_job(linger, job);
                reports_done(linger->work->reports, job);
        }
}

/* The next job that is due, or NULL and how long there is none. */
static struct job *next_due(struct linger *linger, uint64_t *ret_due_ns)
{
        struct job *quick = RB_MIN(linger_tree, &linger->quick);
        struct job *slow = RB_MIN(linger_tree, &linger->slow);
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

static void wait_until(struct linger *linger, uint64_t due_ns)
{
        struct timespec until = { .tv_sec = (time_t)(due_ns / NS_PER_S),
                                  .tv_nsec = (long)(due_ns % NS_PER_S) };

        if (due_ns == UINT64_MAX)
                pthread_cond_wait(&linger->changed, &linger->lock);
        else
                pthread_cond_timedwait(&linger->changed, &linger->lock, &until);
}

static void try(struct linger *linger, struct job *job)
{
        enum backend_holder holder;

        if (work_leave(linger->work, job, &holder)) {
                job->leave.left = true;
                reports_done(linger->work->reports, job);
        } else {
                linger_add(linger, job, holder);
        }
}

static void *linger_main(void *data)
{
        struct linger *linger = data;
        struct job *job;
        uint64_t due_ns;

        pthread_mutex_lock(&linger->lock);
        for (;;) {
                if (linger->calling_back) {
                        call_back_all(linger, &linger->quick);
                        call_back_all(linger, &linger->slow);
                }
                if (linger->stopping)
                        break;
                job = next_due(linger, &due_ns);
                if (!job) {
                        wait_until(linger, due_ns);
                        continue;
                }
                remove_job(linger, job);
                pthread_mutex_unlock(&linger->lock);
                try(linger, job);
                pthread_mutex_lock(&linger->lock);
        }
        pthread_mutex_unlock(&linger->lock);
        return NULL;
}

int linger_init(struct linger *linger, struct work *work)
{
        pthread_condattr_t attributes;
        int r;

        *linger = (struct linger){ .work = work };
        RB_INIT(&linger->quick);
        RB_INIT(&linger->slow);
        pthread_mutex_init(&linger->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&linger->changed, &attributes);
        pthread_condattr_destroy(&attributes);

        r = pthread_create(&linger->thread, NULL, linger_main, linger);
        if (r)
                linger_deinit(linger);
        return -r;
}

void linger_stop(struct linger *linger)
{
        pthread_mutex_lock(&linger->lock);
        linger->stopping = true;
        linger->calling_back = true;
        pthread_cond_signal(&linger->changed);
        pthread_mutex_unlock(&linger->lock);
        pthread_join(linger->thread, NULL);
}

void linger_deinit(struct linger *linger)
{
        pthread_cond_destroy(&linger->changed);
        pthread_mutex_destroy(&linger->lock);
}

void linger_begin(struct linger *linger, struct job *job)
{
        pthread_mutex_lock(&linger->lock);
        job->leave.slow = true;
        job->leave.wait_ns = LINGER_WAIT_FIRST_NS;
        if (linger->calling_back)
                reports_done(linger->work->reports, job);
        else
                insert(linger, job, now_ns());
        pthread_mutex_unlock(&linger->lock);
}

static uint64_t next_wait(const struct job *job, enum backend_holder holder)
{
        if (holder == HOLDER_PAGES)
                return LINGER_WAIT_PAGES_NS;
        if (!job->leave.wait_ns)
                return LINGER_WAIT_FIRST_NS;
        return job->leave.wait_ns < LINGER_WAIT_MAX_NS / 2 ? 2 * job->leave.wait_ns
                                                           : LINGER_WAIT_MAX_NS;
}

void linger_add(struct linger *linger, struct job *job, enum backend_holder holder)
{
        bool patient = job_request(job).flags & KEEPER_PATIENT;

        pthread_mutex_lock(&linger->lock);
        if (linger->calling_back) {
                reports_done(linger->work->reports, job);
        } else {
                /* In this order: once it waits, it may be tried, done and freed. */
                if (job->leave.holder != holder)
                        reports_lingers(linger->work->reports, job, holder);
                job->leave.holder = holder;
                job->leave.slow = patient || holder == HOLDER_PAGES;
                job->leave.wait_ns = next_wait(job, holder);
                insert(linger, job, now_ns() + job->leave.wait_ns);
        }
        pthread_mutex_unlock(&linger->lock);
}

void linger_nudge(struct linger *linger, struct job *job)
{
        pthread_mutex_lock(&linger->lock);
        if (job->leave.waiting) {
                remove_job(linger, job);
                job->leave.wait_ns = 0;
                insert(linger, job, now_ns());
        }
        pthread_mutex_unlock(&linger->lock);
}

void linger_call_back(struct linger *linger, bool calling_back)
{
        pthread_mutex_lock(&linger->lock);
        linger->calling_back = calling_back;
        pthread_cond_signal(&linger->changed);
        pthread_mutex_unlock(&linger->lock);
}
