/* SPDX-License-Identifier: MIT */
/*
 * Owns the books of the invented machine. A page is unknown (never taken), taken, or returned. A
 * walk visits every page that fits a kind of wish once, in a pseudo-random order that is computed
 * from the page's number, and skips the known ones: those are taken or on the returned list.
 */
#include "sim_memory.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One wish per pool and size is usual; beyond this many the oldest begins again from the start. */
#define WALKS_MAX 256

struct sim_page {
        RB_ENTRY(sim_page) known;   /* sim_memory::known */
        TAILQ_ENTRY(sim_page) free; /* sim_memory::returned, where @returned */
        uint64_t phys, page_bytes;
        int node;
        bool returned;
};

/**
 * struct sim_walk - all pages that fit a wish, in order
 * @steps:  taken so far
 * @total:  pages that there are
 * @parts:  @n_parts runs of whole pages, highest first; of each: the lowest page and their number
 */
struct sim_walk {
        TAILQ_ENTRY(sim_walk) link; /* sim_memory::walks */
        struct sim_wish wish;
        uint64_t steps, total;
        size_t n_parts;
        struct sim_part {
                uint64_t first, pages;
                int node;
        } parts[];
};

static int page_order(const struct sim_page *a, const struct sim_page *b)
{
        return (a->phys > b->phys) - (a->phys < b->phys);
}

RB_GENERATE_INTERNAL(sim_pages, sim_page, known, page_order, static __attribute__((__unused__)))

void sim_memory_init(struct sim_memory *memory, const struct sim_settings *settings)
{
        *memory = (struct sim_memory){ .settings = settings };
        RB_INIT(&memory->known);
        TAILQ_INIT(&memory->returned);
        TAILQ_INIT(&memory->walks);
}

void sim_memory_deinit(struct sim_memory *memory)
{
        struct sim_page *page;
        struct sim_walk *walk;

        while ((page = RB_ROOT(&memory->known))) {
                RB_REMOVE(sim_pages, &memory->known, page);
                free(page);
        }
        while ((walk = TAILQ_FIRST(&memory->walks))) {
                TAILQ_REMOVE(&memory->walks, walk, link);
                free(walk);
        }
}

/* The whole pages of an extent that fit a wish. */
static bool part_of(const struct sim_extent *extent, const struct sim_wish *wish,
                    struct sim_part *ret)
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
                if (part_of(&settings->extents[i], wish, &walk->parts[walk->n_parts]))
                        walk->total += walk->parts[walk->n_parts++].pages;
        qsort(walk->parts, walk->n_parts, sizeof(walk->parts[0]), highest_first);
        return walk;
}

static bool same_wish(const struct sim_wish *a, const struct sim_wish *b)
{
        return a->page_bytes == b->page_bytes && a->node == b->node &&
               a->window.first == b->window.first && a->window.last == b->window.last;
}

static struct sim_walk *walk_for(struct sim_memory *memory, const struct sim_wish *wish)
{
        struct sim_walk *walk;

        TAILQ_FOREACH (walk, &memory->walks, link) {
                if (same_wish(&walk->wish, wish))
                        return walk;
        }

        walk = walk_new(memory->settings, wish);
        if (!walk)
                return NULL;
        TAILQ_INSERT_HEAD(&memory->walks, walk, link);
        if (++memory->n_walks > WALKS_MAX) {
                struct sim_walk *oldest = TAILQ_LAST(&memory->walks, sim_walk_list);

                TAILQ_REMOVE(&memory->walks, oldest, link);
                free(oldest);
                memory->n_walks--;
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
static struct sim_page page_at(const struct sim_walk *walk, uint64_t step, uint64_t seed)
{
        uint64_t number = seed ? shuffled(step, walk->total, seed) : step;
        const struct sim_part *part = walk->parts;

        while (number >= part->pages)
                number -= part++->pages;
        return (struct sim_page){
                .phys = part->first + (part->pages - 1 - number) * walk->wish.page_bytes,
                .page_bytes = walk->wish.page_bytes,
                .node = part->node,
        };
}

static struct sim_page *take_returned(struct sim_memory *memory, const struct sim_wish *wish)
{
        struct sim_page *page;

        TAILQ_FOREACH (page, &memory->returned, free) {
                if (page->page_bytes == wish->page_bytes &&
                    (wish->node == NODE_ANY || wish->node == page->node) &&
                    range_contains(wish->window, range_of(page->phys, page->page_bytes)))
                        break;
        }
        if (!page)
                return NULL;
        TAILQ_REMOVE(&memory->returned, page, free);
        page->returned = false;
        return page;
}

static struct sim_page *take_unknown(struct sim_memory *memory, const struct sim_wish *wish)
{
        struct sim_walk *walk;
        struct sim_page *page;

        walk = walk_for(memory, wish);
        page = calloc(1, sizeof(*page));
        if (!walk || !page) {
                free(page);
                return NULL;
        }
        while (walk->steps < walk->total) {
                *page = page_at(walk, walk->steps++, memory->settings->seed);
                if (!RB_INSERT(sim_pages, &memory->known, page))
                        return page;
        }
        free(page);
        return NULL;
}

int sim_memory_take(struct sim_memory *memory, const struct sim_wish *wish, uint64_t *ret_phys,
                    int *ret_node)
{
        struct sim_page *page;

        page = take_returned(memory, wish);
        if (!page)
                page = take_unknown(memory, wish);
        if (!page)
                return -ENOMEM;
        *ret_phys = page->phys;
        *ret_node = page->node;
        return 0;
}

void sim_memory_return(struct sim_memory *memory, uint64_t phys)
{
        struct sim_page key = { .phys = phys };
        struct sim_page *page;

        page = RB_FIND(sim_pages, &memory->known, &key);
        assert(page && !page->returned);
        page->returned = true;
        TAILQ_INSERT_HEAD(&memory->returned, page, free);
}
