/* SPDX-License-Identifier: MIT */
/*
 * Parts of buffers by their I/O addresses. Parts may overlap: clients have spaces of their own.
 */
#pragma once

#include "io_mapping.h"

RB_HEAD(io_tree, io_part);

void io_tree_insert(struct io_tree *tree, struct io_part *part);
void io_tree_remove(struct io_tree *tree, struct io_part *part);

/**
 * io_tree_visit() - the parts that have an address
 * @visit: called with each, the lowest first, until it returns false
 *
 * Return: whether all of them were visited. Takes the logarithm of their number for each.
 */
bool io_tree_visit(const struct io_tree *tree, uint64_t address,
                   bool (*visit)(void *data, const struct io_part *part), void *data);

/* A part with the same addresses, of the same client, space and label as this one; NULL: there is
 * none. */
struct io_part *io_tree_same(struct io_tree *tree, const struct io_part *part);
