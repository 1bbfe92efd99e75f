/* SPDX-License-Identifier: MIT */
/*
 * Placement by brute force: every granule is tried, every segment is cut. Shares no code with what
 * it judges.
 */
#pragma once

#include "placement_world.h"

/**
 * brute_cut() - the segments of a piece, one by one
 * @most: look no further
 *
 * Return: how many; UINT64_MAX where one breaks a rule or there are more than @most.
 */
uint64_t brute_cut(const struct constraint *want, struct range piece, uint64_t most);

/* What a request allows. */
uint64_t brute_segments(const struct constraint *want);

/* Granules that a request needs; 0 where that cannot be counted. */
uint64_t brute_granules(const struct placement_world *world, const struct constraint *want);

/* Return: 0 or PAR_REFUSED_EXHAUSTED. */
int brute_room(const struct placement_world *world, const struct constraint *want);

/* As placement_find_aligned(). */
int brute_find(const struct placement_world *world, const struct constraint *want, uint64_t page,
               struct range *ret);

/* As two_ends_find(). */
int brute_two_ends(const struct placement_world *world, const struct constraint *want,
                   struct range *ret);

/* As placement_free_bytes(). */
uint64_t brute_bytes(const struct placement_world *world, struct range window);

/* As placement_find_largest_run(). */
bool brute_longest(const struct placement_world *world, struct range window, struct range *ret);

/**
 * brute_usable() - what scattered places are made of
 * @ret_usable: for each granule whether a usable page begins there
 * @ret_end:    whether there is a page that is not whole, but serves as the end of the buffer
 *
 * Return: how many whole pages.
 */
uint64_t brute_usable(const struct placement_world *world, const struct constraint *want,
                      bool ret_usable[WORLD_GRANULES_MAX], bool *ret_end);

/* More would take too long. */
#define FEWEST_GRANULES_MAX 64u

/**
 * brute_fewest() - the fewest segments that so many pages can be had with
 * @world:  of at most FEWEST_GRANULES_MAX granules
 * @usable: as brute_usable() says
 * @pages:  how many
 *
 * Return: how many segments; UINT64_MAX where there are not so many pages.
 */
uint64_t brute_fewest(const struct placement_world *world, const struct constraint *want,
                      const bool *usable, unsigned pages);
