/* SPDX-License-Identifier: MIT */
/*
 * Owns reports on their way. The report of a job's end is a part of the job, so that it needs no
 * memory and cannot be lost.
 */
#include "reports.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int reports_init(struct reports *reports)
{
        reports->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (reports->event < 0)
                return -errno;
        pthread_mutex_init(&reports->lock, NULL);
        STAILQ_INIT(&reports->queue);
        return 0;
}

void reports_deinit(struct reports *reports)
{
        close(reports->event);
        pthread_mutex_destroy(&reports->lock);
}

static void add(struct reports *reports, struct report *report)
{
        pthread_mutex_lock(&reports->lock);
        STAILQ_INSERT_TAIL(&reports->queue, report, link);
        pthread_mutex_unlock(&reports->lock);
        /* A full counter is readable as well. */
        (void)eventfd_write(reports->event, 1);
}

void reports_done(struct reports *reports, struct job *job)
{
        add(reports, &job->done);
}

int reports_frame(struct reports *reports, struct job *job, const struct backend_frame *frame)
{
        struct report *report;

        report = calloc(1, sizeof(*report));
        if (!report)
                return -ENOMEM;
        *report = (struct report){ .kind = REPORT_FRAME, .job = job, .frame = *frame };
        add(reports, report);
        return 0;
}

void reports_progress(struct reports *reports, struct job *job, const struct progress *progress)
{
        struct report *report;

        report = calloc(1, sizeof(*report));
        if (!report)
                return;
        *report = (struct report){ .kind = REPORT_PROGRESS, .job = job, .progress = *progress };
        add(reports, report);
}

void reports_lingers(struct reports *reports, struct job *job, enum backend_holder holder)
{
        struct report *report;

        report = calloc(1, sizeof(*report));
        if (!report)
                return;
        *report = (struct report){ .kind = REPORT_LINGERS, .job = job, .holder = holder };
        add(reports, report);
}

int reports_seen(struct reports *reports, const struct sighting *seen)
{
        struct report *report;

        report = calloc(1, sizeof(*report));
        if (!report)
                return -ENOMEM;
        *report = (struct report){ .kind = REPORT_SEEN, .seen = *seen };
        add(reports, report);
        return 0;
}

struct report *reports_next(struct reports *reports)
{
        struct report *report;

        pthread_mutex_lock(&reports->lock);
        report = STAILQ_FIRST(&reports->queue);
        if (report)
                STAILQ_REMOVE_HEAD(&reports->queue, link);
        pthread_mutex_unlock(&reports->lock);
        return report;
}

void report_free(struct report *report)
{
        if (report->kind == REPORT_DONE)
                job_free(report->job);
        else
                free(report);
}

void reports_clear_event(struct reports *reports)
{
        eventfd_t count;

        (void)eventfd_read(reports->event, &count);
}
