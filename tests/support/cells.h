/* SPDX-License-Identifier: MIT */
/*
 * What a space should contain, without any cleverness: one flag for each cell, and every question
 * of space.h answered by looking at the cells one after the other. A cell is a granule, or some
 * granules that always come and go together, so that a few of them can be as wide as the 64-bit
 * range. Outside the cells nothing is there.
 */
#pragma once

#include "space.h"

/**
 * struct cells - a set of cells
 * @granule_bytes: as in space_new()
 * @n:             how many cells, > 0
 * @first:         n + 1 addresses: where each cell begins, and what follows the last one (0 where
 *                 that is the end of the 64-bit range)
 * @there:         for each cell, whether it is in the set
 * @begin:         for each cell, the first of the cells around it that are all as it is
 * @end:           and the last of them
 */
struct cells {
        uint64_t granule_bytes;
        unsigned n;
        uint64_t *first;
        bool *there;
        unsigned *begin, *end;
};

/**
 * cells_new() - cells without anything in them
 * @granule_bytes: power of two
 * @first:         n + 1 ascending multiples of it, as in the struct; copied
 * @n:             > 0
 *
 * Return: owned by the caller. Ends the program where there is no memory.
 */
struct cells *cells_new(uint64_t granule_bytes, const uint64_t *first, unsigned n);
void cells_free(struct cells *cells); /* NULL is fine */

/* The addresses of some cells, both included. */
struct range cells_range(const struct cells *cells, unsigned first, unsigned last);

/* The cell of an address, or the one that is next to it. */
unsigned cells_at(const struct cells *cells, uint64_t address);

/* Put cells into the set or take them out, whatever they were. */
void cells_set(struct cells *cells, unsigned first, unsigned last, bool there);

/* After writing to @there: find out what belongs together in all of them. */
void cells_index(struct cells *cells);

/* Each as the function of space.h. */
bool cells_find(const struct cells *cells, struct range window, uint64_t size_bytes,
                uint64_t align_bytes, enum space_end end, struct range *ret);
uint64_t cells_longest(const struct cells *cells, struct range window);
bool cells_contains(const struct cells *cells, struct range range);
uint64_t cells_bytes_in(const struct cells *cells, struct range window);
bool cells_next(const struct cells *cells, uint64_t from, struct range *ret);
bool cells_prev(const struct cells *cells, uint64_t from, struct range *ret);
bool cells_next_gap(const struct cells *cells, uint64_t from, struct range *ret);
