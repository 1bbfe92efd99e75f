/* SPDX-License-Identifier: MIT */
/*
 * Pages that are nobody's frame, each with its file. Several threads may use a list.
 */
#pragma once

#include "range.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* struct page - one of them: @fd is owned by the list */
struct page {
        int fd;
        uint64_t phys;
};

/**
 * struct page_list - all of them
 * @pages: @n_pages entries, the latest last, owned
 * @lock:  over them
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

/**
 * page_list_take_latest(), page_list_take_first() - take out the page that was added last, of those
 * inside a window; the one that was added first
 *
 * Return: its file, owned by the caller; -1: there is none.
 */
int page_list_take_latest(struct page_list *list, struct range window);
int page_list_take_first(struct page_list *list);
