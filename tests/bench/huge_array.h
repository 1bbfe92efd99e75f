/* SPDX-License-Identifier: MIT */
/*
 * Large arrays in huge pages, where the system has some. What is compared with the engine lives in
 * the kernel, whose own memory is mapped in huge pages: it shall not lose for want of them.
 */
#pragma once

#include <stddef.h>

/**
 * huge_array_new() - zeroed memory that costs nothing until it is written to
 * @bytes: > 0
 *
 * Return: owned by the caller, for huge_array_free() with the same @bytes; NULL without memory.
 */
void *huge_array_new(size_t bytes);
void huge_array_free(void *array, size_t bytes); /* NULL is fine */
