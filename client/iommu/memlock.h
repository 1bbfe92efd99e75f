/* SPDX-License-Identifier: MIT */
/*
 * The limit of locked memory, which mappings for devices count against.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * struct memlock - what this process may lock, and has locked
 * @limit_bytes:  RLIMIT_MEMLOCK; UINT64_MAX: none
 * @locked_bytes: VmLck, which has what VFIO mapped
 */
struct memlock {
        uint64_t limit_bytes, locked_bytes;
};

/* Return: false where the kernel does not say. */
bool memlock_read(struct memlock *ret);
