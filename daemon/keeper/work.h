/* SPDX-License-Identifier: MIT */
/*
 * The jobs themselves: what is done with the backend, on whichever thread.
 */
#pragma once

#include "job.h"
#include "keeper.h"
#include "reports.h"

#include <stdatomic.h>

/**
 * struct work - what all jobs share
 * @backend, @pools, @reports: borrowed
 * @system:    held while a page is taken from the system, so that nobody of us takes the one that
 *             is given back and taken again
 * @cancelled: jobs that take end with what they have
 * @aside_lock: over @aside: pages that no pool wanted, until filling is over
 */
struct work {
        struct backend *backend;
        const struct keeper_pool *pools;
        struct reports *reports;
        pthread_mutex_t system;
        atomic_bool cancelled;
        pthread_mutex_t aside_lock;
        TAILQ_HEAD(, aside) aside;
};

void work_init(struct work *work, const struct keeper_settings *settings, struct reports *reports);
/* Drops what is aside. */
void work_deinit(struct work *work);

void work_take(struct work *work, struct job *job);
void work_verify(struct work *work, struct job *job);
void work_drop_aside(struct work *work);

/**
 * work_leave() - try to give a frame back
 * @ret_holder: who keeps it
 *
 * Return: whether it is gone, and a page taken again as far as possible. If not: try again later.
 */
bool work_leave(struct work *work, struct job *job, enum backend_holder *ret_holder);
