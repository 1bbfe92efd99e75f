/* SPDX-License-Identifier: MIT */
/*
 * The invented machine's pages: which there are, which of them are stock, which are taken, and
 * which comes next. Costs memory for pages that were asked for once, not for those that exist.
 */
#pragma once

#include "sim_walk.h"

#include <bsd/sys/tree.h>
#include <stdint.h>
#include <sys/queue.h>

RB_HEAD(sim_pages, sim_page);
TAILQ_HEAD(sim_page_list, sim_page);

/**
 * struct sim_memory - all of it
 * @settings: borrowed
 * @known:    pages that were asked for at least once, by address; owned
 * @stock:    of these, those that are stock and free, latest first
 * @outside:  of these, those that are the system's again, latest first; the rest are taken
 * @walks:    how the others are come by
 * @bytes:    stock, free and taken
 */
struct sim_memory {
        const struct sim_settings *settings;
        struct sim_pages known;
        struct sim_page_list stock, outside;
        struct sim_walks walks;
        uint64_t bytes;
};

void sim_memory_init(struct sim_memory *memory, const struct sim_settings *settings);
void sim_memory_deinit(struct sim_memory *memory);

/**
 * sim_memory_take() - take a page of the stock
 * @wish:     a page that fits it completely
 * @ret_phys: its address
 * @ret_node: its node
 *
 * What came into the stock last comes first, as from the kernel. A machine that is not blind makes
 * any page of its own stock that is wished for.
 *
 * Return: 0; -ENOMEM where none is left, or memory for the books.
 */
int sim_memory_take(struct sim_memory *memory, const struct sim_wish *wish, uint64_t *ret_phys,
                    int *ret_node);

/**
 * sim_memory_adopt() - a page was taken before these books were begun
 *
 * Return: 0; -ENOMEM; -EEXIST where it is known already.
 */
int sim_memory_adopt(struct sim_memory *memory, uint64_t phys, uint64_t page_bytes, int node);

/* sim_memory_return() - put a taken page back into the stock. */
void sim_memory_return(struct sim_memory *memory, uint64_t phys);

/**
 * sim_memory_more() - make one more page of the system's stock
 * @wish: of which size, where
 *
 * What left the stock last comes first, then the others in the order that the seed decides.
 *
 * Return: 0; -ENOMEM where there is no page left, or memory for the books.
 */
int sim_memory_more(struct sim_memory *memory, const struct sim_wish *wish);

/* sim_memory_less() - let the system have a free page of the stock; false where there is none. */
bool sim_memory_less(struct sim_memory *memory, const struct sim_wish *wish);

/**
 * sim_memory_demote() - make a free page of the stock into small ones
 *
 * Return: 0; -ENOMEM where there is no such page, or memory for the books.
 */
int sim_memory_demote(struct sim_memory *memory, const struct sim_wish *wish, uint64_t small_bytes);

/**
 * sim_memory_look() - the addresses of all pages that take() would find for a wish
 * @ret:   ascending; owned by the caller: free()
 * @ret_n: how many
 *
 * Return: 0; -ENOMEM.
 */
int sim_memory_look(struct sim_memory *memory, const struct sim_wish *wish, uint64_t **ret,
                    size_t *ret_n);

/* sim_memory_left() - bytes that may still become stock; UINT64_MAX where nothing limits that. */
uint64_t sim_memory_left(const struct sim_memory *memory);
