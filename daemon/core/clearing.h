/* SPDX-License-Identifier: MIT */
/*
 * What is in the way: where the least memory would have to come free for a request that found no
 * place. For reports; placement itself takes only what is free.
 */
#pragma once

#include "placement.h"

/* So many places are looked at, whatever there is: an answer for people may not hold up others. */
#define CLEARING_STEPS_MAX 256

/**
 * struct clearing_ground - memory, all of it and what is free
 * @all:    @n_all disjoint spaces, borrowed; what can come free at all is in them
 * @free:   @n_free disjoint spaces, borrowed; of the same granule. What is not in @all does not
 *          count
 */
struct clearing_ground {
        const struct space *const *all, *const *free;
        size_t n_all, n_free;
};

/**
 * struct clearing - see clearing_find()
 * @place:       where
 * @taken_bytes: so much of it is not free
 * @least:       whether all other places are known to have no less
 */
struct clearing {
        struct range place;
        uint64_t taken_bytes;
        bool least;
};

/**
 * clearing_find() - the place of a request that has the least in the way
 * @ground: the number of spaces is PLACEMENT_SPACES_MAX at most, of each kind
 * @want:   a constraint that constraint_check() accepts
 * @ret:    the place, as placement_find() would return it if all memory were free
 *
 * Where there are too many places to look at all of them, it is the best of CLEARING_STEPS_MAX,
 * which are looked for where most is free.
 *
 * Return: whether there is any place, free or not.
 */
bool clearing_find(const struct clearing_ground *ground, const struct constraint *want,
                   struct clearing *ret);
