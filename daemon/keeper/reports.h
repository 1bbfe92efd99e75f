/* SPDX-License-Identifier: MIT */
/*
 * From the threads to the main loop: a queue, and a descriptor that is readable while it may hold
 * something.
 */
#pragma once

#include "job.h"

/**
 * struct reports - the queue
 * @event: eventfd, owned
 */
struct reports {
        pthread_mutex_t lock;
        STAILQ_HEAD(, report) queue;
        int event;
};

/* 0; negative errno. */
int reports_init(struct reports *reports);
void reports_deinit(struct reports *reports);

/* The job's end. The job may be freed by the main loop before this returns. */
void reports_done(struct reports *reports, struct job *job);

/**
 * reports_frame() - a frame was had
 * @frame: consumed on success
 *
 * Return: 0; -ENOMEM.
 */
int reports_frame(struct reports *reports, struct job *job, const struct backend_frame *frame);

/* Lost where there is no memory: the next one tells as much. */
void reports_progress(struct reports *reports, struct job *job, const struct progress *progress);
void reports_lingers(struct reports *reports, struct job *job, enum backend_holder holder);

/* Return: 0; -ENOMEM. */
int reports_seen(struct reports *reports, const struct sighting *seen);

/* The next report, or NULL; for the main loop. report_free() when it is dealt with. */
struct report *reports_next(struct reports *reports);
void report_free(struct report *report);

/* Before taking reports: those that come from here on make @event readable again. */
void reports_clear_event(struct reports *reports);
