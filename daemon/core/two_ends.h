/* SPDX-License-Identifier: MIT */
/*
 * Where a request goes, of all the places where it could: small ones to the highest place, large
 * ones to the lower end of a run that is hardly longer than they are. Small and large ones so eat
 * long runs from different ends, and small ones that live long do not break them up. How this was
 * chosen is in docs/experiment.md.
 *
 * Memory that narrow devices reach is spent last. The address space is cut into tiers where the
 * addresses of common devices end: at 2^24, 2^28, 2^30, 2^31, 2^32, 2^36 and 2^40. The highest tier
 * that has a place gets the request, and no run counts beyond the lower end of its tier.
 */
#pragma once

#include "macros.h"
#include "placement.h"

/* Where "large" begins. */
#define TWO_ENDS_LARGE_BYTES MiB

/* So many runs of a tier are looked at, the highest ones that have a place. */
#define TWO_ENDS_RUNS 16

/**
 * two_ends_find() - the place for a request
 * @spaces:   as for placement_find()
 * @n_spaces: likewise
 * @want:     likewise
 * @ret:      the place: size_bytes rounded up to the granule of the spaces
 *
 * Less than TWO_ENDS_LARGE_BYTES get what placement_find() says, and so does what finds no other
 * place than one across the border of two tiers. Otherwise it is the shortest of the first
 * TWO_ENDS_RUNS runs, of equal ones the highest, and in it the lowest aligned start; where that
 * makes for too many segments, the lowest one that is also a multiple of the boundary; where that
 * does, too, the highest start.
 *
 * Costs up to TWO_ENDS_RUNS times as much as placement_find() where the request is large, and for
 * each of these runs two questions to the spaces more.
 *
 * Return: as placement_find(); the two refuse the same requests for the same reasons.
 */
int two_ends_find(const struct space *const *spaces, size_t n_spaces, const struct constraint *want,
                  struct range *ret);
