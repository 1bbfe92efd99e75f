/* SPDX-License-Identifier: MIT */
/*
 * A space is a set of addresses, kept as disjoint ranges in multiples of a granule: the free part
 * of a pool, of an owner's frames, of an I/O address space. Pure data: no system calls but the
 * heap's.
 *
 * Changes are prepared with space_reserve(), which may fail, and then made, which cannot: a commit
 * is all or nothing. Each space_add() and space_remove() uses up one reserved change; a change may
 * be reserved long before it is made (whoever takes memory reserves its giving back too).
 */
#pragma once

#include "range.h"

#include <stddef.h>

struct space;

/**
 * space_new() - an empty space
 * @granule_bytes: power of two; every range begins and ends on a multiple of it
 * @ret:           owned by the caller
 *
 * Return: 0; -ENOMEM.
 */
int space_new(uint64_t granule_bytes, struct space **ret);
void space_free(struct space *space); /* NULL is fine */

/**
 * space_reserve() - make sure that changes to come cannot fail
 * @space:     whose changes
 * @n_changes: how many more calls of space_add() and space_remove() to be sure of
 *
 * Return: 0; -ENOMEM, and nothing changed.
 */
int space_reserve(struct space *space, size_t n_changes);

/* Give up changes that were reserved and will not be made. */
void space_unreserve(struct space *space, size_t n_changes);

/* Add a range that must not overlap what is there. Merges with its neighbours. */
void space_add(struct space *space, struct range range);

/* Remove a range that must be there entirely. */
void space_remove(struct space *space, struct range range);

bool space_contains(const struct space *space, struct range range);

/* What space_new() was given. */
uint64_t space_granule(const struct space *space);

/* How many ranges, none of which touch, it consists of. */
size_t space_ranges(const struct space *space);

/* Bytes in the space. The whole 64-bit space may not be in it at once. */
uint64_t space_bytes(const struct space *space);

/* Bytes of the space inside a window. */
uint64_t space_bytes_in(const struct space *space, struct range window);

/**
 * space_next() - the ranges of a space in ascending order
 * @space: borrowed
 * @from:  look at this address and above
 * @ret:   the first range that ends at @from or above, clipped to start no lower than @from
 *
 * Return: whether there is one.
 */
bool space_next(const struct space *space, uint64_t from, struct range *ret);

/**
 * space_prev() - the ranges of a space in descending order
 * @space: borrowed
 * @from:  look at this address and below
 * @ret:   the last range that starts at @from or below, clipped to end no higher than @from
 *
 * Return: whether there is one.
 */
bool space_prev(const struct space *space, uint64_t from, struct range *ret);

/**
 * space_prev_longer() - like space_prev(), but only ranges of at least @size_bytes
 *
 * Short ranges are passed over without being visited one by one. The size is that of the whole
 * range, before clipping.
 */
bool space_prev_longer(const struct space *space, uint64_t from, uint64_t size_bytes,
                       struct range *ret);

/* Walk every invariant of the structure; asserts. For tests and debug builds. */
void space_check(const struct space *space);
