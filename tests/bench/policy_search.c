/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Each search is one idea from the literature or from the measurements before it;
 * what came of them is in docs/experiment.md.
 */
#include "policy_search.h"

#include "macros.h"

#define LARGE_BYTES     MiB             /* where "large" begins: 256 granules */
#define LONG_LIFE_NS    (60 * NS_PER_S) /* where a life is long */
#define CANDIDATES      4               /* that the shortest is chosen from, where not of all */
#define RESERVE_PERCENT 25
#define CLASS_BITS      4 /* 16 classes of lengths between two powers of two */

/* The highest, or the lowest place in a run. Return: whether there is one. */
typedef bool fit_fn(struct range run, const struct constraint *want, uint64_t *ret_first);

static bool straddles(uint64_t first, const struct constraint *want)
{
        const uint64_t boundary = want->boundary_bytes, last = first + (want->size_bytes - 1);

        return boundary && align_down(first, boundary) != align_down(last, boundary);
}

/* A size is not above its boundary, so that one step is enough to get clear of it. */
static bool fit_top(struct range run, const struct constraint *want, uint64_t *ret_first)
{
        const uint64_t size = want->size_bytes;
        uint64_t first;

        if (run.last - run.first < size - 1)
                return false;
        first = align_down(run.last - (size - 1), want->align_bytes);
        if (straddles(first, want)) {
                first = align_down(first + (size - 1), want->boundary_bytes) - size;
                first = align_down(first, want->align_bytes);
        }
        *ret_first = first;
        return first >= run.first;
}

static bool fit_bottom(struct range run, const struct constraint *want, uint64_t *ret_first)
{
        const uint64_t size = want->size_bytes;
        uint64_t first;

        if (run.last - run.first < size - 1 || !align_up(run.first, want->align_bytes, &first) ||
            first > run.last - (size - 1))
                return false;
        /* A block of the boundary is the next aligned address that will do. */
        if (straddles(first, want))
                first = align_down(first + (size - 1), want->boundary_bytes);
        *ret_first = first;
        return first <= run.last - (size - 1);
}

static bool highest_in(const struct policy_memory *memory, struct range window,
                       const struct constraint *want, uint64_t *ret_first)
{
        uint64_t at = window.last;
        struct range run, part;

        while (policy_runs_below(memory->runs, at, want->size_bytes, &run)) {
                if (!range_intersect(run, window, &part))
                        return false;
                if (fit_top(part, want, ret_first))
                        return true;
                if (run.first == 0)
                        return false;
                at = run.first - 1;
        }
        return false;
}

static bool lowest_in(const struct policy_memory *memory, struct range window,
                      const struct constraint *want, uint64_t *ret_first)
{
        uint64_t at = window.first;
        struct range run, part;

        while (policy_runs_above(memory->runs, at, want->size_bytes, &run)) {
                if (!range_intersect(run, window, &part))
                        return false;
                if (fit_bottom(part, want, ret_first))
                        return true;
                if (run.last == UINT64_MAX)
                        return false;
                at = run.last + 1;
        }
        return false;
}

/* The part of a window that lies in a tier. */
static bool tier_part(const struct policy_memory *memory, size_t tier, struct range window,
                      struct range *ret)
{
        const uint64_t first = tier ? memory->tiers[tier - 1] + 1 : 0;

        return range_intersect(window, (struct range){ first, memory->tiers[tier] }, ret);
}

/* In the shortest piece of a tier that has a place; @ret_piece: which one it is. */
static bool shortest_in(const struct policy_memory *memory, size_t tier,
                        const struct constraint *want, fit_fn *fit, struct range *ret_piece,
                        uint64_t *ret_first)
{
        const struct range *after = NULL;
        struct range part;

        if (!tier_part(memory, tier, want->window, &part))
                return false;
        while (policy_runs_shortest(memory->runs, tier, want->size_bytes, after, ret_piece)) {
                if (range_intersect(*ret_piece, want->window, &part) && fit(part, want, ret_first))
                        return true;
                after = ret_piece;
        }
        return false;
}

/* In the shortest of the few highest runs of a tier that have a place. */
static bool shortest_of_few(const struct policy_memory *memory, struct range window,
                            const struct constraint *want, fit_fn *fit, uint64_t *ret_first)
{
        uint64_t at = window.last, shortest = UINT64_MAX, first;
        unsigned seen = 0;
        struct range run, part;

        while (seen < CANDIDATES && policy_runs_below(memory->runs, at, want->size_bytes, &run) &&
               range_intersect(run, window, &part)) {
                if (fit(part, want, &first)) {
                        seen++;
                        if (range_size(part) < shortest) {
                                shortest = range_size(part);
                                *ret_first = first;
                        }
                }
                if (run.first == 0)
                        break;
                at = run.first - 1;
        }
        return seen;
}

bool search_highest(const struct policy_memory *memory, const struct constraint *want,
                    uint64_t *ret_first)
{
        return highest_in(memory, want->window, want, ret_first);
}

bool search_lowest(const struct policy_memory *memory, const struct constraint *want,
                   uint64_t *ret_first)
{
        return lowest_in(memory, want->window, want, ret_first);
}

bool search_best(const struct policy_memory *memory, const struct constraint *want,
                 uint64_t *ret_first)
{
        uint64_t shortest = UINT64_MAX, first;
        struct range piece;

        for (size_t t = memory->n_tiers; t-- > 0;) {
                if (!shortest_in(memory, t, want, fit_top, &piece, &first) ||
                    range_size(piece) >= shortest)
                        continue;
                shortest = range_size(piece);
                *ret_first = first;
        }
        return shortest < UINT64_MAX || search_highest(memory, want, ret_first);
}

/* In the first tier that has a place: the highest, or the lowest one. */
static bool ends(const struct policy_memory *memory, const struct constraint *want, bool from_top,
                 uint64_t *ret_first)
{
        struct range part;

        for (size_t i = 0; i < memory->n_tiers; i++) {
                if (!tier_part(memory, memory->order[i], want->window, &part))
                        continue;
                if (from_top ? highest_in(memory, part, want, ret_first)
                             : lowest_in(memory, part, want, ret_first))
                        return true;
        }
        return search_highest(memory, want, ret_first);
}

/* What no tier has a place for may still lie across the border of two. */
bool search_tier_best(const struct policy_memory *memory, const struct constraint *want,
                      uint64_t *ret_first)
{
        struct range piece;

        for (size_t i = 0; i < memory->n_tiers; i++) {
                if (shortest_in(memory, memory->order[i], want, fit_top, &piece, ret_first))
                        return true;
        }
        return search_highest(memory, want, ret_first);
}

bool search_two_ends(const struct policy_memory *memory, const struct constraint *want,
                     uint64_t *ret_first)
{
        struct range piece;

        if (want->size_bytes < LARGE_BYTES)
                return ends(memory, want, true, ret_first);
        for (size_t i = 0; i < memory->n_tiers; i++) {
                if (shortest_in(memory, memory->order[i], want, fit_bottom, &piece, ret_first))
                        return true;
        }
        return search_highest(memory, want, ret_first);
}

bool search_two_ends_of_4(const struct policy_memory *memory, const struct constraint *want,
                          uint64_t *ret_first)
{
        struct range part;

        if (want->size_bytes < LARGE_BYTES)
                return ends(memory, want, true, ret_first);
        for (size_t i = 0; i < memory->n_tiers; i++) {
                if (tier_part(memory, memory->order[i], want->window, &part) &&
                    shortest_of_few(memory, part, want, fit_bottom, ret_first))
                        return true;
        }
        return search_highest(memory, want, ret_first);
}

bool search_size_ends(const struct policy_memory *memory, const struct constraint *want,
                      uint64_t *ret_first)
{
        return ends(memory, want, want->size_bytes < LARGE_BYTES, ret_first);
}

bool search_life_ends(const struct policy_memory *memory, const struct constraint *want,
                      uint64_t *ret_first)
{
        return ends(memory, want, memory->life_ns >= LONG_LIFE_NS, ret_first);
}

uint64_t search_class_rank(uint64_t bytes)
{
        const unsigned power = 63 - (unsigned)__builtin_clzll(bytes);

        /* Lengths are at least a granule, which has more bits than that. */
        return ((uint64_t)power << CLASS_BITS) |
               ((bytes >> (power - CLASS_BITS)) & ((1u << CLASS_BITS) - 1));
}

bool search_class(const struct policy_memory *memory, const struct constraint *want,
                  uint64_t *ret_first)
{
        const unsigned power = 63 - (unsigned)__builtin_clzll(want->size_bytes);
        struct constraint all = *want;
        struct range piece;
        uint64_t first;

        if (!align_up(want->size_bytes, UINT64_C(1) << (power - CLASS_BITS), &all.size_bytes))
                return false;
        for (size_t i = 0; i < memory->n_tiers; i++) {
                if (shortest_in(memory, memory->order[i], &all, fit_top, &piece, &first)) {
                        /* At the end of what was found, not of what was looked for. */
                        range_intersect(piece, want->window, &piece);
                        return fit_top(piece, want, ret_first);
                }
        }
        return search_highest(memory, want, ret_first);
}

bool search_natural(const struct policy_memory *memory, const struct constraint *want,
                    uint64_t *ret_first)
{
        struct constraint natural = *want;

        while (natural.align_bytes < want->size_bytes)
                natural.align_bytes *= 2;
        return search_highest(memory, &natural, ret_first) ||
               search_highest(memory, want, ret_first);
}

/* Whether a window has memory above a tier. */
static bool reaches_beyond(const struct policy_memory *memory, size_t tier, struct range window)
{
        struct range part;

        for (size_t t = tier + 1; t < memory->n_tiers; t++) {
                if (memory->total_bytes[t] && tier_part(memory, t, window, &part))
                        return true;
        }
        return false;
}

bool search_reserve(const struct policy_memory *memory, const struct constraint *want,
                    uint64_t *ret_first)
{
        uint64_t free_bytes = 0, total_bytes = 0;

        if (!search_highest(memory, want, ret_first))
                return false;
        for (size_t t = 0; t < memory->n_tiers && reaches_beyond(memory, t, want->window); t++) {
                free_bytes += policy_runs_tier_bytes(memory->runs, t);
                total_bytes += memory->total_bytes[t];
                if (*ret_first <= memory->tiers[t] &&
                    free_bytes < want->size_bytes + total_bytes / 100 * RESERVE_PERCENT)
                        return false;
        }
        return true;
}
