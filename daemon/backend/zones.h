/* SPDX-License-Identifier: MIT */
/*
 * Where the system's memory lies, and which node's it is: /proc/zoneinfo.
 */
#pragma once

#include "range.h"

#include <stddef.h>

/* struct zone - a range of addresses that a node's memory lies in, perhaps with holes */
struct zone {
        struct range range;
        int node;
};

/**
 * zones_read() - all zones that have memory
 * @root:  "" on a real machine; a directory of fixtures in tests
 * @ret:   by first address; owned by the caller: free()
 * @ret_n: how many
 *
 * Return: 0; -EBADMSG where there is none in the file; other negative errno.
 */
int zones_read(const char *root, struct zone **ret, size_t *ret_n);

/**
 * zones_node_range() - lowest and highest address of a node
 *
 * Return: 0; -ENOENT where no zone is the node's.
 */
int zones_node_range(const struct zone *zones, size_t n, int node, struct range *ret);
