/* SPDX-License-Identifier: MIT */
/*
 * One kind of free memory, by NUMA node: a space for each node that has any.
 */
#pragma once

#include "placement.h"

#include <stddef.h>
#include <stdint.h>

#define NODES_MAX 64

/* Index of a node's space: frames of no known node come last, and only for those who do not care.
 */
#define NODE_INDEX_UNKNOWN NODES_MAX
#define NODE_INDEXES       (NODES_MAX + 1)

static inline unsigned node_index(int node)
{
        return node >= 0 && node < NODES_MAX ? (unsigned)node : NODE_INDEX_UNKNOWN;
}

/* Zero it before first use. */
struct node_spaces {
        struct space *of[NODE_INDEXES];
};

/**
 * node_spaces_reserve() - make sure of @n_changes changes to a node's space
 *
 * Return: 0; -ENOMEM.
 */
int node_spaces_reserve(struct node_spaces *spaces, unsigned index, size_t n_changes);
void node_spaces_deinit(struct node_spaces *spaces);

uint64_t node_spaces_bytes(const struct node_spaces *spaces);
uint64_t node_spaces_bytes_in(const struct node_spaces *spaces, struct range window);

size_t node_spaces_ranges(const struct node_spaces *spaces); /* how many pieces */

/* Several of them as the search wants them. */
struct space_list {
        const struct space *of[PLACEMENT_SPACES_MAX];
        size_t count;
};

/* Append the spaces of the nodes in @nodes (bit mask; 0: all). NULL is fine. */
void space_list_add(struct space_list *list, const struct node_spaces *spaces, uint64_t nodes);
