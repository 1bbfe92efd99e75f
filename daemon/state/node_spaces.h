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

/**
 * struct node_spaces - zero it before first use
 * @count: there is none at this index and above
 */
struct node_spaces {
        struct space *of[NODE_INDEXES];
        unsigned count;
};

void node_spaces_deinit(struct node_spaces *spaces);

/**
 * node_spaces_hold() - make sure that changes of a node's space cannot fail
 * @index:       of the node; its space is made where there is none
 * @range:       where they will be, whole granules (GRANULE_BYTES)
 * @grain_bytes: power of two of which both ends of each are multiples
 *
 * Return: 0; -ENOMEM, and nothing changed.
 */
int node_spaces_hold(struct node_spaces *spaces, unsigned index, struct range range,
                     uint64_t grain_bytes);
void node_spaces_release(struct node_spaces *spaces, unsigned index, struct range range,
                         uint64_t grain_bytes);

/* Changes inside what is held: see space_add(), space_remove(), space_clear(). */
void node_spaces_add(struct node_spaces *spaces, unsigned index, struct range range);
void node_spaces_remove(struct node_spaces *spaces, unsigned index, struct range range);
void node_spaces_clear(struct node_spaces *spaces, unsigned index, struct range range);

uint64_t node_spaces_bytes(const struct node_spaces *spaces);
uint64_t node_spaces_bytes_in(const struct node_spaces *spaces, struct range window);

/* Several of them as the search wants them. */
struct space_list {
        const struct space *of[PLACEMENT_SPACES_MAX];
        size_t count;
};

/* Append the spaces of the nodes in @nodes (bit mask; 0: all). NULL is fine. */
void space_list_add(struct space_list *list, const struct node_spaces *spaces, uint64_t nodes);
