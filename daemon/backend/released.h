/* SPDX-License-Identifier: MIT */
/*
 * Pages that were given back to the kernel and did not become free, as far as their flags tell:
 * each is either kept by somebody unseen, or was free and has been taken again. The latter is known
 * where we took it ourselves.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct released - the pages that are watched: none or a few
 * @lock:  over the rest
 * @pages: @n_pages of room for @room, owned
 * @last:  name of the latest watch
 */
struct released {
        pthread_mutex_t lock;
        struct released_page *pages;
        size_t n_pages, room;
        uint32_t last;
};

void released_init(struct released *released);
void released_deinit(struct released *released);

/**
 * released_watch() - before the page at @phys is given back
 * @ret_watch: name of this watch, for the calls below
 *
 * Return: 0; -ENOMEM.
 */
int released_watch(struct released *released, uint64_t phys, uint32_t *ret_watch);

/* The page at @phys was taken from the system: it had been free. */
void released_seen(struct released *released, uint64_t phys);

/* Whether that happened since the watch began. */
bool released_was_seen(struct released *released, uint32_t watch);

/* End a watch. */
void released_forget(struct released *released, uint32_t watch);
