/* SPDX-License-Identifier: MIT */
/*
 * Pages that are to be taken out of the system's stock again: so many of a size and a node. Whoever
 * gives one back notes it here and need not wait until it can be done.
 */
#pragma once

#include "backend.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define DEBTS_MAX 128

/**
 * struct debts - what is owed
 * @lock: over the rest
 */
struct debts {
        pthread_mutex_t lock;
        struct debt {
                uint64_t page_bytes, pages;
                int node;
        } all[DEBTS_MAX];
        unsigned n;
};

void debts_init(struct debts *debts);
void debts_deinit(struct debts *debts);

/* Add @pages. */
void debts_add(struct debts *debts, uint64_t page_bytes, int node, uint64_t pages);

/* Whether anything is owed. */
bool debts_any(struct debts *debts);

/**
 * debts_next() - take a part of what is owed off the list, to be done now
 * @step_bytes: at most so much; at least one page
 * @ret:        @pages is how many
 *
 * Return: whether there was any.
 */
bool debts_next(struct debts *debts, uint64_t step_bytes, struct debt *ret);
