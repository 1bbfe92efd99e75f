/* SPDX-License-Identifier: MIT */
/*
 * Where the policies of policy.h look. A search only looks; it takes nothing.
 */
#pragma once

#include "constraint.h"
#include "policy_runs.h"

/**
 * struct policy_memory - what a search may know
 * @runs:    what is free
 * @tiers:   last addresses of the tiers, ascending; the last one is UINT64_MAX
 * @order:   numbers of the tiers, as they are tried
 * @total_bytes: of each tier, free or not
 * @n_tiers: how many
 * @life_ns: of what is searched for; only some policies are told
 */
struct policy_memory {
        struct policy_runs *runs;
        uint64_t tiers[POLICY_TIERS_MAX], total_bytes[POLICY_TIERS_MAX];
        size_t order[POLICY_TIERS_MAX];
        size_t n_tiers;
        uint64_t life_ns;
};

/**
 * policy_search_fn() - where a request goes
 * @memory:    borrowed
 * @want:      its size and alignment are multiples of the granule
 * @ret_first: the place
 *
 * Return: whether there is one. All but search_reserve() find one wherever there is one.
 */
typedef bool policy_search_fn(const struct policy_memory *memory, const struct constraint *want,
                              uint64_t *ret_first);

/* The highest, and the lowest place in the window. */
policy_search_fn search_highest, search_lowest;

/* At the upper end of the shortest run in the window; of equal ones the highest. */
policy_search_fn search_best;

/* All of the following go by tiers: the first tier that has a place gets it. */

/* At the upper end of the shortest run of the tier; of equal ones the highest. */
policy_search_fn search_tier_best;

/* Below 1 MiB the highest place; from there on the lower end of the shortest run. */
policy_search_fn search_two_ends;

/* As search_two_ends(), but only of the four highest runs that have a place. */
policy_search_fn search_two_ends_of_4;

/* Below 1 MiB the highest place; from there on the lowest. */
policy_search_fn search_size_ends;

/* For a life of a minute and more the highest place, otherwise the lowest. */
policy_search_fn search_life_ends;

/*
 * As in TLSF: lengths are put into classes, 16 between two powers of two; the first class all of
 * whose runs are long enough, and in it the highest run.
 */
policy_search_fn search_class;
policy_rank_fn search_class_rank;

/* The highest place on a multiple of the power of two that holds the request; then any. */
policy_search_fn search_natural;

/* The highest place, but who reaches memory above a tier leaves a quarter of what is up to there.
 */
policy_search_fn search_reserve;
