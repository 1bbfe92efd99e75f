/* SPDX-License-Identifier: MIT */
/*
 * Frames that somebody still refers to: tried again and again, less and less often, on a thread of
 * their own, so that those who hold on to memory delay nobody else.
 */
#pragma once

#include "job.h"
#include "work.h"

RB_HEAD(lingering_tree, job);

#define LINGERING_WAIT_FIRST_NS (NS_PER_MS)
#define LINGERING_WAIT_MAX_NS   (NS_PER_S)
/* Each look at referenced pages may take the kernel 0.2 s. */
#define LINGERING_PAGES_FIRST_NS (NS_PER_S)
#define LINGERING_PAGES_MAX_NS   (10 * NS_PER_S)

/**
 * struct lingering - the waiting jobs
 * @lock:    over the rest
 * @quick, @slow: by when they are due; what is slow waits until nothing quick is due
 * @calling_back: every job goes back to the main loop instead of being tried again
 */
struct lingering {
        struct work *work;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        struct lingering_tree quick, slow;
        bool calling_back, stopping;
};

/**
 * lingering_init() - start the thread
 * @work: borrowed
 *
 * Return: 0; negative errno.
 */
int lingering_init(struct lingering *lingering, struct work *work);

/* Call all jobs back, and end the thread. */
void lingering_stop(struct lingering *lingering);
void lingering_deinit(struct lingering *lingering);

/* lingering_begin() - the first look at a frame whose owner is known to hold on to memory */
void lingering_begin(struct lingering *lingering, struct job *job);

/* lingering_add() - a look at the frame showed that @holder keeps it */
void lingering_add(struct lingering *lingering, struct job *job, enum backend_holder holder);

/* lingering_nudge() - look now; if a look is under way, once more after it. */
void lingering_nudge(struct lingering *lingering, struct job *job);

/* lingering_call_back() - with true: jobs end with @left false, until told false. */
void lingering_call_back(struct lingering *lingering, bool calling_back);
