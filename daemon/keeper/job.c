/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing beyond the job itself: frames are handed on by reports.
 */
#include "job.h"

#include "macros.h"

#include <stdlib.h>
#include <unistd.h>

struct job *job_new(enum job_kind kind, const struct keeper_message *request)
{
        struct job *job;

        job = calloc(1, sizeof(*job));
        if (!job)
                return NULL;
        job->kind = kind;
        if (request)
                job->request = *request;
        job->done = (struct report){ .kind = REPORT_DONE, .job = job };
        pthread_mutex_init(&job->lock, NULL);
        return job;
}

void job_free(struct job *job)
{
        if (!job)
                return;
        if (job->kind == JOB_TAKE)
                addresses_deinit(&job->take.own);
        pthread_mutex_destroy(&job->lock);
        free(job);
}

void job_update(struct job *job, const struct keeper_message *request)
{
        pthread_mutex_lock(&job->lock);
        job->request = *request;
        pthread_mutex_unlock(&job->lock);
}

struct keeper_message job_request(struct job *job)
{
        struct keeper_message request;

        pthread_mutex_lock(&job->lock);
        request = job->request;
        pthread_mutex_unlock(&job->lock);
        return request;
}

void frame_drop(struct backend_frame *frame)
{
        if (frame->memfd >= 0)
                close(STEAL_FD(frame->memfd));
}
