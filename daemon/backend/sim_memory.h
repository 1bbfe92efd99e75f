/* SPDX-License-Identifier: MIT */
/*
 * The invented machine's pages: which there are, which are taken, and which comes next. Costs
 * memory for pages that were taken once, not for those that exist.
 */
#pragma once

#include "sim.h"

#include <bsd/sys/tree.h>
#include <stdint.h>
#include <sys/queue.h>

RB_HEAD(sim_pages, sim_page);
TAILQ_HEAD(sim_page_list, sim_page);
TAILQ_HEAD(sim_walk_list, sim_walk);

/* What a page is asked for by. */
struct sim_wish {
        uint64_t page_bytes;
        int node;
        struct range window;
};

/**
 * struct sim_memory - all of it
 * @settings: borrowed
 * @known:    pages that were taken at least once, by address; owned
 * @returned: of these, those that are free again, latest first
 * @walks:    for each kind of wish, how far it has come; owned, latest first
 */
struct sim_memory {
        const struct sim_settings *settings;
        struct sim_pages known;
        struct sim_page_list returned;
        struct sim_walk_list walks;
        unsigned n_walks;
};

void sim_memory_init(struct sim_memory *memory, const struct sim_settings *settings);
void sim_memory_deinit(struct sim_memory *memory);

/**
 * sim_memory_take() - take a page
 * @wish:     a page that fits it completely
 * @ret_phys: its address
 * @ret_node: its node
 *
 * What was returned last comes first, as from the kernel; then the others, in the order that the
 * seed decides.
 *
 * Return: 0; -ENOMEM where none is left, or memory for the books.
 */
int sim_memory_take(struct sim_memory *memory, const struct sim_wish *wish, uint64_t *ret_phys,
                    int *ret_node);

/* sim_memory_return() - give a taken page back. */
void sim_memory_return(struct sim_memory *memory, uint64_t phys);
