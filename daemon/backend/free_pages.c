/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Reads the flags of the first page frame of each place where a hugepage can begin;
 * reading all of them would cost eighty times as much. Refuses pages of another size, whose flags
 * are the same: they are told apart by what follows their head.
 */
#include "free_pages.h"

#include "backend.h"
#include "pagemap.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

/* Return: 0 and whether a page of just the wanted size begins here. */
static int has_size(const struct free_pages *what, uint64_t phys, bool *ret)
{
        enum hugepage_part part;
        uint64_t after;
        int r;

        *ret = false;
        if (what->smaller_bytes) {
                r = kpageflags_part(what->kpageflags, phys + what->smaller_bytes, &part);
                if (r)
                        return r;
                if (part != HUGEPAGE_REST)
                        return 0;
        }
        *ret = true;
        /* What goes on behind it is a larger one. */
        if (__builtin_add_overflow(phys, what->page_bytes, &after))
                return 0;
        r = kpageflags_part(what->kpageflags, after, &part);
        if (r)
                return r == -EIO ? 0 : r; /* the end of memory */
        *ret = part != HUGEPAGE_REST;
        return 0;
}

static int visit_range(const struct free_pages *what, struct range range,
                       void (*visit)(void *data, uint64_t phys), void *data)
{
        uint64_t size = what->page_bytes, at = range.first, skip = at % size;
        enum hugepage_part part;
        bool wanted;
        int r;

        if (skip && __builtin_add_overflow(at, size - skip, &at))
                return 0;
        while (at <= range.last && range.last - at >= size - 1) {
                r = kpageflags_part(what->kpageflags, at, &part);
                if (r)
                        return r == -EIO ? 0 : r;
                wanted = part == HUGEPAGE_FREE_HEAD;
                r = wanted ? has_size(what, at, &wanted) : 0;
                if (r)
                        return r;
                if (wanted)
                        visit(data, at);
                if (__builtin_add_overflow(at, size, &at))
                        return 0;
        }
        return 0;
}

int free_pages_visit(const struct free_pages *what, const struct zone *zones, size_t n_zones,
                     void (*visit)(void *data, uint64_t phys), void *data)
{
        uint64_t next = what->window.first;
        struct range range;
        int r;

        assert(what->page_bytes > 0);

        for (size_t i = 0; i < n_zones; i++) {
                if (what->node != NODE_ANY && what->node != zones[i].node)
                        continue;
                if (next > what->window.last)
                        break;
                if (!range_intersect(zones[i].range, (struct range){ next, what->window.last },
                                     &range))
                        continue;
                r = visit_range(what, range, visit, data);
                if (r)
                        return r;
                /* Zones may overlap: nothing is visited twice. */
                if (range.last == UINT64_MAX)
                        break;
                next = range.last + 1;
        }
        return 0;
}
