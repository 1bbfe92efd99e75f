/* SPDX-License-Identifier: MIT */
/*
 * Owns a small world of cells for each list: pieces of memory are rows of cells, limits are in
 * cells, and a cell has 1 to 2^24 bytes, anywhere in 64 bits.
 *
 * Invariant: what is expected is never taken from the library. Refuses to go on after a mistake.
 */
#include "sg_trial.h"

#include "insist_or_abort.h"
#include "macros.h"
#include "par_sg.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define WORLD_CELLS 256 /* addresses there are */
#define LIST_CELLS  160 /* in a list at most */
#define PIECES_MAX  6   /* of an addition */
#define NONE        UINT64_MAX

/**
 * struct sg_world - a list, and what is known of it
 * @cell:     bytes of a cell
 * @base:     address of the first one
 * @align, @boundary, @longest: in cells; 0: no such limit
 * @first, @last: cells of the window
 * @most:     segments; 0: any number
 * @cells:    @n: which cell each cell of the list is
 * @phys:     where that is in memory; NONE: not known
 */
struct sg_world {
        uint64_t cell, base;
        uint64_t align, boundary, longest, first, last, most;
        uint32_t cells[LIST_CELLS];
        uint64_t phys[LIST_CELLS];
        size_t n;
};

/* ---- the fewest segments -------------------------------------------------------------------- */

/* Whether cells @i to @j - 1 of the list can be one segment. */
static bool can_be_one(const struct sg_world *world, size_t i, size_t j)
{
        const uint64_t first = world->cells[i], last = world->cells[j - 1];
        uint64_t longest = world->longest;

        if (world->align && first % world->align)
                return false;
        /* As par.h has it: rounded down to a multiple of the alignment, if that leaves any. */
        if (longest && world->align && longest >= world->align)
                longest -= longest % world->align;
        if (longest && j - i > longest)
                return false;
        if (world->boundary && first / world->boundary != last / world->boundary)
                return false;
        return first >= world->first && last <= world->last;
}

/* The fewest segments that the list can be cut into; NONE: there is no way. */
static uint64_t fewest(const struct sg_world *world)
{
        uint64_t best[LIST_CELLS + 1] = { 0 };

        for (size_t j = 1; j <= world->n; j++) {
                best[j] = NONE;
                for (size_t i = j; i-- > 0;) {
                        if (i + 1 < j && world->cells[i] + 1 != world->cells[i + 1])
                                break;
                        if (best[i] != NONE && can_be_one(world, i, j) && best[i] + 1 < best[j])
                                best[j] = best[i] + 1;
                }
        }
        return best[world->n];
}

/* Segments that so many cells take at least, wherever they are. */
static uint64_t fewest_anywhere(const struct sg_world *world)
{
        uint64_t longest = world->longest;

        if (longest && world->align && longest >= world->align)
                longest -= longest % world->align;
        if (world->boundary && (!longest || world->boundary < longest))
                longest = world->boundary;
        return longest ? (world->n + longest - 1) / longest : 1;
}

/* ---- what is made --------------------------------------------------------------------------- */

static struct sg_world make_world(struct choices *choices)
{
        struct sg_world world = { .cell = choose_power(choices, 0, 24) };
        const uint64_t bytes = WORLD_CELLS * world.cell;

        switch (choose(choices, 4)) {
        case 0: world.base = 0; break;
        case 1: world.base = 4 * GiB - bytes / 2 * (bytes <= 4 * GiB); break;
        case 2: world.base = (UINT64_C(1) << 63) - bytes; break;
        default: world.base = UINT64_MAX - bytes + 1; break;
        }
        world.base -= world.base % bytes;
        if (choose_one_in(choices, 2))
                world.align = choose_power(choices, 0, 4);
        if (choose_one_in(choices, 2))
                world.boundary = choose_power(choices, 0, 7);
        if (choose_one_in(choices, 2))
                world.longest = 1 + choose(choices, 20);
        if (choose_one_in(choices, 2))
                world.most = 1 + choose(choices, 12);
        world.last = WORLD_CELLS - 1;
        if (choose_one_in(choices, 8)) {
                world.first = choose(choices, WORLD_CELLS / 4);
                world.last -= choose(choices, WORLD_CELLS / 4);
        }
        return world;
}

static struct par_constraint limits_of(const struct sg_world *world, struct choices *choices)
{
        struct par_constraint limits = {
                .addr_min = world->base + world->first * world->cell,
                .addr_max = world->base + world->last * world->cell + (world->cell - 1),
                .align = world->align * world->cell,
                .boundary = world->boundary * world->cell,
                .max_segment_bytes = world->longest * world->cell,
                .max_segments = (uint32_t)world->most,
        };

        if (limits.addr_max == UINT64_MAX)
                limits.addr_max = 0;
        /* What is more than a multiple of the alignment is of no use. */
        if (world->align && world->longest >= world->align)
                limits.max_segment_bytes += choose(choices, world->cell);
        if (!limits.max_segments && choose_one_in(choices, 2))
                limits.max_segments = PAR_SEGMENTS_ANY;
        return limits;
}

/* A piece that often begins where the list ends, or where the device could begin. */
static struct par_segment make_piece(struct sg_world *world, struct choices *choices)
{
        uint64_t first = choose(choices, WORLD_CELLS), count = 1 + choose(choices, 12), phys = NONE;

        if (world->align && !choose_one_in(choices, 8))
                first -= first % world->align;
        if (world->n && choose_one_in(choices, 2))
                first = world->cells[world->n - 1] + 1;
        /* The very last address says that there is none. */
        if (first >= WORLD_CELLS || world->base + first * world->cell == PAR_PHYS_NONE)
                first = 0;
        if (count > WORLD_CELLS - first)
                count = WORLD_CELLS - first;
        if (choose_one_in(choices, 2))
                phys = world->base / 2 + (first + 256 * choose(choices, 2)) * world->cell;
        for (uint64_t i = 0; i < count; i++) {
                world->cells[world->n] = (uint32_t)(first + i);
                world->phys[world->n++] = phys == NONE ? NONE : phys + i * world->cell;
        }
        return (struct par_segment){
                .dma = world->base + first * world->cell,
                .phys = phys,
                .length = count * world->cell,
                .offset = choose(choices, 3),
        };
}

/* ---- what is found -------------------------------------------------------------------------- */

/* One segment of the list, against the cells from @at on. Return: how many cells it has. */
static size_t check_segment(const struct sg_world *world, const struct par_segment *segment,
                            size_t at)
{
        const uint64_t cells = segment->length / world->cell;
        bool known = true;

        insist(segment->length && segment->length % world->cell == 0, "%" PRIu64, segment->length);
        insist(cells <= world->n - at, "%" PRIu64 " cells at %zu", cells, at);
        insist(segment->offset == at * world->cell, "%" PRIu64, segment->offset);
        insist(can_be_one(world, at, at + cells), "cells %zu to %" PRIu64, at, at + cells - 1);
        for (size_t i = 0; i < cells; i++) {
                const uint64_t address = world->base + world->cells[at + i] * world->cell;

                insist(segment->dma + i * world->cell == address, "cell %zu", at + i);
                known = known && world->phys[at + i] != NONE &&
                        world->phys[at + i] == world->phys[at] + i * world->cell;
        }
        insist(segment->phys == (known ? world->phys[at] : NONE), "%#" PRIx64, segment->phys);
        return cells;
}

static void check_addresses(const struct sg_world *world, const struct par_sg *list,
                            struct choices *choices)
{
        const uint64_t offset = choose(choices, world->n * world->cell + 2);
        uint64_t dma, contiguous, at = offset / world->cell;
        int r = par_sg_address(list, offset, &dma, &contiguous);

        if (at >= world->n) {
                insist(r && !dma && !contiguous, "offset %" PRIu64, offset);
                return;
        }
        insist(!r && dma == world->base + world->cells[at] * world->cell + offset % world->cell,
               "%" PRIu64, dma);
        insist(contiguous && contiguous <= world->n * world->cell - offset, "%" PRIu64, contiguous);
}

/* By walking over the cells: each that begins a page, and the first, is an entry. Return: whether
 * the list has pages. */
static bool check_pages(const struct sg_world *world, const struct par_sg *list, uint64_t page)
{
        uint64_t dma[LIST_CELLS + 1], expected[LIST_CELLS];
        size_t count, entries = 0;
        bool paged = true;
        int r;

        for (size_t i = 0; i < world->n; i++) {
                const bool jumps = i && world->cells[i - 1] + 1 != world->cells[i];

                if (jumps && (world->cells[i] % page || (world->cells[i - 1] + 1) % page))
                        paged = false;
                if (!i || world->cells[i] % page == 0)
                        expected[entries++] = world->base + world->cells[i] * world->cell;
        }
        r = par_sg_pages(list, page * world->cell, dma, ARRAY_SIZE(dma), &count);
        insist(paged == !r, "pages of %" PRIu64 " cells", page);
        if (r)
                return false;
        insist(count == entries && !memcmp(dma, expected, entries * sizeof(*dma)), "%zu", count);
        return true;
}

static void check_list(struct sg_trial *trial, const struct sg_world *world,
                       const struct par_sg *list)
{
        const struct par_segment *segments;
        const size_t n = par_sg_segments(list, &segments);
        size_t at = 0;

        insist(n == fewest(world), "%zu segments, %" PRIu64 " would do", n, fewest(world));
        insist(par_sg_bytes(list) == world->n * world->cell, "%" PRIu64, par_sg_bytes(list));
        for (size_t i = 0; i < n; i++)
                at += check_segment(world, &segments[i], at);
        insist(at == world->n, "%zu of %zu cells", at, world->n);
        check_addresses(world, list, &trial->choices);
        trial->paged += check_pages(world, list, choose_power(&trial->choices, 0, 4));
}

/* What is said to an addition, after which the list would be as @then. */
static void check_refusal(struct sg_trial *trial, const struct sg_world *then,
                          const struct par_sg *list, int r)
{
        const uint64_t least = fewest(then);
        const bool never = least == NONE || fewest_anywhere(then) > then->most;

        insist(least == NONE || (then->most && least > then->most), "%d for %" PRIu64, r, least);
        insist(r == (never ? -PAR_NEVER_FITS : -PAR_FRAGMENTED), "%d for %" PRIu64, r, least);
        insist(par_is_permanent(r) == never, "%d", r);
        insist(least == NONE || par_sg_wanted(list) == least, "%" PRIu64, par_sg_wanted(list));
        if (never)
                trial->never++;
        else
                trial->fragmented++;
}

/* ---- the trial ------------------------------------------------------------------------------ */

static void add_some(struct sg_trial *trial, struct sg_world *world, struct par_sg *list)
{
        const size_t count = choose(&trial->choices, PIECES_MAX + 1);
        struct par_segment pieces[PIECES_MAX];
        struct sg_world then = *world;
        int r;

        for (size_t i = 0; i < count; i++)
                pieces[i] = make_piece(&then, &trial->choices);
        r = par_sg_add_segments(list, pieces, count);
        trial->additions++;
        if (r) {
                check_refusal(trial, &then, list, r);
        } else {
                *world = then;
                trial->taken++;
                insist(!world->most || fewest(world) <= world->most, "too many segments");
        }
        /* Also after a refusal: then it has to be as it was. */
        check_list(trial, world, list);
        trial->pieces += r ? 0 : count;
}

static void make_list(struct sg_trial *trial)
{
        struct sg_world world = make_world(&trial->choices);
        struct par_constraint limits = limits_of(&world, &trial->choices);
        struct par_sg *list;
        int r;

        r = par_sg_create(NULL, &limits, NULL, &list);
        insist(!r, "%d: %s", r, par_error(NULL));
        trial->lists++;
        do {
                add_some(trial, &world, list);
                if (choose_one_in(&trial->choices, 8)) {
                        par_sg_clear(list);
                        world.n = 0;
                }
        } while (world.n + PIECES_MAX * 12 <= LIST_CELLS && !trial->choices.over &&
                 !choose_one_in(&trial->choices, 4));
        trial->segments += par_sg_segments(list, NULL);
        par_sg_destroy(list);
}

void sg_trial_run(struct sg_trial *trial, uint64_t lists)
{
        while (trial->lists < lists && !trial->choices.over)
                make_list(trial);
}
