/* SPDX-License-Identifier: MIT */
/*
 * In which order the invented machine comes to its pages: for each kind of wish every page that
 * fits it, once, in a pseudo-random order that is computed from the page's number.
 */
#pragma once

#include "sim.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

TAILQ_HEAD(sim_walk_list, sim_walk);

/* What a page is asked for by. */
struct sim_wish {
        uint64_t page_bytes;
        int node;
        struct range window;
};

/* A run of whole pages: the lowest, and their number. */
struct sim_part {
        uint64_t first, pages;
        int node;
};

/**
 * struct sim_walks - how far each walk has come
 * @list:  owned, latest first
 */
struct sim_walks {
        struct sim_walk_list list;
        unsigned n;
};

/* struct sim_step - a page that a walk has come to */
struct sim_step {
        uint64_t phys;
        int node;
};

void sim_walks_init(struct sim_walks *walks);
void sim_walks_deinit(struct sim_walks *walks);

/**
 * sim_walk_next() - the next page for a wish
 * @settings: which pages there are, and the seed of the order; 0: from the top down
 *
 * A walk that was not used for long may begin again: whoever asks knows which pages it has.
 *
 * Return: 0; -ENOMEM where the walk is at its end, or memory for it.
 */
int sim_walk_next(struct sim_walks *walks, const struct sim_settings *settings,
                  const struct sim_wish *wish, struct sim_step *ret);

/**
 * sim_part_of() - the whole pages of an extent that fit a wish
 *
 * Return: false where there is none.
 */
bool sim_part_of(const struct sim_extent *extent, const struct sim_wish *wish,
                 struct sim_part *ret);
