/* SPDX-License-Identifier: MIT */
/*
 * Owns the threads. A job is in the queue, with a thread, lingering, or (after its last
 * report) the main loop's.
 */
#include "jobs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void leave(struct jobs *jobs, struct job *job)
{
        enum backend_holder holder;

        if (job_request(job).flags & KEEPER_PATIENT) {
                lingering_begin(&jobs->lingering, job);
        } else if (work_leave(&jobs->work, job, &holder)) {
                job->leave.left = true;
                reports_done(&jobs->reports, job);
        } else {
                lingering_add(&jobs->lingering, job, holder);
        }
}

static void work_on(struct jobs *jobs, struct job *job)
{
        switch (job->kind) {
        case JOB_TAKE: work_take(&jobs->work, job); break;
        case JOB_LEAVE: leave(jobs, job); break;
        case JOB_VERIFY: work_verify(&jobs->work, job); break;
        case JOB_DROP_ASIDE:
                work_drop_aside(&jobs->work);
                reports_done(&jobs->reports, job);
                break;
        }
}

static void *thread_main(void *data)
{
        struct jobs *jobs = data;
        struct job *job;

        pthread_mutex_lock(&jobs->lock);
        while (!jobs->stopping) {
                job = STAILQ_FIRST(&jobs->queue);
                if (!job) {
                        pthread_cond_wait(&jobs->added, &jobs->lock);
                        continue;
                }
                STAILQ_REMOVE_HEAD(&jobs->queue, queued);
                pthread_mutex_unlock(&jobs->lock);
                work_on(jobs, job);
                pthread_mutex_lock(&jobs->lock);
        }
        pthread_mutex_unlock(&jobs->lock);
        return NULL;
}

static void join_threads(struct jobs *jobs)
{
        pthread_mutex_lock(&jobs->lock);
        jobs->stopping = true;
        pthread_cond_broadcast(&jobs->added);
        pthread_mutex_unlock(&jobs->lock);
        while (jobs->n_threads > 0)
                pthread_join(jobs->threads[--jobs->n_threads], NULL);
}

int jobs_init(struct jobs *jobs, const struct keeper_settings *settings)
{
        int r;

        assert(settings->threads >= 1);

        *jobs = (struct jobs){ .n_threads = 0 };
        STAILQ_INIT(&jobs->queue);
        jobs->threads = calloc(settings->threads, sizeof(*jobs->threads));
        if (!jobs->threads)
                return -ENOMEM;
        r = reports_init(&jobs->reports);
        if (r) {
                free(jobs->threads);
                return r;
        }
        pthread_mutex_init(&jobs->lock, NULL);
        pthread_cond_init(&jobs->added, NULL);
        work_init(&jobs->work, settings, &jobs->reports);

        r = lingering_init(&jobs->lingering, &jobs->work);
        if (!r) {
                while (jobs->n_threads < settings->threads && !r) {
                        r = -pthread_create(&jobs->threads[jobs->n_threads], NULL, thread_main,
                                            jobs);
                        jobs->n_threads += r == 0;
                }
                if (!r)
                        return 0;
                jobs_stop(jobs);
                lingering_deinit(&jobs->lingering);
        }
        work_deinit(&jobs->work);
        pthread_cond_destroy(&jobs->added);
        pthread_mutex_destroy(&jobs->lock);
        reports_deinit(&jobs->reports);
        free(jobs->threads);
        return r;
}

void jobs_stop(struct jobs *jobs)
{
        jobs_wind_up(jobs, true);
        join_threads(jobs);
        lingering_stop(&jobs->lingering);
}

void jobs_deinit(struct jobs *jobs)
{
        lingering_deinit(&jobs->lingering);
        work_deinit(&jobs->work);
        pthread_cond_destroy(&jobs->added);
        pthread_mutex_destroy(&jobs->lock);
        reports_deinit(&jobs->reports);
        free(jobs->threads);
}

void jobs_add(struct jobs *jobs, struct job *job)
{
        pthread_mutex_lock(&jobs->lock);
        STAILQ_INSERT_TAIL(&jobs->queue, job, queued);
        pthread_cond_signal(&jobs->added);
        pthread_mutex_unlock(&jobs->lock);
}

void jobs_wind_up(struct jobs *jobs, bool winding_up)
{
        atomic_store(&jobs->work.cancelled, winding_up);
        lingering_call_back(&jobs->lingering, winding_up);
}
