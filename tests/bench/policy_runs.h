/* SPDX-License-Identifier: MIT */
/*
 * The free runs of a memory, for policies that are to be compared: in the order of their addresses,
 * and cut at the borders of tiers in the order of their lengths. Made to be flexible, not fast.
 */
#pragma once

#include "range.h"

#include <stddef.h>

#define POLICY_TIERS_MAX 40

struct policy_runs;

/**
 * policy_rank_fn() - where a length stands when the shortest run is looked for
 * @bytes: of a piece
 *
 * Return: a number that is not lower for a longer piece, below 2^56. Pieces of the same rank stand
 * from the top address down.
 */
typedef uint64_t policy_rank_fn(uint64_t bytes);

/**
 * policy_runs_new() - everything free
 * @memory:    disjoint, ascending; what touches becomes one run
 * @n_memory:  how many, at least 1
 * @tiers:     last addresses of the tiers, ascending; the last one is UINT64_MAX
 * @n_tiers:   1 to POLICY_TIERS_MAX
 * @rank:      order of the pieces; NULL: nobody will ask for it, and there are none
 * @ret:       owned by the caller
 *
 * Return: 0; -ENOMEM.
 */
int policy_runs_new(const struct range *memory, size_t n_memory, const uint64_t *tiers,
                    size_t n_tiers, policy_rank_fn *rank, struct policy_runs **ret);
void policy_runs_free(struct policy_runs *runs); /* NULL is fine */

/* Take a range that is free. Return: 0; -ENOMEM, and nothing changed. */
int policy_runs_take(struct policy_runs *runs, struct range range);

/* Give back what was taken, whole. */
void policy_runs_give(struct policy_runs *runs, struct range range);

/* The highest run that begins at @address or below and has @bytes at least. */
bool policy_runs_below(const struct policy_runs *runs, uint64_t address, uint64_t bytes,
                       struct range *ret);

/* The lowest run that ends at @address or above and has @bytes at least. */
bool policy_runs_above(const struct policy_runs *runs, uint64_t address, uint64_t bytes,
                       struct range *ret);

/**
 * policy_runs_shortest() - the pieces of a tier by rank
 * @runs:  borrowed
 * @tier:  number of the tier
 * @bytes: pieces whose rank is below that of this length are left out
 * @after: the piece that was returned before, or NULL to begin
 * @ret:   the next piece
 *
 * Return: whether there is one.
 */
bool policy_runs_shortest(const struct policy_runs *runs, size_t tier, uint64_t bytes,
                          const struct range *after, struct range *ret);

/* Bytes that are free, in all and in a tier. */
uint64_t policy_runs_bytes(const struct policy_runs *runs);
uint64_t policy_runs_tier_bytes(const struct policy_runs *runs, size_t tier);

/* Of the heap. */
size_t policy_runs_metadata(const struct policy_runs *runs);

/* Assert that both orders hold the same, and that runs do not touch. For tests. */
void policy_runs_check(const struct policy_runs *runs);
