/* SPDX-License-Identifier: MIT */
/*
 * Owns the books of the invented machine. A page is unknown, or known and in one of three places:
 * outside (the system's), in the stock and free, or taken. Walks come to every page and skip the
 * known ones, which are found in their lists. Refuses stock beyond the memory that there is.
 */
#include "sim_memory.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum sim_place {
        SIM_TAKEN,
        SIM_STOCK,
        SIM_OUTSIDE,
};

struct sim_page {
        RB_ENTRY(sim_page) known;   /* sim_memory::known */
        TAILQ_ENTRY(sim_page) link; /* sim_memory::stock or ::outside, as @place says */
        uint64_t phys, page_bytes;
        int node;
        enum sim_place place;
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
        TAILQ_INIT(&memory->stock);
        TAILQ_INIT(&memory->outside);
        sim_walks_init(&memory->walks);
}

void sim_memory_deinit(struct sim_memory *memory)
{
        struct sim_page *page;

        while ((page = RB_ROOT(&memory->known))) {
                RB_REMOVE(sim_pages, &memory->known, page);
                free(page);
        }
        sim_walks_deinit(&memory->walks);
}

uint64_t sim_memory_left(const struct sim_memory *memory)
{
        uint64_t all = memory->settings->free_bytes;

        if (!all)
                return UINT64_MAX;
        return all > memory->bytes ? all - memory->bytes : 0;
}

static bool fits(const struct sim_page *page, const struct sim_wish *wish)
{
        return page->page_bytes == wish->page_bytes &&
               (wish->node == NODE_ANY || wish->node == page->node) &&
               range_contains(wish->window, range_of(page->phys, page->page_bytes));
}

static struct sim_page *find(struct sim_page_list *list, const struct sim_wish *wish)
{
        struct sim_page *page;

        TAILQ_FOREACH (page, list, link) {
                if (fits(page, wish))
                        break;
        }
        return page;
}

static void move_to_stock(struct sim_memory *memory, struct sim_page *page)
{
        TAILQ_INSERT_HEAD(&memory->stock, page, link);
        page->place = SIM_STOCK;
}

static void take_from_stock(struct sim_memory *memory, struct sim_page *page)
{
        TAILQ_REMOVE(&memory->stock, page, link);
        page->place = SIM_TAKEN;
}

/* Whether a part of this page is known, perhaps as pages of another size. */
static bool is_known(struct sim_memory *memory, const struct sim_page *page)
{
        struct sim_page *next =
                RB_NFIND(sim_pages, &memory->known, (struct sim_page *)(uintptr_t)page);
        struct sim_page *before =
                next ? RB_PREV(sim_pages, &memory->known, next) : RB_MAX(sim_pages, &memory->known);

        return (next && next->phys - page->phys < page->page_bytes) ||
               (before && page->phys - before->phys < before->page_bytes);
}

static struct sim_page *make_known(struct sim_memory *memory, const struct sim_wish *wish)
{
        struct sim_page *page;
        struct sim_step step;

        page = calloc(1, sizeof(*page));
        if (!page)
                return NULL;
        while (!sim_walk_next(&memory->walks, memory->settings, wish, &step)) {
                page->phys = step.phys;
                page->node = step.node;
                page->page_bytes = wish->page_bytes;
                if (is_known(memory, page))
                        continue;
                RB_INSERT(sim_pages, &memory->known, page);
                return page;
        }
        free(page);
        return NULL;
}

int sim_memory_more(struct sim_memory *memory, const struct sim_wish *wish)
{
        struct sim_page *page;

        if (wish->page_bytes > sim_memory_left(memory))
                return -ENOMEM;
        page = find(&memory->outside, wish);
        if (page)
                TAILQ_REMOVE(&memory->outside, page, link);
        else
                page = make_known(memory, wish);
        if (!page)
                return -ENOMEM;
        move_to_stock(memory, page);
        memory->bytes += page->page_bytes;
        return 0;
}

int sim_memory_take(struct sim_memory *memory, const struct sim_wish *wish, uint64_t *ret_phys,
                    int *ret_node)
{
        struct sim_page *page;

        page = find(&memory->stock, wish);
        if (!page && !memory->settings->blind && !sim_memory_more(memory, wish))
                page = TAILQ_FIRST(&memory->stock);
        if (!page)
                return -ENOMEM;
        take_from_stock(memory, page);
        *ret_phys = page->phys;
        *ret_node = page->node;
        return 0;
}

int sim_memory_adopt(struct sim_memory *memory, uint64_t phys, uint64_t page_bytes, int node)
{
        struct sim_page *page = calloc(1, sizeof(*page));

        if (!page)
                return -ENOMEM;
        page->phys = phys;
        page->page_bytes = page_bytes;
        page->node = node;
        page->place = SIM_TAKEN;
        if (is_known(memory, page)) {
                free(page);
                return -EEXIST;
        }
        RB_INSERT(sim_pages, &memory->known, page);
        memory->bytes += page_bytes;
        return 0;
}

static struct sim_page *known_at(struct sim_memory *memory, uint64_t phys)
{
        struct sim_page key = { .phys = phys };

        return RB_FIND(sim_pages, &memory->known, &key);
}

void sim_memory_return(struct sim_memory *memory, uint64_t phys)
{
        struct sim_page *page;

        page = known_at(memory, phys);
        assert(page && page->place == SIM_TAKEN);
        move_to_stock(memory, page);
}

bool sim_memory_less(struct sim_memory *memory, const struct sim_wish *wish)
{
        struct sim_page *page;

        page = find(&memory->stock, wish);
        if (!page)
                return false;
        TAILQ_REMOVE(&memory->stock, page, link);
        TAILQ_INSERT_HEAD(&memory->outside, page, link);
        page->place = SIM_OUTSIDE;
        memory->bytes -= page->page_bytes;
        return true;
}

static void free_list(struct sim_page_list *list)
{
        struct sim_page *page;

        while ((page = TAILQ_FIRST(list))) {
                TAILQ_REMOVE(list, page, link);
                free(page);
        }
}

/* The pieces of a page, lowest first. On failure the list is empty. */
static int cut(const struct sim_page *page, uint64_t small_bytes, struct sim_page_list *ret)
{
        struct sim_page *piece;

        TAILQ_INIT(ret);
        for (uint64_t at = 0; at < page->page_bytes; at += small_bytes) {
                piece = calloc(1, sizeof(*piece));
                if (!piece) {
                        free_list(ret);
                        return -ENOMEM;
                }
                piece->phys = page->phys + at;
                piece->page_bytes = small_bytes;
                piece->node = page->node;
                TAILQ_INSERT_TAIL(ret, piece, link);
        }
        return 0;
}

int sim_memory_demote(struct sim_memory *memory, const struct sim_wish *wish, uint64_t small_bytes)
{
        struct sim_page_list pieces;
        struct sim_page *page, *piece;
        int r;

        assert(small_bytes > 0 && small_bytes < wish->page_bytes);

        page = find(&memory->stock, wish);
        if (!page)
                return -ENOMEM;
        r = cut(page, small_bytes, &pieces);
        if (r)
                return r;

        TAILQ_REMOVE(&memory->stock, page, link);
        RB_REMOVE(sim_pages, &memory->known, page);
        free(page);
        /* The lowest is handed out first, as by the kernel. */
        while ((piece = TAILQ_LAST(&pieces, sim_page_list))) {
                TAILQ_REMOVE(&pieces, piece, link);
                RB_INSERT(sim_pages, &memory->known, piece);
                move_to_stock(memory, piece);
        }
        return 0;
}

/* struct found - addresses that look() has come to; without @list they are only counted */
struct found {
        uint64_t *list;
        size_t n;
};

static void found_add(struct found *found, uint64_t phys)
{
        if (found->list)
                found->list[found->n] = phys;
        found->n++;
}

static void look_once(struct sim_memory *memory, const struct sim_wish *wish, struct found *found)
{
        const struct sim_settings *settings = memory->settings;
        const struct sim_page *page;
        struct sim_part part;

        found->n = 0;
        TAILQ_FOREACH (page, &memory->stock, link) {
                if (fits(page, wish))
                        found_add(found, page->phys);
        }
        if (settings->blind)
                return;

        /* Everything else that is not taken might as well be stock. */
        TAILQ_FOREACH (page, &memory->outside, link) {
                if (fits(page, wish))
                        found_add(found, page->phys);
        }
        for (size_t i = 0; i < settings->n_extents; i++) {
                if (!sim_part_of(&settings->extents[i], wish, &part))
                        continue;
                for (uint64_t k = 0; k < part.pages; k++)
                        if (!known_at(memory, part.first + k * wish->page_bytes))
                                found_add(found, part.first + k * wish->page_bytes);
        }
}

static int lowest_first(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

int sim_memory_look(struct sim_memory *memory, const struct sim_wish *wish, uint64_t **ret,
                    size_t *ret_n)
{
        struct found found = { 0 };

        look_once(memory, wish, &found);
        found.list = calloc(found.n + 1, sizeof(*found.list));
        if (!found.list)
                return -ENOMEM;
        look_once(memory, wish, &found);
        qsort(found.list, found.n, sizeof(*found.list), lowest_first);
        *ret = found.list;
        *ret_n = found.n;
        return 0;
}
