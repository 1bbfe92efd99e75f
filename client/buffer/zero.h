/* SPDX-License-Identifier: MIT */
/*
 * Zeroing of memory that its owner had before: pard never touches what is granted.
 */
#pragma once

#include <stddef.h>

/* From here on it goes past the caches: twice what each of the processors it was measured on has of
 * its own (docs/performance.md). */
#define ZERO_PAST_CACHES_BYTES ((size_t)4 << 20)

/**
 * zero_bytes() - zero memory, of any alignment
 *
 * Whatever is stored after it is seen after it, by other processors and by devices, as it would be
 * after memset().
 */
void zero_bytes(void *at, size_t bytes);

/* The same past the caches, however much it is; where the processor has no such stores that is
 * memset(). */
void zero_past_caches(void *at, size_t bytes);
