/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing beyond a call. A run is a maximal sequence of adjacent pages, whether they could be
 * had or are the pool's already. Refuses to choose a page that would be left in a shorter run than
 * the pool wants.
 */
#include "runs.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct run_page {
        uint64_t phys;
        bool own;
};

/* @first: number of its first page; @n_own: pages of it that the pool has. */
struct run {
        size_t first, n, n_own;
};

/**
 * struct runs - all pages in order, and the runs that they make
 */
struct runs {
        const struct runs_wish *wish;
        struct run_page *pages;
        struct run *runs;
        size_t n_pages, n_runs;
};

static void runs_deinit(struct runs *runs)
{
        free(runs->pages);
        free(runs->runs);
}

static void merge(struct runs *runs, const struct addresses *pages, const struct addresses *own)
{
        size_t i = 0, j = 0;

        while (i < pages->n || j < own->n) {
                bool is_own = i == pages->n || (j < own->n && own->at[j] < pages->at[i]);
                uint64_t phys = is_own ? own->at[j++] : pages->at[i++];

                runs->pages[runs->n_pages++] = (struct run_page){ phys, is_own };
        }
}

static void find_runs(struct runs *runs)
{
        for (size_t i = 0; i < runs->n_pages; i++) {
                const struct run_page *page = &runs->pages[i];

                if (!i || page->phys - page[-1].phys != runs->wish->page_bytes)
                        runs->runs[runs->n_runs++] = (struct run){ .first = i };
                runs->runs[runs->n_runs - 1].n++;
                runs->runs[runs->n_runs - 1].n_own += page->own;
        }
}

/* Those that the pool has a part of first, then the longest, then the highest. */
static int compare(const void *a, const void *b)
{
        const struct run *x = a, *y = b;

        if (!x->n_own != !y->n_own)
                return x->n_own ? -1 : 1;
        if (x->n != y->n)
                return x->n > y->n ? -1 : 1;
        return (x->first < y->first) - (x->first > y->first);
}

static bool long_enough(const struct runs *runs, size_t pages)
{
        return pages * runs->wish->page_bytes >= runs->wish->run_bytes;
}

/*
 * The part of a run that @left pages can make: around the first frame that the pool has, or else
 * its upper end.
 */
static struct run part_of(const struct runs *runs, const struct run *run, size_t left)
{
        const struct run_page *pages = &runs->pages[run->first];
        size_t first, end;

        if (!run->n_own)
                return (struct run){ .first = run->first + run->n - left, .n = left };
        for (first = 0; !pages[first].own; first++)
                ;
        for (end = first; end < run->n && (pages[end].own || left); end++)
                left -= !pages[end].own;
        for (; first > 0 && left; first--)
                left--; /* below the first frame of the pool there is no other */
        return (struct run){ .first = run->first + first, .n = end - first };
}

static int choose_from(const struct runs *runs, const struct run *run, struct addresses *ret)
{
        size_t left = runs->wish->count - ret->n;
        struct run part = *run;
        int r = 0;

        if (run->n - run->n_own > left)
                part = part_of(runs, run, left);
        if (!long_enough(runs, part.n))
                return 0;
        for (size_t i = part.first; !r && i < part.first + part.n; i++)
                if (!runs->pages[i].own)
                        r = addresses_add(ret, runs->pages[i].phys);
        return r;
}

int runs_choose(const struct runs_wish *wish, const struct addresses *pages,
                const struct addresses *own, struct addresses *ret)
{
        size_t most = pages->n + own->n;
        _cleanup_(runs_deinit) struct runs runs = { .wish = wish };
        int r = 0;

        ret->n = 0;
        if (!pages->n || !wish->count)
                return 0;
        runs.pages = calloc(most, sizeof(*runs.pages));
        runs.runs = calloc(most, sizeof(*runs.runs));
        if (!runs.pages || !runs.runs)
                return -ENOMEM;

        merge(&runs, pages, own);
        find_runs(&runs);
        qsort(runs.runs, runs.n_runs, sizeof(runs.runs[0]), compare);
        for (size_t i = 0; !r && i < runs.n_runs && ret->n < wish->count; i++)
                r = choose_from(&runs, &runs.runs[i], ret);
        if (r)
                return r;
        assert(ret->n <= wish->count);
        addresses_sort(ret);
        return 0;
}
