/* SPDX-License-Identifier: MIT */
/*
 * A balanced tree of disjoint runs by address, each node of which knows how many bytes lie below it
 * and how long the longest run there is. Private to the core: space.c is its only user.
 *
 * The tree is its root pointer, NULL when empty. It allocates nothing: nodes come from and go back
 * to the caller.
 */
#pragma once

#include "range.h"

/**
 * struct run - one node
 * @at:      the run; set by the caller before run_tree_insert(), not changed while in the tree
 * @left:    runs below, owned by the tree
 * @right:   runs above, owned by the tree
 * @bytes:   in this subtree
 * @longest: bytes of the longest run of this subtree
 * @height:  of this subtree, 1 for a leaf
 */
struct run {
        struct range at;
        struct run *left, *right;
        uint64_t bytes, longest;
        int height;
};

/* Add a run that overlaps none. Return: the new root. */
struct run *run_tree_insert(struct run *root, struct run *run);

/* Take out the run that starts at @first, which must be there. Return: the new root. */
struct run *run_tree_remove(struct run *root, uint64_t first, struct run **ret);

/* The highest run that starts at @address or below and is at least @bytes long; or NULL. */
struct run *run_tree_below(struct run *root, uint64_t address, uint64_t bytes);

/* The lowest run that starts at @address or above; or NULL. */
struct run *run_tree_above(struct run *root, uint64_t address);

/* Bytes at @address and below. */
uint64_t run_tree_bytes(const struct run *root, uint64_t address);

/* Assert everything that is promised above, and that runs do not touch. */
void run_tree_check(const struct run *root);
