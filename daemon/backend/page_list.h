/* SPDX-License-Identifier: MIT */
/*
 * Pages that are nobody's frame, each with its file. Several threads may use a list.
 */
#pragma once

#include "range.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* struct page - one of them; @node: NODE_ANY where it is not known */
struct page {
        int fd;
        int node;
        uint64_t phys;
};

/**
 * struct page_list - all of them
 * @lock:  over the rest
 * @pages: @n_pages entries, the latest last, owned with their files
 */
struct page_list {
        pthread_mutex_t lock;
        struct page *pages;
        size_t n_pages, room;
};

void page_list_init(struct page_list *list);
void page_list_deinit(struct page_list *list); /* closes the files */

/* page_list_add() - the page is consumed; without memory it is closed, and its file system's. */
void page_list_add(struct page_list *list, struct page page);

size_t page_list_count(struct page_list *list);

/* page_list_sort() - as if they had been added in the order of their addresses */
void page_list_sort(struct page_list *list);

/**
 * page_list_take_latest() - take out the page that was added last, of those inside a window
 * @node: and on this node; NODE_ANY: on any
 * @ret:  owned by the caller; written only where there is one
 *
 * Return: whether there is one.
 */
bool page_list_take_latest(struct page_list *list, struct range window, int node, struct page *ret);

/* page_list_take_first() - the same for the one that was added first, wherever it is */
bool page_list_take_first(struct page_list *list, struct page *ret);

/**
 * page_list_look() - where pages are
 * @window, @node: which of them
 * @ret:   *@ret_n addresses, ascending; owned by the caller
 *
 * Return: 0; -ENOMEM.
 */
int page_list_look(struct page_list *list, struct range window, int node, uint64_t **ret,
                   size_t *ret_n);
