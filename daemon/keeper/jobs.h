/* SPDX-License-Identifier: MIT */
/*
 * The threads that take and return frames. Takes have threads of their own, one for each pool and
 * one for tidying up after them: they may go on for minutes, and nothing else waits for them.
 */
#pragma once

#include "lingering.h"
#include "reports.h"
#include "watches.h"
#include "work.h"

/**
 * struct crew - threads with one queue
 * @lock:    over @queue and @stopping
 * @threads: @n_threads, owned
 */
struct crew {
        struct jobs *jobs;
        pthread_mutex_t lock;
        pthread_cond_t added;
        struct job_queue queue;
        bool stopping;
        pthread_t *threads;
        unsigned n_threads;
};

/**
 * struct jobs - all threads
 * @reports: what they tell
 * @takers:  for JOB_TAKE and JOB_TIDY
 * @others:  for the rest
 */
struct jobs {
        struct reports reports;
        struct work work;
        struct lingering lingering;
        struct watches watches;
        struct crew takers, others;
};

/**
 * jobs_init() - start the threads
 *
 * Return: 0; negative errno.
 */
int jobs_init(struct jobs *jobs, const struct keeper_settings *settings);

/**
 * jobs_stop() - end the threads
 *
 * What is being taken ends with the current page; jobs that nobody began stay the caller's, without
 * a report. Then jobs_deinit() when the last reports are dealt with.
 */
void jobs_stop(struct jobs *jobs);
void jobs_deinit(struct jobs *jobs);

/* jobs_add() - have it done; it is not the caller's until its REPORT_DONE. */
void jobs_add(struct jobs *jobs, struct job *job);

/* jobs_cancel() - a JOB_TAKE that was added shall end soon, if it has not */
void jobs_cancel(struct jobs *jobs, struct job *job);

/* jobs_wind_up() - with true: end what may take long, until told false. */
void jobs_wind_up(struct jobs *jobs, bool winding_up);
