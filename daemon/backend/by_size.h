/* SPDX-License-Identifier: MIT */
/*
 * Two backends as one: pages of one size come from the first, all others from the second.
 */
#pragma once

#include "backend.h"

/**
 * by_size_new() - put two backends together
 * @small_bytes: size of the pages of which @small has all, and @rest none
 * @small, @rest: consumed, also on failure
 * @ret:         owned by the caller: backend_free()
 *
 * Where nodes lie, and how much is left to the system, is @rest's affair; so is whether pins can be
 * had.
 *
 * Return: 0; -ENOMEM.
 */
int by_size_new(uint64_t small_bytes, struct backend *small, struct backend *rest,
                struct backend **ret);
