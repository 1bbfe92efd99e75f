/* SPDX-License-Identifier: MIT */
/*
 * Files for what reads /proc and /sys below a root that it is told: a folder of the test's own.
 * Every failure is the test's.
 */
#pragma once

#include <stddef.h>

/**
 * struct file_tree - one such folder
 * @root: its path
 */
struct file_tree {
        char root[64];
};

void file_tree_init(struct file_tree *tree);

/* Remove it, with all that is in it. */
void file_tree_deinit(const struct file_tree *tree);

/**
 * file_tree_put() - write a file, and make the folders that it is in
 * @path: absolute, as if the tree were the root
 * @text: all that it has from now on
 */
void file_tree_put(const struct file_tree *tree, const char *path, const char *text);
