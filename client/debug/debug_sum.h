/* SPDX-License-Identifier: MIT */
/*
 * Whether memory has changed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So much of a mapping is looked at. */
#define SUM_BYTES_MAX ((size_t)65536)

/**
 * debug_sum() - go on with a sum over memory
 * @sum: of what came before, 0 at first; changed
 *
 * Return: false where the memory is not there, or may not be read, which is found out without
 * touching it.
 */
bool debug_sum(const void *at, size_t bytes, uint64_t *sum);
