/* SPDX-License-Identifier: MIT */
/*
 * A heap that fails on demand: malloc(), calloc(), realloc() and reallocarray() of a program that
 * is linked with par-heap go through it. Without a demand it is the C library's. A demand is one of
 * the calling thread, and so is what is counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/**
 * heap_fail() - let allocations fail
 * @first: number of the first one that does; the next one from now on is 1
 * @last:  number of the last one that does; ULONG_MAX: all from @first on
 */
void heap_fail(unsigned long first, unsigned long last);

/* Let none fail any more. Return: whether one did since heap_fail(). */
bool heap_mend(void);

/* Bytes asked for since the program began, and had. */
size_t heap_asked_bytes(void);
