/* SPDX-License-Identifier: MIT */
/*
 * Owns a memory and its free runs; where to take from them is decided by a search. A tier is a part
 * of the address space that one search is limited to: by default the tiers end where the addresses
 * of common devices do, and are tried from the top down.
 */
#include "policy.h"

#include "macros.h"
#include "policy_search.h"
#include "result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t common_tiers[] = {
        16 * MiB - 1, 256 * MiB - 1, GiB - 1, 2 * GiB - 1,
        4 * GiB - 1,  64 * GiB - 1,  TiB - 1, UINT64_MAX,
};

/**
 * struct policy_placer - a memory under one policy
 * @memory:        what the search sees
 * @search:        the policy
 * @rank:          order of the free runs
 * @ranges:        what there was at the beginning; owned
 * @n_ranges:      how many
 * @granule_bytes: sizes are rounded up to it
 */
struct policy_placer {
        struct policy_memory memory;
        policy_search_fn *search;
        policy_rank_fn *rank;
        struct range *ranges;
        size_t n_ranges;
        uint64_t granule_bytes;
};

static void policy_close(void *opaque)
{
        struct policy_placer *placer = opaque;

        if (!placer)
                return;
        policy_runs_free(placer->memory.runs);
        free(placer->ranges);
        free(placer);
}

static uint64_t bytes_between(const struct policy_placer *placer, struct range window)
{
        struct range part;
        uint64_t bytes = 0;

        for (size_t i = 0; i < placer->n_ranges; i++) {
                if (range_intersect(placer->ranges[i], window, &part))
                        bytes += range_size(part);
        }
        return bytes;
}

/* Begin with everything free, with these tiers, from the top down. */
static int set_tiers(struct policy_placer *placer, const uint64_t *tiers, size_t n_tiers)
{
        struct policy_memory *memory = &placer->memory;
        struct policy_runs *runs;
        int r;

        r = policy_runs_new(placer->ranges, placer->n_ranges, tiers, n_tiers, placer->rank, &runs);
        if (r)
                return r;
        policy_runs_free(memory->runs);
        memory->runs = runs;
        memory->n_tiers = n_tiers;
        for (size_t t = 0; t < n_tiers; t++) {
                memory->tiers[t] = tiers[t];
                memory->order[t] = n_tiers - 1 - t;
                memory->total_bytes[t] =
                        bytes_between(placer, (struct range){ t ? tiers[t - 1] + 1 : 0, tiers[t] });
        }
        return 0;
}

static int open_as(policy_search_fn *search, policy_rank_fn *rank, const struct range *ranges,
                   size_t n_ranges, uint64_t granule_bytes, void **ret)
{
        struct policy_placer *placer;
        int r;

        placer = calloc(1, sizeof(*placer));
        if (!placer)
                return -ENOMEM;
        *placer = (struct policy_placer){
                .search = search, .rank = rank, .n_ranges = n_ranges, .granule_bytes = granule_bytes
        };
        placer->ranges = calloc(n_ranges, sizeof(*ranges));
        if (!placer->ranges) {
                policy_close(placer);
                return -ENOMEM;
        }
        memcpy(placer->ranges, ranges, n_ranges * sizeof(*ranges));
        r = set_tiers(placer, common_tiers, ARRAY_SIZE(common_tiers));
        if (r) {
                policy_close(placer);
                return r;
        }
        *ret = placer;
        return 0;
}

static int compare_u64(const void *a, const void *b)
{
        const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

/* Tiers that end where one of some windows begins or ends. Return: how many. */
static size_t tiers_of(const struct range *windows, size_t n_windows,
                       uint64_t tiers[POLICY_TIERS_MAX])
{
        size_t n = 0, n_tiers = 0;

        assert(2 * n_windows < POLICY_TIERS_MAX);
        tiers[n++] = UINT64_MAX;
        for (size_t i = 0; i < n_windows; i++) {
                if (windows[i].first)
                        tiers[n++] = windows[i].first - 1;
                tiers[n++] = windows[i].last;
        }
        qsort(tiers, n, sizeof(*tiers), compare_u64);
        for (size_t i = 0; i < n; i++) {
                if (n_tiers == 0 || tiers[n_tiers - 1] != tiers[i])
                        tiers[n_tiers++] = tiers[i];
        }
        return n_tiers;
}

/* The tier that the fewest devices reach comes first; of equal ones the higher. */
static int policy_know(void *opaque, const struct range *windows, size_t n_windows)
{
        struct policy_placer *placer = opaque;
        struct policy_memory *memory = &placer->memory;
        uint64_t tiers[POLICY_TIERS_MAX];
        size_t wanted[POLICY_TIERS_MAX] = { 0 };
        const size_t n_tiers = tiers_of(windows, n_windows, tiers);
        int r;

        r = set_tiers(placer, tiers, n_tiers);
        if (r)
                return r;
        for (size_t t = 0; t < n_tiers; t++) {
                for (size_t i = 0; i < n_windows; i++)
                        wanted[t] += windows[i].first <= tiers[t] && tiers[t] <= windows[i].last;
        }
        for (size_t i = 1; i < n_tiers; i++) {
                const size_t tier = memory->order[i];
                size_t at = i;

                for (; at && wanted[memory->order[at - 1]] > wanted[tier]; at--)
                        memory->order[at] = memory->order[at - 1];
                memory->order[at] = tier;
        }
        return 0;
}

static void policy_hint(void *opaque, uint64_t life_ns)
{
        struct policy_placer *placer = opaque;

        placer->memory.life_ns = life_ns;
}

static uint64_t rounded(const struct policy_placer *placer, uint64_t bytes)
{
        return align_down(bytes + placer->granule_bytes - 1, placer->granule_bytes);
}

static int policy_take(void *opaque, const struct constraint *want, uint64_t *ret_first)
{
        struct policy_placer *placer = opaque;
        struct policy_memory *memory = &placer->memory;
        struct constraint whole = *want;
        uint64_t first;
        int r;

        whole.size_bytes = rounded(placer, want->size_bytes);
        if (whole.align_bytes < placer->granule_bytes)
                whole.align_bytes = placer->granule_bytes;
        if (!placer->search(memory, &whole, &first))
                return policy_runs_bytes(memory->runs) < whole.size_bytes ? PAR_REFUSED_EXHAUSTED
                                                                          : PAR_REFUSED_FRAGMENTED;
        r = policy_runs_take(memory->runs, range_of(first, whole.size_bytes));
        if (r)
                return r;
        *ret_first = first;
        return 0;
}

static void policy_give(void *opaque, uint64_t first, uint64_t size_bytes)
{
        struct policy_placer *placer = opaque;

        policy_runs_give(placer->memory.runs, range_of(first, rounded(placer, size_bytes)));
}

static uint64_t policy_free_bytes(const void *opaque)
{
        const struct policy_placer *placer = opaque;

        return policy_runs_bytes(placer->memory.runs);
}

static uint64_t policy_largest_bytes(const void *opaque, struct range window)
{
        const struct policy_placer *placer = opaque;
        uint64_t at = window.first, longest = 0;
        struct range run, part;

        /* What the window cuts may be shorter than what was looked for. */
        while (policy_runs_above(placer->memory.runs, at, longest + 1, &run) &&
               range_intersect(run, window, &part)) {
                if (range_size(part) > longest)
                        longest = range_size(part);
                if (run.last >= window.last)
                        break;
                at = run.last + 1;
        }
        return longest;
}

static size_t policy_metadata_bytes(const void *opaque)
{
        const struct policy_placer *placer = opaque;

        return sizeof(*placer) + placer->n_ranges * sizeof(*placer->ranges) +
               policy_runs_metadata(placer->memory.runs);
}

static uint64_t rank_length(uint64_t bytes)
{
        return bytes;
}

/* placer_ops.open() is told nothing but the memory: each policy has one of its own. */
#define DEFINE_OPEN(name, rank)                                                            \
        static int open_##name(const struct range *ranges, size_t n_ranges,                \
                               uint64_t granule_bytes, void **ret)                         \
        {                                                                                  \
                return open_as(search_##name, rank, ranges, n_ranges, granule_bytes, ret); \
        }

DEFINE_OPEN(highest, NULL)
DEFINE_OPEN(lowest, NULL)
DEFINE_OPEN(best, rank_length)
DEFINE_OPEN(tier_best, rank_length)
DEFINE_OPEN(two_ends, rank_length)
DEFINE_OPEN(two_ends_of_4, NULL)
DEFINE_OPEN(size_ends, NULL)
DEFINE_OPEN(life_ends, NULL)
DEFINE_OPEN(class, search_class_rank)
DEFINE_OPEN(natural, NULL)
DEFINE_OPEN(reserve, NULL)

#define POLICY(text, open_fn, ...)                                  \
        {                                                           \
                .ops = { .name = (text),                            \
                         .open = (open_fn),                         \
                         .close = policy_close,                     \
                         .take = policy_take,                       \
                         .give = policy_give,                       \
                         .free_bytes = policy_free_bytes,           \
                         .largest_bytes = policy_largest_bytes,     \
                         .metadata_bytes = policy_metadata_bytes }, \
                __VA_ARGS__                                         \
        }

const struct policy policies[] = {
        POLICY("highest", open_highest, .about = "the highest place in the window"),
        POLICY("two ends", open_two_ends,
               .about = "by tiers: below 1 MiB the highest place, above the lower end of the "
                        "shortest run"),
        POLICY("two ends of 4", open_two_ends_of_4,
               .about = "as two ends, but of the four highest runs only"),
        POLICY("least wanted", open_two_ends, .know = policy_know,
               .about = "as two ends, and the tier that the fewest devices reach comes first"),
        POLICY("tier best fit", open_tier_best,
               .about = "by tiers: the upper end of the shortest run"),
        POLICY("best fit", open_best, .about = "the shortest run in the window"),
        POLICY("first fit", open_lowest, .about = "the lowest place in the window"),
        POLICY("size ends", open_size_ends,
               .about = "by tiers: below 1 MiB the highest place, above the lowest"),
        POLICY("life ends", open_life_ends, .hint = policy_hint,
               .about = "by tiers: for a life of a minute and more the highest place, else the "
                        "lowest; lives are told"),
        POLICY("tlsf", open_class,
               .about = "by tiers: the first of 16 classes to a power of two whose runs all fit"),
        POLICY("natural", open_natural,
               .about = "the highest place on a multiple of its own size; else the highest"),
        POLICY("reserve", open_reserve,
               .about = "the highest place, but a quarter of each tier is kept for who needs it"),
        { .ops = { .name = NULL } },
};

const struct policy *policy_find(const char *name)
{
        for (const struct policy *policy = policies; policy->ops.name; policy++) {
                if (strcmp(policy->ops.name, name) == 0)
                        return policy;
        }
        return NULL;
}
