/* SPDX-License-Identifier: MIT */
/*
 * Owns the threads. A job is in the queue, with a thread, lingering, or (after its last
 * report) the main loop's.
 */
#include "jobs.h"

#include "source.h"

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
        case JOB_TAKE: source_take(&jobs->work, job); break;
        case JOB_LEAVE: leave(jobs, job); break;
        case JOB_VERIFY: work_verify(&jobs->work, job); break;
        case JOB_TIDY: work_tidy(&jobs->work, job); break;
        }
}

static void *thread_main(void *data)
{
        struct crew *crew = data;
        struct job *job;

        pthread_mutex_lock(&crew->lock);
        while (!crew->stopping) {
                job = STAILQ_FIRST(&crew->queue);
                if (!job) {
                        pthread_cond_wait(&crew->added, &crew->lock);
                        continue;
                }
                STAILQ_REMOVE_HEAD(&crew->queue, queued);
                pthread_mutex_unlock(&crew->lock);
                work_on(crew->jobs, job);
                pthread_mutex_lock(&crew->lock);
        }
        pthread_mutex_unlock(&crew->lock);
        return NULL;
}

static void crew_stop(struct crew *crew)
{
        pthread_mutex_lock(&crew->lock);
        crew->stopping = true;
        pthread_cond_broadcast(&crew->added);
        pthread_mutex_unlock(&crew->lock);
        while (crew->n_threads > 0)
                pthread_join(crew->threads[--crew->n_threads], NULL);
}

static void crew_deinit(struct crew *crew)
{
        free(crew->threads);
        pthread_cond_destroy(&crew->added);
        pthread_mutex_destroy(&crew->lock);
}

/* 0; negative errno, and crew_stop() and crew_deinit() are still due. */
static int crew_init(struct crew *crew, struct jobs *jobs, unsigned n_threads)
{
        int r;

        *crew = (struct crew){ .jobs = jobs };
        STAILQ_INIT(&crew->queue);
        pthread_mutex_init(&crew->lock, NULL);
        pthread_cond_init(&crew->added, NULL);
        crew->threads = calloc(n_threads, sizeof(*crew->threads));
        if (!crew->threads)
                return -ENOMEM;
        for (; crew->n_threads < n_threads; crew->n_threads++) {
                r = -pthread_create(&crew->threads[crew->n_threads], NULL, thread_main, crew);
                if (r)
                        return r;
        }
        return 0;
}

static int start(struct jobs *jobs, const struct keeper_settings *settings)
{
        int r;

        r = watches_init(&jobs->watches, &jobs->reports, settings->look, settings->look_data);
        if (r)
                return r;
        r = lingering_init(&jobs->lingering, &jobs->work);
        if (r) {
                watches_stop(&jobs->watches);
                return r;
        }
        r = crew_init(&jobs->others, jobs, settings->threads);
        if (!r) {
                r = crew_init(&jobs->takers, jobs, settings->n_pools + 1);
                if (!r)
                        return 0;
                crew_stop(&jobs->takers);
                crew_deinit(&jobs->takers);
        }
        crew_stop(&jobs->others);
        crew_deinit(&jobs->others);
        lingering_stop(&jobs->lingering);
        lingering_deinit(&jobs->lingering);
        watches_stop(&jobs->watches);
        return r;
}

int jobs_init(struct jobs *jobs, const struct keeper_settings *settings)
{
        int r;

        assert(settings->threads >= 1);

        *jobs = (struct jobs){ 0 };
        r = reports_init(&jobs->reports);
        if (r)
                return r;
        work_init(&jobs->work, settings, &jobs->reports);
        r = start(jobs, settings);
        if (!r)
                return 0;
        work_deinit(&jobs->work);
        reports_deinit(&jobs->reports);
        return r;
}

void jobs_stop(struct jobs *jobs)
{
        atomic_store(&jobs->work.stopping, true);
        jobs_wind_up(jobs, true);
        crew_stop(&jobs->takers);
        crew_stop(&jobs->others);
        lingering_stop(&jobs->lingering);
        watches_stop(&jobs->watches);
}

void jobs_deinit(struct jobs *jobs)
{
        lingering_deinit(&jobs->lingering);
        crew_deinit(&jobs->takers);
        crew_deinit(&jobs->others);
        work_deinit(&jobs->work);
        reports_deinit(&jobs->reports);
}

void jobs_add(struct jobs *jobs, struct job *job)
{
        bool long_one = job->kind == JOB_TAKE || job->kind == JOB_TIDY;
        struct crew *crew = long_one ? &jobs->takers : &jobs->others;

        pthread_mutex_lock(&crew->lock);
        STAILQ_INSERT_TAIL(&crew->queue, job, queued);
        pthread_cond_signal(&crew->added);
        pthread_mutex_unlock(&crew->lock);
}

void jobs_cancel(struct jobs *jobs, struct job *job)
{
        atomic_store(&job->take.cancelled, true);
        work_wake(&jobs->work);
}

void jobs_wind_up(struct jobs *jobs, bool winding_up)
{
        atomic_store(&jobs->work.cancelled, winding_up);
        work_wake(&jobs->work);
        lingering_call_back(&jobs->lingering, winding_up);
}
