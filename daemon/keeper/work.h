/* SPDX-License-Identifier: MIT */
/*
 * The jobs themselves: what is done with the backend, on whichever thread. Takes are in source.h.
 */
#pragma once

#include "aside.h"
#include "debts.h"
#include "fair_lock.h"
#include "job.h"
#include "keeper.h"
#include "reports.h"

#include <stdatomic.h>

/**
 * struct work - what all jobs share
 * @backend, @pools, @reports: borrowed
 * @stock:     held while pages are added to the stock or taken out of it, which may be long. Comes
 *             before @system
 * @system:    shared by who takes a page from the stock; had alone while one is given back and
 * taken again, so that nobody else of us gets it, or is taken out; never for long, but by takes
 * time and again: hence in turn
 * @debts:     pages that are to be taken out of the stock
 * @late:      and those with which the system was not done when they were given back
 * @adding:    counts up when a thread begins to add pages to the stock, and when it ends
 * @cancelled: takes end with what they have
 * @filling:   the pools are being filled for the first time: what is aside stays there
 * @stopping:  pard ends: nothing that is held needs to be given back with care
 * @turn_lock, @turn_changed: over the rest
 * @harvesting: a take holds pages beyond what it wants: one at a time does
 * @sought, @sought_bytes: where it looks for pages, and of which size
 */
struct work {
        struct backend *backend;
        const struct keeper_pool *pools;
        uint32_t n_pools;
        struct reports *reports;
        pthread_mutex_t stock;
        struct fair_lock system;
        struct debts debts, late;
        atomic_uint adding;
        atomic_bool cancelled, filling, stopping;
        struct aside aside;
        pthread_mutex_t turn_lock;
        pthread_cond_t turn_changed;
        atomic_bool harvesting;
        struct range sought;
        uint64_t sought_bytes;
};

void work_init(struct work *work, const struct keeper_settings *settings, struct reports *reports);
/* Drops what is aside. */
void work_deinit(struct work *work);

/* Whether a page is what a KEEPER_TAKE or KEEPER_LEAVE asks for. */
bool work_suits(const struct work *work, const struct backend_frame *frame,
                const struct keeper_message *request);

/* work_more(), work_demote() - as the backend's more() and demote(), and others know of it */
int work_more(struct work *work, uint64_t page_bytes, int node, uint64_t count,
              uint64_t *ret_added);
int work_demote(struct work *work, uint64_t page_bytes, int node, uint64_t small_bytes);

/* work_less() - as the backend's less(), in steps between which others have their turn; until it is
 * done */
void work_less(struct work *work, uint64_t page_bytes, int node, uint64_t count);

/* Return a page that nobody was shown to the system, and out of the stock; it is consumed. */
void work_give_back(struct work *work, struct backend_frame *frame);

void work_verify(struct work *work, struct job *job);
void work_tidy(struct work *work, struct job *job);

/**
 * work_leave() - try to give a frame back
 * @ret_holder: who keeps it
 *
 * Return: whether it is gone, and a page taken again as far as possible. If not: try again later.
 */
bool work_leave(struct work *work, struct job *job, enum backend_holder *ret_holder);

/* Takes that wait for something look whether they are over. */
void work_wake(struct work *work);
