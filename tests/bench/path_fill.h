/* SPDX-License-Identifier: MIT */
/*
 * Filling of a pool, by as many threads as one says: a take of the keeper's, on real hugepages,
 * without the keeper.
 */
#pragma once

#include <stdint.h>

struct path_fill;

/**
 * path_fill_new() - a backend over the hugepages that are reserved, and what takes work with
 * @ret: path_fill_free()
 *
 * Return: 0; -ENOTSUP where this process may not use them; negative errno.
 */
int path_fill_new(struct path_fill **ret);
/* NULL is fine. */
void path_fill_free(struct path_fill *fill);

/**
 * path_fill_once() - fill a pool, and give everything back
 * @threads:   at most BACKEND_TAKERS_MAX
 * @ret_ticks: spent filling, for each frame
 *
 * Return: 0; negative errno.
 */
int path_fill_once(struct path_fill *fill, unsigned threads, uint64_t *ret_ticks);
