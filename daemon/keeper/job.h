/* SPDX-License-Identifier: MIT */
/*
 * What the keeper's main loop asks its threads to do, and what they report. A job belongs to the
 * thread that works on it from jobs_add() until its report of the end; only its request may be
 * changed meanwhile, through job_update().
 */
#pragma once

#include "addresses.h"
#include "backend.h"
#include "keeper_protocol.h"

#include <bsd/sys/tree.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define VERIFY_BATCH 16

enum job_kind {
        JOB_TAKE,   /* get frames from the system */
        JOB_LEAVE,  /* give one back, and perhaps get its page again */
        JOB_VERIFY, /* read addresses again */
        JOB_TIDY,   /* give back what was kept aside, and what is left over in the stock */
};

enum report_kind {
        REPORT_FRAME,    /* a JOB_TAKE got @frame, owned by the receiver */
        REPORT_PROGRESS, /* a JOB_TAKE goes on: @progress */
        REPORT_LINGERS,  /* a JOB_LEAVE goes on, but not soon: @holder */
        REPORT_SEEN,     /* a device was looked at: @seen; there is no job */
        REPORT_DONE,     /* the job belongs to the main loop again */
};

/**
 * struct progress - how far a take is
 * @had:        frames so far
 * @held_bytes: held beyond what is still wanted
 * @harvests:   it looks for pages in a range, which may take long
 */
struct progress {
        uint32_t had;
        uint64_t held_bytes;
        bool harvests;
};

/* A PCI device was looked at. @epoch: of the watches then; @result: enum keeper_sight, or a
 * negative errno. */
struct sighting {
        uint32_t device, round, epoch;
        int result;
};

/* struct report - one thing that a thread tells the main loop */
struct report {
        STAILQ_ENTRY(report) link; /* reports::queue */
        enum report_kind kind;
        struct job *job;
        struct backend_frame frame;
        enum backend_holder holder;
        struct progress progress;
        struct sighting seen;
};

/**
 * struct job_take - @kind JOB_TAKE
 * @wanted:    frames that the worker asked for; its request is cut to the slots that there are
 * @own:       where the pool's frames lay when it began, sorted, if its frames have to be runs;
 *             then also those that it got
 * @harvest_max_bytes: most that it may hold beyond what it wants
 * @cancelled: it shall end soon
 * @had:       frames reported
 * @result:    0 or a negative errno: why not as many as requested
 * @most_held_bytes: most that was held at once beyond what was wanted
 * @harvested: pages were held that were not wanted
 * @seen:      lowest and highest address on the way; first above last: none
 */
struct job_take {
        uint32_t wanted;
        struct addresses own;
        uint64_t harvest_max_bytes;
        atomic_bool cancelled;
        uint32_t had;
        int result;
        uint64_t most_held_bytes;
        bool harvested;
        struct {
                uint64_t first, last;
        } seen;
};

/**
 * struct job_leave - @kind JOB_LEAVE
 * @frame:    the frame; released at the end where @left
 * @phys:     where it was before anything was done about it
 * @left:     the frame is gone; otherwise the job was called back
 * @got:      a page was taken again: @fresh, owned by the receiver
 * @same:     and it is the one that was given back
 * @holder:   last reported
 * @due_ns, @wait_ns: when to try again, and how long that was put off
 * @slow:     each look may take long: threads of its own do that
 * @watch:    of the frame's file, see closings.h; 0: it is not watched
 * @nudged:   to be tried again at once if this time it does not leave
 */
struct job_leave {
        struct backend_frame frame, fresh;
        uint64_t phys;
        bool left, got, same;
        enum backend_holder holder;
        RB_ENTRY(job) lingering; /* a lingering_line::jobs, while @waiting */
        bool waiting, slow, nudged;
        uint64_t due_ns, wait_ns;
        RB_ENTRY(job) watched; /* closings::jobs, while @watch is not 0 */
        int watch;
};

/* One frame of a JOB_VERIFY: @frame is borrowed from its slot; @result, @phys as verify() says. */
struct job_verify_item {
        uint32_t slot;
        struct backend_frame frame;
        int result;
        uint64_t phys;
};

/**
 * struct job_tidy - @kind JOB_TIDY
 * @stock: no take is under way: whatever pard has in the stock is not needed
 * @again: the system is not done with some of it: tidy again, later
 */
struct job_tidy {
        bool stock, again;
};

struct job_verify {
        unsigned count;
        struct job_verify_item items[VERIFY_BATCH];
};

/**
 * struct job - one thing to do
 * @lock:    over @request
 * @request: what the worker asked for (JOB_TAKE, JOB_LEAVE)
 * @done:    the report of the end, so that it can always be made
 */
struct job {
        STAILQ_ENTRY(job) queued; /* jobs::queue, or keeper::takes */
        LIST_ENTRY(job) link;     /* keeper::jobs; main loop only */
        enum job_kind kind;
        pthread_mutex_t lock;
        struct keeper_message request;
        struct report done;
        union {
                struct job_take take;
                struct job_leave leave;
                struct job_verify verify;
                struct job_tidy tidy;
        };
};

STAILQ_HEAD(job_queue, job);
LIST_HEAD(job_list, job);

/* NULL without memory. @request is copied; NULL: none. */
struct job *job_new(enum job_kind kind, const struct keeper_message *request);
/* Frames in it are the caller's affair. NULL is fine. */
void job_free(struct job *job);

void job_update(struct job *job, const struct keeper_message *request);
struct keeper_message job_request(struct job *job);

/* Forget a frame at once, without a look at who else has it. */
void frame_drop(struct backend_frame *frame);
