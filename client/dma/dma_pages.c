/* SPDX-License-Identifier: MIT */
/*
 * Owns what is mapped in an IOMMU for mappings of memory that is not from pard.
 *
 * Invariant: pages are mapped while they are in use, and not any longer: whoever unmaps his memory
 * may do with it what he likes. The device may do with them what each of their mappings lets it do,
 * and no more. Refuses to hold its lock while the kernel maps.
 */
#include "dma_pages.h"

#include "handle.h"
#include "segment.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

/* By the first byte, and of those by the last: the longest first. */
static int compare(const struct pages *a, const struct pages *b)
{
        if (a->at.first != b->at.first)
                return a->at.first < b->at.first ? -1 : 1;
        if (a->at.last != b->at.last)
                return a->at.last > b->at.last ? -1 : 1;
        return (a > b) - (a < b);
}

TREE_GENERATE(page_tree, pages, by_address, compare)

void page_maps_init(struct page_maps *maps)
{
        *maps = (struct page_maps){ .maps = 0 };
        pthread_mutex_init(&maps->lock, NULL);
        for (size_t i = 0; i < IO_ACCESSES; i++)
                RB_INIT(&maps->trees[i]);
}

static struct page_tree *tree_of(struct page_maps *maps, const struct pages *pages)
{
        return &maps->trees[pages->wish.want.access];
}

/* Any of them; NULL: there are none. */
static struct pages *first_of(struct page_maps *maps)
{
        struct pages *pages = NULL;

        for (size_t i = 0; i < IO_ACCESSES && !pages; i++)
                pages = RB_MIN(page_tree, &maps->trees[i]);
        return pages;
}

static uint64_t iova_of(const struct pages *pages)
{
        return pages->wish.place.first;
}

static bool unmap(struct pages *pages)
{
        const int r = io_space_unmap(pages->wish.space, pages->wish.place);

        if (r)
                handle_log(pages->wish.par, LOG_WARNING,
                           "memory at %#llx cannot be unmapped from I/O address %#llx: %s",
                           (unsigned long long)pages->at.first, (unsigned long long)iova_of(pages),
                           par_strerror(r));
        return !r;
}

size_t page_maps_close(struct page_maps *maps)
{
        struct pages *pages;
        size_t n = 0;

        while ((pages = first_of(maps))) {
                RB_REMOVE(page_tree, tree_of(maps, pages), pages);
                (void)unmap(pages);
                io_space_unref(pages->wish.space);
                free(pages);
                n++;
        }
        return n;
}

void page_maps_deinit(struct page_maps *maps)
{
        struct pages *pages;

        while ((pages = first_of(maps))) {
                RB_REMOVE(page_tree, tree_of(maps, pages), pages);
                io_space_unref(pages->wish.space);
                free(pages);
        }
        pthread_mutex_destroy(&maps->lock);
}

/* ---- taking --------------------------------------------------------------------------------- */

/* All pages in which a range lies. */
static struct range pages_of(struct range range, uint64_t page)
{
        return (struct range){ align_down(range.first, page), range.last | (page - 1) };
}

static bool is_whole(const struct pages *pages, struct range range)
{
        const uint64_t page = io_space_granule(pages->wish.space);
        const struct range at = pages_of(range, page);

        return at.first == pages->at.first && at.last == pages->at.last;
}

static uint64_t dma_of(const struct pages *pages, struct range range)
{
        return iova_of(pages) + (range.first - pages->at.first);
}

/* Whether a range that lies in pages is for the device where a constraint wants it, and in no more
 * segments than it allows. */
static bool suits(const struct pages *pages, struct range range,
                  const struct par_constraint *constraint)
{
        const struct constraint limits = {
                .align_bytes = constraint->align,
                .boundary_bytes = constraint->boundary,
                .max_segment_bytes = constraint->max_segment_bytes,
        };
        const uint64_t last = constraint->addr_max ? constraint->addr_max : UINT64_MAX;
        const uint64_t dma = dma_of(pages, range);

        return pages->whole && range_contains(pages->at, range) &&
               iova_of(pages) >= constraint->addr_min && pages->wish.place.last <= last &&
               !(dma & (constraint->align - 1)) &&
               segment_count(&limits, range_of(dma, range_size(range))) <= constraint->max_segments;
}

/* Pages in which all of a range is, at an address that will do; NULL. With the lock held. Of those
 * that begin at or before it only the nearest ones are looked at. */
static struct pages *find(struct page_maps *maps, const struct pages_want *want)
{
        const struct pages key = { .at = { want->range.first, 0 } }; /* behind those from there */
        struct page_tree *tree = &maps->trees[want->access];
        struct pages *pages = RB_NFIND(page_tree, tree, (struct pages *)&key);

        pages = pages ? RB_PREV(page_tree, tree, pages) : RB_MAX(page_tree, tree);
        for (unsigned tries = 0; pages && tries < 4; tries++) {
                if (suits(pages, want->range, &want->constraint))
                        return pages;
                pages = RB_PREV(page_tree, tree, pages);
        }
        return NULL;
}

static int map(struct pages *pages, const struct pages_want *want)
{
        struct io_wish *wish = &pages->wish;
        const size_t bytes = (size_t)range_size(pages->at);
        int r;

        r = io_wish_init(wish, want->device->par, bytes, &want->constraint, want->device);
        if (!r) {
                wish->want.access = want->access;
                wish->taken = false; /* io_space_map() gives it back where it fails */
                r = io_space_map(wish->space, (void *)(uintptr_t)pages->at.first, &wish->want,
                                 &wish->place);
        }
        if (r)
                io_wish_deinit(wish);
        return r;
}

int page_maps_take(struct page_maps *maps, const struct pages_want *want, uint64_t *ret_dma,
                   struct pages **ret)
{
        const uint64_t page = io_space_granule(want->device->io_space);
        struct pages *pages, *fresh;
        int r;

        pthread_mutex_lock(&maps->lock);
        pages = find(maps, want);
        if (pages) {
                pages->uses++;
                pages->whole += is_whole(pages, want->range);
                pthread_mutex_unlock(&maps->lock);
                atomic_fetch_add_explicit(&maps->shared, 1, memory_order_relaxed);
                *ret_dma = dma_of(pages, want->range);
                *ret = pages;
                return 0;
        }
        pthread_mutex_unlock(&maps->lock);

        fresh = calloc(1, sizeof(*fresh));
        if (!fresh)
                return error_set(-ENOMEM, "no memory for a mapping");
        fresh->at = pages_of(want->range, page);
        fresh->uses = fresh->whole = 1;
        r = map(fresh, want);
        if (r) {
                free(fresh);
                return r;
        }
        pthread_mutex_lock(&maps->lock);
        RB_INSERT(page_tree, tree_of(maps, fresh), fresh);
        pthread_mutex_unlock(&maps->lock);
        atomic_fetch_add_explicit(&maps->maps, 1, memory_order_relaxed);
        *ret_dma = dma_of(fresh, want->range);
        *ret = fresh;
        return 0;
}

void page_maps_give(struct page_maps *maps, struct pages *pages, struct range range)
{
        bool last;

        pthread_mutex_lock(&maps->lock);
        pages->whole -= is_whole(pages, range);
        last = !--pages->uses;
        if (last)
                RB_REMOVE(page_tree, tree_of(maps, pages), pages);
        pthread_mutex_unlock(&maps->lock);
        if (!last)
                return;
        (void)unmap(pages);
        io_wish_deinit(&pages->wish);
        free(pages);
}
