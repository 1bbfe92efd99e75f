/* SPDX-License-Identifier: MIT */
/*
 * Owns the pages that are kept aside. While a pool is filled from a range, the system hands out
 * what it likes: what lies elsewhere is kept, or it would come again and again, and is what the
 * next pool looks through first. Refuses to wait for anybody: what cannot be done now is told.
 */
#include "work.h"

#include "macros.h"

#include <errno.h>
#include <stdlib.h>

struct aside {
        TAILQ_ENTRY(aside) link; /* work::aside */
        struct backend_frame frame;
};

void work_init(struct work *work, const struct keeper_settings *settings, struct reports *reports)
{
        *work = (struct work){ .backend = settings->backend,
                               .pools = settings->pools,
                               .reports = reports };
        pthread_mutex_init(&work->system, NULL);
        pthread_mutex_init(&work->aside_lock, NULL);
        TAILQ_INIT(&work->aside);
}

void work_deinit(struct work *work)
{
        struct aside *aside;

        while ((aside = TAILQ_FIRST(&work->aside))) {
                TAILQ_REMOVE(&work->aside, aside, link);
                frame_drop(&aside->frame);
                free(aside);
        }
        pthread_mutex_destroy(&work->system);
        pthread_mutex_destroy(&work->aside_lock);
}

/* A page that nobody was shown: nothing can keep it. */
static void give_up(struct work *work, struct backend_frame *frame)
{
        enum backend_holder holder;

        if (work->backend->ops->let_go(work->backend, frame, true, &holder) == 0)
                (void)work->backend->ops->release(work->backend, frame, &holder);
        frame_drop(frame);
}

static struct range frame_range(const struct backend_frame *frame)
{
        return range_of(frame->phys, frame->page_bytes);
}

static bool must_pin(const struct work *work, const struct keeper_message *request)
{
        return work->pools[request->pool].pin_required;
}

static bool suits(const struct work *work, const struct backend_frame *frame,
                  const struct keeper_message *request)
{
        return frame->page_bytes == request->page_bytes &&
               (request->node == NODE_ANY || request->node == frame->node) &&
               (frame->pinned || !must_pin(work, request)) &&
               range_contains((struct range){ request->first, request->last }, frame_range(frame));
}

static void saw(struct job *job, const struct backend_frame *frame)
{
        struct range at = frame_range(frame);

        if (at.first < job->take.seen.first)
                job->take.seen.first = at.first;
        if (at.last > job->take.seen.last)
                job->take.seen.last = at.last;
}

static bool take_aside(struct work *work, struct job *job, struct backend_frame *ret)
{
        struct aside *aside;

        pthread_mutex_lock(&work->aside_lock);
        TAILQ_FOREACH (aside, &work->aside, link) {
                if (aside->frame.page_bytes == job->request.page_bytes)
                        saw(job, &aside->frame);
                if (suits(work, &aside->frame, &job->request))
                        break;
        }
        if (aside)
                TAILQ_REMOVE(&work->aside, aside, link);
        pthread_mutex_unlock(&work->aside_lock);
        if (!aside)
                return false;
        *ret = aside->frame;
        free(aside);
        return true;
}

static int put_aside(struct work *work, const struct backend_frame *frame)
{
        struct aside *aside;

        aside = calloc(1, sizeof(*aside));
        if (!aside)
                return -ENOMEM;
        aside->frame = *frame;
        pthread_mutex_lock(&work->aside_lock);
        TAILQ_INSERT_TAIL(&work->aside, aside, link);
        pthread_mutex_unlock(&work->aside_lock);
        return 0;
}

static int take_page(struct work *work, const struct keeper_message *request,
                     struct backend_frame *ret)
{
        return work->backend->ops->take(work->backend, request->page_bytes, request->node,
                                        (struct range){ request->first, request->last },
                                        must_pin(work, request), ret);
}

/* Take one page; it becomes a frame, or goes aside. @look_aside: until nothing there suits. */
static int take_one(struct work *work, struct job *job, bool *look_aside)
{
        struct backend_frame frame;
        int r;

        *look_aside = *look_aside && take_aside(work, job, &frame);
        if (!*look_aside) {
                pthread_mutex_lock(&work->system);
                r = take_page(work, &job->request, &frame);
                pthread_mutex_unlock(&work->system);
                if (r)
                        return r;
        }
        saw(job, &frame);
        if (suits(work, &frame, &job->request)) {
                r = reports_frame(work->reports, job, &frame);
                job->take.had += r == 0;
        } else {
                r = put_aside(work, &frame);
        }
        if (r)
                give_up(work, &frame);
        return r;
}

void work_take(struct work *work, struct job *job)
{
        bool look_aside = true;
        int r = 0;

        job->take.seen.first = UINT64_MAX;
        job->take.seen.last = 0;
        while (!r && job->take.had < job->request.count)
                r = atomic_load(&work->cancelled) ? -ECANCELED : take_one(work, job, &look_aside);
        job->take.result = r;
        reports_done(work->reports, job);
}

void work_drop_aside(struct work *work)
{
        struct aside *aside;

        for (;;) {
                pthread_mutex_lock(&work->aside_lock);
                aside = TAILQ_FIRST(&work->aside);
                if (aside)
                        TAILQ_REMOVE(&work->aside, aside, link);
                pthread_mutex_unlock(&work->aside_lock);
                if (!aside)
                        return;
                give_up(work, &aside->frame);
                free(aside);
        }
}

static int release(struct work *work, struct job *job, const struct keeper_message *request,
                   enum backend_holder *ret_holder)
{
        struct job_leave *leave = &job->leave;
        int r;

        pthread_mutex_lock(&work->system);
        r = work->backend->ops->release(work->backend, &leave->frame, ret_holder);
        if (!r && request->flags & KEEPER_RETAKE)
                leave->got = take_page(work, request, &leave->fresh) == 0;
        pthread_mutex_unlock(&work->system);
        if (r || !leave->got)
                return r;

        leave->same = leave->fresh.phys == leave->phys;
        if (!suits(work, &leave->fresh, request)) {
                give_up(work, &leave->fresh);
                leave->got = false;
        }
        return 0;
}

bool work_leave(struct work *work, struct job *job, enum backend_holder *ret_holder)
{
        struct keeper_message request = job_request(job);
        int r;

        request.page_bytes = job->leave.frame.page_bytes;
        /* A failure that says nothing about holders is no proof that there is none. */
        *ret_holder = HOLDER_FILE;
        r = work->backend->ops->let_go(work->backend, &job->leave.frame,
                                       request.flags & KEEPER_OWNER_GONE, ret_holder);
        if (!r)
                r = release(work, job, &request, ret_holder);
        return r == 0;
}

void work_verify(struct work *work, struct job *job)
{
        for (unsigned i = 0; i < job->verify.count; i++) {
                struct job_verify_item *item = &job->verify.items[i];

                item->result = work->backend->ops->verify(work->backend, &item->frame, &item->phys);
        }
        reports_done(work->reports, job);
}
