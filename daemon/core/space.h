/* SPDX-License-Identifier: MIT */
/*
 * A space is a set of addresses, kept in multiples of a granule: the free part of a pool, of an
 * owner's frames, of an I/O address space. Ranges are added (given, given back) and removed (taken,
 * taken out of service); a search finds the highest or the lowest place with a size and an
 * alignment. Pure data: no system calls but the heap's.
 *
 * No operation costs more than a walk or two from the root to the leaves of a tree whose height is
 * the logarithm of the part of the address space that is spanned: see space_visits_max(). What is
 * all free or all taken costs no memory, however large; what is mixed costs at most 64 KiB for each
 * 2^18 granules, which is a gigabyte of 4 KiB.
 *
 * A change may need memory, and fails without it. Whoever cannot bear that holds the range first
 * (space_hold()): changes inside what is held do not fail.
 */
#pragma once

#include "range.h"

#include <stddef.h>

struct space;

/* Smaller granules are refused: the number of granules of the 64-bit space has to be countable. */
#define SPACE_GRANULE_MIN 16

/**
 * space_new() - an empty space
 * @granule_bytes: power of two, SPACE_GRANULE_MIN at least; every range begins and ends on a
 *                 multiple of it
 * @ret:           owned by the caller
 *
 * Return: 0; -ENOMEM.
 */
int space_new(uint64_t granule_bytes, struct space **ret);
void space_free(struct space *space); /* NULL is fine */

/**
 * space_hold() - make sure that changes to come cannot fail
 * @space:       whose changes
 * @range:       where
 * @grain_bytes: power of two, a multiple of the granule: each change will begin and end on a
 *               multiple of it, and so does @range. The larger it is, the less memory is set
 *               aside
 *
 * Until space_release() with the same arguments, changes of ranges that lie in @range and begin and
 * end on multiples of @grain_bytes return 0. Holds may overlap, and be held several times. The
 * content does not change.
 *
 * Return: 0; -ENOMEM, and nothing changed.
 */
int space_hold(struct space *space, struct range range, uint64_t grain_bytes);
void space_release(struct space *space, struct range range, uint64_t grain_bytes);

/**
 * space_add() - add a range that must not overlap what is there
 *
 * It merges with its neighbours.
 *
 * Return: 0; -ENOMEM, and nothing changed.
 */
int space_add(struct space *space, struct range range);

/**
 * space_remove() - remove a range that must be there entirely
 *
 * Return: 0; -ENOMEM, and nothing changed.
 */
int space_remove(struct space *space, struct range range);

/**
 * space_clear() - remove whatever is there in a range
 *
 * Return: 0; -ENOMEM, and nothing changed.
 */
int space_clear(struct space *space, struct range range);

/**
 * enum space_end - where a search begins
 * SPACE_HIGHEST: at the upper end of the window
 * SPACE_LOWEST:  at its lower end
 */
enum space_end { SPACE_HIGHEST, SPACE_LOWEST };

/**
 * space_find() - the highest or the lowest place of a size
 * @space:       borrowed
 * @window:      the place lies in it
 * @size_bytes:  of the place, > 0; rounded up to the granule
 * @align_bytes: power of two; the place begins on a multiple of it, and of the granule
 * @end:         which one, if there are several
 * @ret:         the place
 *
 * Exact: it finds a place whenever there is one, and always the outermost. It visits at most
 * space_visits_max() nodes, whether it finds one or not.
 *
 * Return: whether there is one.
 */
bool space_find(const struct space *space, struct range window, uint64_t size_bytes,
                uint64_t align_bytes, enum space_end end, struct range *ret);

/* Bytes of the longest run inside a window, the whole granules of it; 0 where there is nothing. */
uint64_t space_longest(const struct space *space, struct range window);

bool space_contains(const struct space *space, struct range range);

/* What space_new() was given. */
uint64_t space_granule(const struct space *space);

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
 * space_next_gap() - what is not in the space, in ascending order: what is in the way there
 * @space: borrowed
 * @from:  look at this address and above
 * @ret:   the first range without any address of the space that ends at @from or above, clipped to
 *         start no lower than @from. The last one ends at UINT64_MAX
 *
 * Return: whether there is one.
 */
bool space_next_gap(const struct space *space, uint64_t from, struct range *ret);

/*
 * Bytes of heap that it uses, without what the heap adds to each piece. Takes constant time. A
 * change that fails leaves the content as it was, but the tree may be another.
 */
size_t space_metadata_bytes(const struct space *space);

/**
 * space_count_visits() - count what searches and changes cost
 * @space:  whose
 * @visits: grows by one for each node of the tree that is looked into from now on; borrowed until
 *          the space is freed or told NULL
 *
 * For tests and measurements.
 */
void space_count_visits(struct space *space, size_t *visits);

/**
 * space_visits_max() - how many nodes a search or any other question looks into at most
 *
 * Four times the height of the tree. A search needs three quarters of that: down one side of the
 * window, down the other, and from where they part to the place. A change looks into twice the
 * height, whatever it covers; space_hold() into every node that it holds.
 */
size_t space_visits_max(const struct space *space);

/* Walk every invariant of the structure and work every summary out anew; asserts. For tests. */
void space_check(const struct space *space);
