/* SPDX-License-Identifier: MIT */
/*
 * Owns the walks. A walk costs the same however many pages it goes over: its order is a permutation
 * that needs no table.
 */
#include "sim_walk.h"

#include <errno.h>
#include <stdlib.h>

/* One wish per pool and size is usual; beyond this many the oldest begins again from the start. */
#define WALKS_MAX 256

/**
 * struct sim_walk - all pages that fit a wish, in order
 * @steps:  taken so far
 * @total:  pages that there are
 * @parts:  @n_parts runs of whole pages, highest first
 */
struct sim_walk {
        TAILQ_ENTRY(sim_walk) link; /* sim_walks::list */
        struct sim_wish wish;
        uint64_t steps, total;
        size_t n_parts;
        struct sim_part parts[];
};

void sim_walks_init(struct sim_walks *walks)
{
        TAILQ_INIT(&walks->list);
        walks->n = 0;
}

void sim_walks_deinit(struct sim_walks *walks)
{
        struct sim_walk *walk;

        while ((walk = TAILQ_FIRST(&walks->list))) {
                TAILQ_REMOVE(&walks->list, walk, link);
                free(walk);
        }
}

bool sim_part_of(const struct sim_extent *extent, const struct sim_wish *wish, struct sim_part *ret)
{
        uint64_t size = extent->page_bytes, skip;
        struct range r;

        if (size != wish->page_bytes || (wish->node != NODE_ANY && wish->node != extent->node))
                return false;
        if (!range_intersect(extent->range, wish->window, &r))
                return false;

        skip = (r.first - extent->range.first) % size;
        skip = skip ? size - skip : 0;
        if (skip > r.last - r.first || r.last - r.first - skip < size - 1)
                return false;
        ret->first = r.first + skip;
        ret->pages = (r.last - ret->first - (size - 1)) / size + 1;
        ret->node = extent->node;
        return true;
}

static int highest_first(const void *a, const void *b)
{
        const struct sim_part *x = a, *y = b;

        return (x->first < y->first) - (x->first > y->first);
}

static struct sim_walk *walk_new(const struct sim_settings *settings, const struct sim_wish *wish)
{
        struct sim_walk *walk;

        walk = calloc(1, sizeof(*walk) + settings->n_extents * sizeof(walk->parts[0]));
        if (!walk)
                return NULL;
        walk->wish = *wish;
        for (size_t i = 0; i < settings->n_extents; i++)
                if (sim_part_of(&settings->extents[i], wish, &walk->parts[walk->n_parts]))
                        walk->total += walk->parts[walk->n_parts++].pages;
        qsort(walk->parts, walk->n_parts, sizeof(walk->parts[0]), highest_first);
        return walk;
}

static bool same_wish(const struct sim_wish *a, const struct sim_wish *b)
{
        return a->page_bytes == b->page_bytes && a->node == b->node &&
               a->window.first == b->window.first && a->window.last == b->window.last;
}

static struct sim_walk *walk_for(struct sim_walks *walks, const struct sim_settings *settings,
                                 const struct sim_wish *wish)
{
        struct sim_walk *walk;

        TAILQ_FOREACH (walk, &walks->list, link) {
                if (same_wish(&walk->wish, wish))
                        return walk;
        }

        walk = walk_new(settings, wish);
        if (!walk)
                return NULL;
        TAILQ_INSERT_HEAD(&walks->list, walk, link);
        if (++walks->n > WALKS_MAX) {
                struct sim_walk *oldest = TAILQ_LAST(&walks->list, sim_walk_list);

                TAILQ_REMOVE(&walks->list, oldest, link);
                free(oldest);
                walks->n--;
        }
        return walk;
}

static uint64_t mixed(uint64_t v)
{
        v ^= v >> 33;
        v *= UINT64_C(0xff51afd7ed558ccd);
        v ^= v >> 29;
        v *= UINT64_C(0xc4ceb9fe1a85ec53);
        return v ^ v >> 32;
}

/*
 * A permutation of the numbers below @total without a table: a Feistel network permutes the next
 * power of four, and numbers that are too large are sent through it again until they are not.
 */
static uint64_t shuffled(uint64_t number, uint64_t total, uint64_t seed)
{
        unsigned half = 1;
        uint64_t mask, left, right, swap;

        while (half < 32 && (total - 1) >> (2 * half))
                half++;
        mask = (UINT64_C(1) << half) - 1;
        do {
                left = number >> half;
                right = number & mask;
                for (uint64_t round = 0; round < 4; round++) {
                        swap = left ^ (mixed(right ^ mixed(seed + round)) & mask);
                        left = right;
                        right = swap;
                }
                number = left << half | right;
        } while (number >= total);
        return number;
}

/* The page that a walk comes to at a step. */
static struct sim_step step_at(const struct sim_walk *walk, uint64_t step, uint64_t seed)
{
        uint64_t number = seed ? shuffled(step, walk->total, seed) : step;
        const struct sim_part *part = walk->parts;

        while (number >= part->pages)
                number -= part++->pages;
        return (struct sim_step){
                .phys = part->first + (part->pages - 1 - number) * walk->wish.page_bytes,
                .node = part->node,
        };
}

int sim_walk_next(struct sim_walks *walks, const struct sim_settings *settings,
                  const struct sim_wish *wish, struct sim_step *ret)
{
        struct sim_walk *walk;

        walk = walk_for(walks, settings, wish);
        if (!walk || walk->steps == walk->total)
                return -ENOMEM;
        *ret = step_at(walk, walk->steps++, settings->seed);
        return 0;
}
