/* SPDX-License-Identifier: MIT */
/*
 * Pages that were taken and are not wanted by whoever took them: kept while he goes on, or they
 * would come again and again, and there for others who look for some.
 */
#pragma once

#include "backend.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

struct aside_page;

/**
 * struct aside - the pages
 * @lock: over the rest
 */
struct aside {
        pthread_mutex_t lock;
        TAILQ_HEAD(aside_list, aside_page) pages;
};

void aside_init(struct aside *aside);
/* Drops what is there. */
void aside_deinit(struct aside *aside);

/**
 * aside_put() - keep a page
 * @owner: whoever goes on looking; a name, nothing is done with it. NULL: nobody does
 * @frame: consumed on success
 *
 * Return: 0; -ENOMEM.
 */
int aside_put(struct aside *aside, const void *owner, const struct backend_frame *frame);

/**
 * aside_take() - get a page that suits
 * @suits: asked about one after another; must not call back
 * @ret:   owned by the caller
 *
 * Return: whether there is one.
 */
bool aside_take(struct aside *aside, bool (*suits)(void *data, const struct backend_frame *frame),
                void *data, struct backend_frame *ret);

/* aside_next() - get a page of this owner; NULL: one whose owner has ended. As aside_take(). */
bool aside_next(struct aside *aside, const void *owner, struct backend_frame *ret);

/* Whether there is a page whose owner has ended. */
bool aside_is_loose(struct aside *aside);

/* The owner ends; his pages stay. */
void aside_disown(struct aside *aside, const void *owner);
