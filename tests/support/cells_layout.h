/* SPDX-License-Identifier: MIT */
/*
 * Cells for a trial: where in the 64-bit range they lie and what is there to begin with.
 */
#pragma once

#include "cells.h"
#include "choices.h"

/**
 * layout_choose_base() - where some neighbouring granules begin
 * @choices: where it is decided
 * @shift:   logarithm of the granule, 4 to 63
 * @n:       how many granules, no more than there are
 *
 * At either end of the 64-bit range, around 4 GiB, or around a multiple of any power of two.
 *
 * Return: the index of the first one, in granules from address 0.
 */
uint64_t layout_choose_base(struct choices *choices, unsigned shift, uint64_t n);

/**
 * cells_choose_layout() - cells of any granule, anywhere
 * @choices: where it is decided
 * @n_max:   most cells, at least 3
 *
 * One of: neighbouring granules (at either end, around 4 GiB, around a multiple of any power of
 * two), granules at both ends at once, or cells of any width whose ends lie near multiples of
 * powers of two.
 *
 * Return: empty cells, owned by the caller.
 */
struct cells *cells_choose_layout(struct choices *choices, unsigned n_max);

/* Choose a cell: often one near a multiple of a power of two, where nodes of the tree meet. */
unsigned cells_choose(const struct cells *cells, struct choices *choices);

/* Choose a content: nothing, all, runs of some length, a comb; never the whole 64-bit range. */
void cells_choose_content(struct cells *cells, struct choices *choices);

/* Whether some cells may be put into the set: the whole 64-bit range may not be in it. */
bool cells_may_add(const struct cells *cells, unsigned first, unsigned last);
