/* SPDX-License-Identifier: MIT */
/*
 * On which NUMA node memory comes, and where it lies.
 */
#pragma once

#include <stdint.h>

#define NUMA_NODES_MAX 1024

/**
 * struct numa_policy - a thread's memory policy, kept to be put back
 */
struct numa_policy {
        int mode;
        unsigned long nodes[NUMA_NODES_MAX / (8 * sizeof(unsigned long))];
};

/**
 * numa_bind() - let this thread's memory come from one node only
 * @node:      0 to NUMA_NODES_MAX - 1
 * @ret_saved: for numa_restore()
 *
 * Return: 0; -EINVAL where there is no such node; other negative errno.
 */
int numa_bind(int node, struct numa_policy *ret_saved);
void numa_restore(const struct numa_policy *saved);

/**
 * numa_node_of() - the node of the page at an address of this process
 *
 * Return: 0; -ENOSYS where the kernel has no nodes; other negative errno.
 */
int numa_node_of(const void *address, int *ret_node);
