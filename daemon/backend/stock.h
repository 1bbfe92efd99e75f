/* SPDX-License-Identifier: MIT */
/*
 * The hugepages that the daemon adds to the system's, and gives back.
 */
#pragma once

#include "hugetlb.h"
#include "record.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct stock - what was added, and where
 * @root:    owned; where sysfs and procfs are
 * @reserve: pages may be added
 * @keep_free_bytes: never leave the system less available memory than this
 * @tell:    as in struct hugetlb_settings
 * @nodes:   @n_nodes NUMA nodes that have hugepages of their own, owned; one NODE_ANY where the
 *           system tells of none
 * @lock:    over the rest
 *
 * Zero it before first use.
 */
struct stock {
        char *root;
        bool reserve;
        atomic_uint_fast64_t keep_free_bytes;
        void (*tell)(const char *sentence);
        int *nodes;
        size_t n_nodes;
        pthread_mutex_t lock;
        struct record record;
};

/**
 * stock_init() - see that hugepages can be added, and adopt what a killed daemon left
 * @settings: borrowed for the call
 * @error:    a sentence of at most @error_bytes, written on failure
 *
 * Adds nothing. What was adopted stays in the stock, or is given back at once where the daemon is
 * not to reserve.
 *
 * Return: 0; -ENOENT where there are no hugepages of a needed size (on that node); -EACCES, -EPERM,
 * -EROFS without permission; -EBUSY where another daemon keeps the same record; other negative
 * errno. On failure stock_deinit() does nothing.
 */
int stock_init(struct stock *stock, const struct hugetlb_settings *settings, char *error,
               size_t error_bytes);

/**
 * stock_deinit() - take away again what was added, no more and no less
 *
 * Pages that are still in use go as soon as they no longer are.
 */
void stock_deinit(struct stock *stock);

/* These are more(), less(), demotable(), demote() and set_keep_free() of struct backend_ops. */
int stock_more(struct stock *stock, uint64_t page_bytes, int node, uint64_t count,
               uint64_t *ret_added);
void stock_less(struct stock *stock, uint64_t page_bytes, int node, uint64_t count);
uint64_t stock_demotable(const struct stock *stock, uint64_t small_bytes);
int stock_demote(struct stock *stock, uint64_t page_bytes, int node, uint64_t small_bytes);
void stock_set_keep_free(struct stock *stock, uint64_t bytes);

/**
 * stock_reclaim() - up to @count surplus pages, which a former pard no longer reserves although
 * they are used, are persistent ones again, and this one's to give back
 *
 * Where pard does not reserve nothing happens. A failure costs the pages when they come free.
 */
void stock_reclaim(struct stock *stock, uint64_t page_bytes, uint64_t count);
