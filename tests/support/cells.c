/* SPDX-License-Identifier: MIT */
/*
 * Owns the flags of the cells, and for each which cells around it are alike, so that a walk may go
 * from stretch to stretch. Shares nothing with the engine but the arithmetic of range.h.
 */
#include "cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must_have(size_t n, size_t bytes)
{
        void *p = calloc(n, bytes);

        if (!p) {
                fprintf(stderr, "cells: no memory\n");
                abort();
        }
        return p;
}

struct cells *cells_new(uint64_t granule_bytes, const uint64_t *first, unsigned n)
{
        struct cells *cells = must_have(1, sizeof(*cells));

        cells->granule_bytes = granule_bytes;
        cells->n = n;
        cells->first = must_have(n + 1, sizeof(*cells->first));
        memcpy(cells->first, first, (n + 1) * sizeof(*first));
        cells->there = must_have(n, sizeof(*cells->there));
        cells->begin = must_have(n, sizeof(*cells->begin));
        cells->end = must_have(n, sizeof(*cells->end));
        cells_index(cells);
        return cells;
}

void cells_free(struct cells *cells)
{
        if (!cells)
                return;
        free(cells->first);
        free(cells->there);
        free(cells->begin);
        free(cells->end);
        free(cells);
}

struct range cells_range(const struct cells *cells, unsigned first, unsigned last)
{
        return (struct range){ cells->first[first], cells->first[last + 1] - 1 };
}

static void index_part(struct cells *cells, unsigned first, unsigned last)
{
        for (unsigned i = first; i <= last; i++) {
                const bool joins = i > first && cells->there[i] == cells->there[i - 1];

                cells->begin[i] = joins ? cells->begin[i - 1] : i;
        }
        for (unsigned i = last + 1; i-- > first;) {
                const bool joins = i < last && cells->there[i] == cells->there[i + 1];

                cells->end[i] = joins ? cells->end[i + 1] : i;
        }
}

void cells_index(struct cells *cells)
{
        index_part(cells, 0, cells->n - 1);
}

void cells_set(struct cells *cells, unsigned first, unsigned last, bool there)
{
        const unsigned from = first ? cells->begin[first - 1] : 0;
        const unsigned to = last + 1 < cells->n ? cells->end[last + 1] : last;

        for (unsigned i = first; i <= last; i++)
                cells->there[i] = there;
        index_part(cells, from, to);
}

/* The range or the gap that a cell belongs to. */
static struct range stretch(const struct cells *cells, unsigned i)
{
        return cells_range(cells, cells->begin[i], cells->end[i]);
}

/* The same, but a gap at the end of the cells reaches to the end of the 64-bit range. */
static struct range whole_stretch(const struct cells *cells, unsigned i)
{
        struct range range = stretch(cells, i);

        if (!cells->there[i] && cells->begin[i] == 0)
                range.first = 0;
        if (!cells->there[i] && cells->end[i] == cells->n - 1)
                range.last = UINT64_MAX;
        return range;
}

unsigned cells_at(const struct cells *cells, uint64_t address)
{
        unsigned low = 0, high = cells->n - 1;

        while (low < high) {
                const unsigned middle = (low + high + 1) / 2;

                if (cells->first[middle] <= address)
                        low = middle;
                else
                        high = middle - 1;
        }
        return low;
}

static bool is_inside(const struct cells *cells, uint64_t address)
{
        return address >= cells->first[0] && address <= cells->first[cells->n] - 1;
}

/* The granules that lie entirely in a window. */
static bool whole_granules(const struct cells *cells, struct range window, struct range *ret)
{
        const uint64_t mask = cells->granule_bytes - 1;

        if (!align_up(window.first, cells->granule_bytes, &ret->first))
                return false;
        ret->last = window.last;
        if ((window.last & mask) != mask) {
                if (window.last < cells->granule_bytes)
                        return false;
                ret->last = (window.last & ~mask) - 1;
        }
        return ret->first <= ret->last;
}

/*
 * The outermost place that begins in a cell. @run is the part of the range around the cell that may
 * be used, at least as long as the place.
 */
static bool place_from(struct range cell, struct range run, uint64_t size, uint64_t align,
                       enum space_end end, uint64_t *ret)
{
        const uint64_t low = cell.first > run.first ? cell.first : run.first;
        const uint64_t most = run.last - (size - 1);
        const uint64_t high = cell.last < most ? cell.last : most;

        if (end == SPACE_LOWEST)
                return align_up(low, align, ret) && *ret <= high;
        *ret = align_down(high, align);
        return *ret >= low && *ret <= high;
}

bool cells_find(const struct cells *cells, struct range window, uint64_t size_bytes,
                uint64_t align_bytes, enum space_end end, struct range *ret)
{
        const bool down = end == SPACE_HIGHEST;
        uint64_t size, first = 0; /* as gcc with the thread sanitizer wants it */
        struct range whole, run;

        if (align_bytes < cells->granule_bytes)
                align_bytes = cells->granule_bytes;
        if (!align_up(size_bytes, cells->granule_bytes, &size) ||
            !whole_granules(cells, window, &whole))
                return false;
        for (unsigned k = 0; k < cells->n; k++) {
                const unsigned i = down ? cells->n - 1 - k : k;

                if (!cells->there[i] || !range_intersect(stretch(cells, i), whole, &run) ||
                    run.last - run.first < size - 1) {
                        k += down ? i - cells->begin[i] : cells->end[i] - i;
                } else if (place_from(cells_range(cells, i, i), run, size, align_bytes, end,
                                      &first)) {
                        *ret = range_of(first, size);
                        return true;
                }
        }
        return false;
}

uint64_t cells_longest(const struct cells *cells, struct range window)
{
        uint64_t longest = 0;
        struct range whole, part;

        if (!whole_granules(cells, window, &whole))
                return 0;
        for (unsigned i = 0; i < cells->n; i = cells->end[i] + 1)
                if (cells->there[i] && range_intersect(stretch(cells, i), whole, &part) &&
                    range_size(part) > longest)
                        longest = range_size(part);
        return longest;
}

bool cells_contains(const struct cells *cells, struct range range)
{
        const unsigned i = cells_at(cells, range.first);

        return cells->there[i] && range_contains(stretch(cells, i), range);
}

uint64_t cells_bytes_in(const struct cells *cells, struct range window)
{
        uint64_t sum = 0;
        struct range part;

        for (unsigned i = 0; i < cells->n; i = cells->end[i] + 1)
                if (cells->there[i] && range_intersect(stretch(cells, i), window, &part))
                        sum += range_size(part);
        return sum;
}

bool cells_next(const struct cells *cells, uint64_t from, struct range *ret)
{
        unsigned i = cells_at(cells, from);

        if (from > cells->first[0] && !is_inside(cells, from))
                return false;
        if (!cells->there[i]) {
                i = cells->end[i] + 1;
                if (i == cells->n)
                        return false;
        }
        *ret = stretch(cells, i);
        if (ret->first < from)
                ret->first = from;
        return true;
}

bool cells_prev(const struct cells *cells, uint64_t from, struct range *ret)
{
        for (unsigned i = cells->n; i-- > 0; i = cells->begin[i])
                if (cells->there[i] &&
                    range_intersect(stretch(cells, i), (struct range){ 0, from }, ret))
                        return true;
        return false;
}

bool cells_next_gap(const struct cells *cells, uint64_t from, struct range *ret)
{
        const uint64_t last = cells->first[cells->n] - 1;
        unsigned i = cells_at(cells, from);

        if (from > last) {
                *ret = (struct range){ from, UINT64_MAX };
                return true;
        }
        if (from < cells->first[0] && cells->there[0]) {
                *ret = (struct range){ from, cells->first[0] - 1 };
                return true;
        }
        if (cells->there[i])
                i = cells->end[i] + 1;
        *ret = i < cells->n ? whole_stretch(cells, i) : (struct range){ last + 1, UINT64_MAX };
        if (ret->first < from)
                ret->first = from;
        return i < cells->n || last != UINT64_MAX;
}
