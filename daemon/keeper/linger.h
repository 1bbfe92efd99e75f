/* SPDX-License-Identifier: MIT */
/*
 * Frames that somebody still refers to: tried again and again, less and less often, on a thread of
 * their own, so that those who hold on to memory delay nobody else.
 */
#pragma once

#include "job.h"
#include "work.h"

RB_HEAD(linger_tree, job);

#define LINGER_WAIT_FIRST_NS (NS_PER_MS)
#define LINGER_WAIT_MAX_NS   (NS_PER_S)
/* Each look at referenced pages may take the kernel 0.2 s. */
#define LINGER_WAIT_PAGES_NS (10 * NS_PER_S)

/**
 * struct linger - the waiting jobs
 * @lock:    over the rest
 * @quick, @slow: by when they are due; what is slow waits until nothing quick is due
 * @calling_back: every job goes back to the main loop instead of being tried again
 */
struct linger {
        struct work *work;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        struct linger_tree quick, slow;
        bool calling_back, stopping;
};

/**
 * linger_init() - start the thread
 * @work: borrowed
 *
 * Return: 0; negative errno.
 */
int linger_init(struct linger *linger, struct work *work);

/* Call all jobs back, and end the thread. */
void linger_stop(struct linger *linger);
void linger_deinit(struct linger *linger);

/* linger_begin() - the first look at a frame whose owner is known to hold on to memory */
void linger_begin(struct linger *linger, struct job *job);

/* linger_add() - a look at the frame showed that @holder keeps it */
void linger_add(struct linger *linger, struct job *job, enum backend_holder holder);

/* linger_nudge() - if the job waits here: look now. */
void linger_nudge(struct linger *linger, struct job *job);

/* linger_call_back() - with true: jobs end with @left false, until told false. */
void linger_call_back(struct linger *linger, bool calling_back);
