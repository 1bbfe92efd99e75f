/* SPDX-License-Identifier: MIT */
/*
 * Frames that somebody still refers to: tried again when the kernel says that one of their files
 * was closed, when the worker thinks that it might help, and now and then, less and less often. On
 * threads of their own, so that those who hold on to memory delay nobody else.
 */
#pragma once

#include "closings.h"
#include "job.h"
#include "work.h"

RB_HEAD(lingering_tree, job);

#define LINGERING_WAIT_FIRST_NS (NS_PER_MS)
#define LINGERING_WAIT_MAX_NS   (NS_PER_S)

/* Whose closings the kernel tells. */
#define LINGERING_WATCHED_MAX_NS (10 * NS_PER_S)

/* Of references to pages nobody tells. A look takes the kernel 0.16 s, most of it asleep. */
#define LINGERING_PAGES_FIRST_NS (100 * NS_PER_MS)
#define LINGERING_PAGES_MAX_NS   (NS_PER_S)

/* Threads whose looks may take long. */
#define LINGERING_SLOW_THREADS 4

struct lingering;

/**
 * struct lingering_line - jobs that wait for the same threads
 * @jobs:    by when they are due
 * @changed: under lingering::lock
 */
struct lingering_line {
        struct lingering *lingering;
        struct lingering_tree jobs;
        pthread_cond_t changed;
};

/**
 * struct lingering - the waiting jobs
 * @lock:    over the rest
 * @quick:   with one thread, the first of @threads
 * @slow:    with the others
 * @calling_back: every job goes back to the main loop instead of being tried again
 */
struct lingering {
        struct work *work;
        pthread_t threads[1 + LINGERING_SLOW_THREADS];
        unsigned n_threads;
        pthread_mutex_t lock;
        struct lingering_line quick, slow;
        struct closings closings;
        bool calling_back, stopping;
};

/**
 * lingering_init() - start the threads
 * @work: borrowed
 *
 * Return: 0; negative errno.
 */
int lingering_init(struct lingering *lingering, struct work *work);

/* Call all jobs back, and end the threads. */
void lingering_stop(struct lingering *lingering);
void lingering_deinit(struct lingering *lingering);

/* lingering_begin() - the first look at a frame whose owner is known to hold on to memory */
void lingering_begin(struct lingering *lingering, struct job *job);

/* lingering_add() - a look at the frame showed that @holder keeps it */
void lingering_add(struct lingering *lingering, struct job *job, enum backend_holder holder);

/* lingering_nudge() - look now; if a look is under way, once more after it. */
void lingering_nudge(struct lingering *lingering, struct job *job);

/* lingering_hear() - look at the frames whose files were closed; when closings.fd is readable */
void lingering_hear(struct lingering *lingering);

/* lingering_call_back() - with true: jobs end with @left false, until told false. */
void lingering_call_back(struct lingering *lingering, bool calling_back);
