/* SPDX-License-Identifier: MIT */
/*
 * Counts in granules while it chooses: of the 64-bit range there are so few that their number, the
 * index of what follows the last one, can be represented. Owns nothing.
 */
#include "cells_layout.h"

#include "macros.h"

#include <stdlib.h>
#include <string.h>

static uint64_t min(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

uint64_t layout_choose_base(struct choices *choices, unsigned shift, uint64_t n)
{
        const uint64_t all = UINT64_C(1) << (64 - shift);
        uint64_t border, back;

        switch (choose(choices, 4)) {
        case 0: return 0;
        case 1: return all - n;
        case 2: border = shift < 32 ? 4 * GiB >> shift : all / 2; break;
        default:
                border = choose_power(choices, 0, 63 - shift);
                border *= choose(choices, all / border);
                break;
        }
        back = min(choose(choices, n + 1), border);
        return min(border - back, all - n);
}

static struct cells *neighbours(struct choices *choices, unsigned shift, uint64_t all,
                                unsigned n_max, uint64_t *first)
{
        const unsigned n = (unsigned)min(1 + choose(choices, n_max), all);
        const uint64_t base = layout_choose_base(choices, shift, n);

        for (unsigned i = 0; i <= n; i++)
                first[i] = (base + i) << shift; /* 0 where it is the end of the 64-bit range */
        return cells_new(UINT64_C(1) << shift, first, n);
}

/* One cell for all that lies between. */
static struct cells *both_ends(struct choices *choices, unsigned shift, uint64_t all,
                               unsigned n_max, uint64_t *first)
{
        const unsigned most = (unsigned)min(n_max - 1, all - 1);
        const unsigned below = 1 + (unsigned)choose(choices, most);
        const unsigned above = (unsigned)choose(choices, most - below + 1);
        unsigned n = 0;

        for (uint64_t i = 0; i <= below; i++)
                first[n++] = i << shift;
        for (uint64_t i = above + 1; i-- > 0;)
                first[n++] = (all - i) << shift;
        return cells_new(UINT64_C(1) << shift, first, n - 1);
}

static int ascending(const void *a, const void *b)
{
        const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

/* A granule near a multiple of a power of two inside a region of 2^@bits granules, or its end. */
static uint64_t choose_edge(struct choices *choices, unsigned bits)
{
        static const uint64_t near[] = { 1, 1, 2, 64, 512, 4096 };
        const uint64_t step = choose_power(choices, 0, bits), size = UINT64_C(1) << bits;
        const uint64_t edge = step * choose(choices, size / step + 1);
        uint64_t off;

        if (choose(choices, 2))
                return edge;
        off = choose(choices, near[choose(choices, ARRAY_SIZE(near))] + 1);
        if (choose(choices, 2))
                return edge - min(off, edge);
        return edge + min(off, size - edge);
}

/* Sort addresses, each of which stays once. Return: how many are left. */
static unsigned sort_once(uint64_t *address, unsigned n)
{
        unsigned left = 1;

        qsort(address, n, sizeof(*address), ascending);
        for (unsigned i = 1; i < n; i++)
                if (address[i] != address[left - 1])
                        address[left++] = address[i];
        return left;
}

static struct cells *wide(struct choices *choices, unsigned shift, unsigned n_max, uint64_t *first)
{
        const unsigned bits = 1 + (unsigned)choose(choices, 64 - shift);
        const uint64_t regions = UINT64_C(1) << (64 - shift - bits);
        const uint64_t where = choose(choices, 3);
        const unsigned most = choose_one_in(choices, 8) ? 150 : 30;
        const unsigned wanted = 2 + (unsigned)choose(choices, min(n_max - 1, most));
        uint64_t region = 0;
        unsigned n = 0;

        if (where)
                region = where == 1 ? regions - 1 : choose(choices, regions);
        first[n++] = 0;
        first[n++] = UINT64_C(1) << bits;
        first[n++] = UINT64_C(1) << (bits - 1);
        while (n <= wanted && !choices->over)
                first[n++] = choose_edge(choices, bits);
        n = sort_once(first, n);
        for (unsigned i = 0; i < n; i++)
                first[i] = ((region << bits) + first[i]) << shift;
        return cells_new(UINT64_C(1) << shift, first, n - 1);
}

struct cells *cells_choose_layout(struct choices *choices, unsigned n_max)
{
        static const unsigned shifts[] = { 4, 12, 12, 12, 21, 30, 52, 57, 63 };
        static const unsigned parts[] = { 64, 64, 16, 16, 8, 8, 4, 1 };
        const unsigned shift = shifts[choose(choices, ARRAY_SIZE(shifts))];
        const uint64_t all = UINT64_C(1) << (64 - shift);
        const unsigned most = n_max / parts[choose(choices, ARRAY_SIZE(parts))];
        uint64_t *first = calloc(n_max + 2, sizeof(*first));
        struct cells *cells;

        if (!first)
                abort();
        switch (choose(choices, 4)) {
        case 0: cells = both_ends(choices, shift, all, most < 3 ? 3 : most, first); break;
        case 1: cells = wide(choices, shift, n_max, first); break;
        default: cells = neighbours(choices, shift, all, most < 3 ? 3 : most, first); break;
        }
        free(first);
        return cells;
}

unsigned cells_choose(const struct cells *cells, struct choices *choices)
{
        unsigned i = (unsigned)choose(choices, cells->n);
        uint64_t step, near;

        if (choose(choices, 2) ||
            __builtin_mul_overflow(cells->granule_bytes, choose_power(choices, 6, 18), &step))
                return i;
        near = cells_at(cells, align_down(cells->first[i], step)) + choose(choices, 9);
        return near < 4 ? 0 : (unsigned)min(near - 4, cells->n - 1);
}

/* Pieces up to so long, of which @density in 8 are there. */
static void fill_with_pieces(struct cells *cells, struct choices *choices, unsigned longest,
                             unsigned density)
{
        unsigned i = 0;

        while (i < cells->n) {
                const bool there = choose(choices, 8) < density;
                unsigned length = 1 + (unsigned)choose(choices, longest);

                for (; length && i < cells->n; length--)
                        cells->there[i++] = there;
        }
}

static void fill_with_comb(struct cells *cells, unsigned period)
{
        for (unsigned i = 0; i < cells->n; i++)
                cells->there[i] = i % period != 0;
}

bool cells_may_add(const struct cells *cells, unsigned first, unsigned last)
{
        if (cells->first[0] || cells->first[cells->n])
                return true;
        for (unsigned i = 0; i < cells->n; i++)
                if (!cells->there[i] && (i < first || i > last))
                        return true;
        return false;
}

void cells_choose_content(struct cells *cells, struct choices *choices)
{
        static const unsigned lengths[] = { 1, 2, 5, 70, 600, 5000 };
        unsigned longest;

        switch (choose(choices, 6)) {
        case 0: break;
        case 1: memset(cells->there, true, cells->n); break;
        case 2: fill_with_comb(cells, 2 + (unsigned)choose(choices, 9)); break;
        default:
                longest = lengths[choose(choices, ARRAY_SIZE(lengths))];
                fill_with_pieces(cells, choices, longest, 1 + (unsigned)choose(choices, 7));
                break;
        }
        cells_index(cells);
        if (!cells_may_add(cells, 0, 0) && cells->there[0])
                cells_set(cells, 0, 0, false);
}
