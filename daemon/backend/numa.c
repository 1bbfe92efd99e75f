/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; changes only the calling thread's policy, and only between bind and restore. The
 * system calls are made directly: libnuma would be a library for three of them.
 */
#include "numa.h"

#include <assert.h>
#include <errno.h>
#include <linux/mempolicy.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD_BITS (8 * sizeof(unsigned long))

/* The kernel reads one bit less than it is told. */
#define MASK_BITS ((unsigned long)NUMA_NODES_MAX + 1)

int numa_bind(int node, struct numa_policy *ret_saved)
{
        unsigned long nodes[NUMA_NODES_MAX / WORD_BITS] = { 0 };
        struct numa_policy saved = { 0 };

        assert(node >= 0 && node < NUMA_NODES_MAX);

        if (syscall(SYS_get_mempolicy, &saved.mode, saved.nodes, (unsigned long)NUMA_NODES_MAX,
                    NULL, 0UL) < 0)
                return -errno;
        nodes[(unsigned)node / WORD_BITS] = 1UL << ((unsigned)node % WORD_BITS);
        if (syscall(SYS_set_mempolicy, MPOL_BIND, nodes, MASK_BITS) < 0)
                return -errno;
        *ret_saved = saved;
        return 0;
}

void numa_restore(const struct numa_policy *saved)
{
        (void)syscall(SYS_set_mempolicy, saved->mode, saved->nodes, MASK_BITS);
}

int numa_node_of(const void *address, int *ret_node)
{
        int node;

        if (syscall(SYS_get_mempolicy, &node, NULL, 0UL, address,
                    (unsigned long)(MPOL_F_NODE | MPOL_F_ADDR)) < 0)
                return -errno;
        *ret_node = node;
        return 0;
}
