/* SPDX-License-Identifier: MIT */
/* Owns the spaces of a world. */
#include "placement_world.h"

#include "cells_layout.h"
#include "macros.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Segments that brute force is made to count. */
#define SEGMENTS_MAX 4096

static uint64_t granule_first(const struct placement_world *world, unsigned i)
{
        return world->base + i * world->granule;
}

struct range world_granules(const struct placement_world *world, unsigned first, unsigned last)
{
        return (struct range){ granule_first(world, first),
                               granule_first(world, last) + (world->granule - 1) };
}

bool world_is_free(const struct placement_world *world, unsigned i, struct range window)
{
        return world->owner[i] != NOBODY && range_contains(window, world_granules(world, i, i));
}

/* Where a tier of two_ends.h ends in it, now and then. */
static uint64_t choose_base(struct choices *choices, unsigned shift, unsigned n_granules)
{
        static const unsigned borders[] = { 24, 28, 30, 31, 32, 36, 40 };
        const unsigned border = borders[choose(choices, ARRAY_SIZE(borders))];
        const uint64_t below = choose(choices, n_granules + 1);

        if (choose(choices, 4) || border <= shift || below > UINT64_C(1) << (border - shift))
                return layout_choose_base(choices, shift, n_granules) << shift;
        return (UINT64_C(1) << border) - (below << shift);
}

/* Where it lies, and in what pages. */
static void choose_place(struct placement_world *world, struct choices *choices, bool whole_pages)
{
        static const unsigned shifts[] = { 4, 12, 12, 12, 21, 57 };
        const unsigned shift = shifts[choose(choices, ARRAY_SIZE(shifts))];
        const unsigned most = choose(choices, 8) || shift == 57 ? 128 : WORLD_GRANULES_MAX;

        world->granule = UINT64_C(1) << shift;
        world->n_granules = shift == 57 ? 128 : 1 + (unsigned)choose(choices, most);
        world->page = world->granule << choose(choices, shift == 57 ? 2 : 4);
        world->base = choose_base(choices, shift, world->n_granules);
        if (whole_pages) {
                world->base = align_down(world->base, world->page);
                world->n_granules =
                        (unsigned)align_down(world->n_granules, world->page / world->granule);
        }
}

/* Runs of random length, so that there is something between dust and all of it. */
static void choose_owners(struct placement_world *world, struct choices *choices, bool whole_pages)
{
        const unsigned unit = whole_pages ? (unsigned)(world->page / world->granule)
                                          : 1 + (unsigned)choose(choices, 4);
        const uint64_t density = 1 + choose(choices, 8);
        const unsigned longest = world->n_granules > 128 ? 200 : 24;
        unsigned i = 0;

        world->n_spaces = 1 + (unsigned)choose(choices, WORLD_SPACES_MAX);
        while (i < world->n_granules) {
                const unsigned who = choose(choices, 8) < density
                                             ? (unsigned)choose(choices, world->n_spaces)
                                             : NOBODY;
                unsigned length =
                        unit * (1 + (unsigned)choose(choices, choose(choices, 3) ? 3 : longest));

                for (; length && i < world->n_granules; length--)
                        world->owner[i++] = who;
        }
        if (world->n_granules)
                world->owner[world->n_granules - 1] = choose(choices, 2) ? NOBODY : world->owner[0];
}

/* Add what a space has, run by run. */
static void build_space(struct placement_world *world, unsigned s)
{
        bool ok = !space_new(world->granule, &world->space[s]);
        unsigned last;

        for (unsigned i = 0; ok && i < world->n_granules; i = last + 1) {
                last = i;
                if (world->owner[i] != s)
                        continue;
                while (last + 1 < world->n_granules && world->owner[last + 1] == s)
                        last++;
                /* No space may have all of the 64-bit range. */
                if (i == 0 && last == 127 && world->granule == UINT64_C(1) << 57)
                        world->owner[last--] = NOBODY;
                ok = !space_add(world->space[s], world_granules(world, i, last));
        }
        if (!ok)
                abort();
        space_check(world->space[s]);
}

void placement_world_init(struct placement_world *world, struct choices *choices, bool whole_pages)
{
        *world = (struct placement_world){ 0 };
        choose_place(world, choices, whole_pages);
        choose_owners(world, choices, whole_pages);
        for (unsigned s = 0; s < world->n_spaces; s++)
                build_space(world, s);
}

void placement_world_deinit(struct placement_world *world)
{
        for (unsigned s = 0; s < world->n_spaces; s++)
                space_free(world->space[s]);
}

static struct range choose_window(const struct placement_world *world, struct choices *choices)
{
        const struct range tiny = { choose(choices, 2) ? 0 : UINT64_MAX, UINT64_MAX };
        uint64_t a, b;

        if (choose(choices, 50) == 1)
                return tiny;
        if (!world->n_granules || choose(choices, 3) == 0)
                return RANGE_ALL;
        a = granule_first(world, (unsigned)choose(choices, world->n_granules));
        b = granule_first(world, (unsigned)choose(choices, world->n_granules)) +
            (world->granule - 1);
        if (choose_one_in(choices, 4))
                a += choose(choices, world->granule);
        if (choose_one_in(choices, 4))
                b -= choose(choices, world->granule);
        if (choose_one_in(choices, 4))
                a = 0;
        if (choose_one_in(choices, 8))
                b = UINT64_MAX;
        return a <= b ? (struct range){ a, b } : (struct range){ b, a };
}

/* Around the granule, but now and then any power of two. */
static uint64_t choose_near(const struct placement_world *world, struct choices *choices)
{
        const unsigned shift = (unsigned)__builtin_ctzll(world->granule);
        const unsigned low = shift > 2 ? shift - 2 : 0, high = shift < 57 ? shift + 6 : 63;

        return choose_one_in(choices, 12) ? choose_power(choices, 0, 63)
                                          : choose_power(choices, low, high);
}

static uint64_t choose_size(const struct placement_world *world, struct choices *choices)
{
        const uint64_t granule = world->granule;
        uint64_t size;

        if (choose_one_in(choices, 50)) {
                size = choose(choices, 2) ? choose_any(choices) : UINT64_MAX - choose(choices, 64);
                return size ? size : 1;
        }
        size = granule * choose(choices, choose(choices, 3) ? 6 : world->n_granules / 3 + 1);
        return size + (choose(choices, 2) ? granule : 1 + choose(choices, granule));
}

static uint64_t choose_longest(const struct placement_world *world, struct choices *choices)
{
        const uint64_t granule = world->granule;
        uint64_t odd;

        switch (choose(choices, 8)) {
        case 0:
        case 1: return granule * (1 + choose(choices, 8));
        case 2:
        case 3:
                odd = choose(choices, granule);
                return granule / 4 + 1 + odd + choose(choices, 4) * granule;
        case 4: return choose_one_in(choices, 8) ? choose_any(choices) : 0;
        default: return 0;
        }
}

static uint32_t choose_segments(struct choices *choices)
{
        if (choose_one_in(choices, 6))
                return SEGMENTS_ANY;
        if (choose_one_in(choices, 40))
                return UINT32_MAX - 1;
        return choose_one_in(choices, 3) ? 1 : 1 + (uint32_t)choose(choices, 12);
}

struct constraint world_choose_request(const struct placement_world *world, struct choices *choices)
{
        const unsigned shift = (unsigned)__builtin_ctzll(world->granule);
        struct constraint want;
        uint64_t shortest;

        /* One after the other: in a list nobody says which of them chooses first. */
        want.window = choose_window(world, choices);
        want.size_bytes = choose_size(world, choices);
        want.align_bytes =
                choose(choices, 3) ? choose_power(choices, 0, shift) : choose_near(world, choices);
        want.boundary_bytes = choose(choices, 2) ? 0 : choose_near(world, choices);
        want.max_segment_bytes = choose_longest(world, choices);
        want.max_segments = choose_segments(choices);

        shortest = want.max_segment_bytes ? want.max_segment_bytes : UINT64_MAX;
        if (want.boundary_bytes && want.boundary_bytes < shortest)
                shortest = want.boundary_bytes;
        if (want.size_bytes / shortest > SEGMENTS_MAX)
                want.max_segments = 1 + (uint32_t)choose(choices, 12);
        return want;
}

void placement_world_print(const struct placement_world *world, const struct constraint *want)
{
        fprintf(stderr,
                "base %#" PRIx64 " granule %#" PRIx64 " page %#" PRIx64 ", want [%#" PRIx64
                ", %#" PRIx64 "] size %#" PRIx64 " align %#" PRIx64 " boundary %#" PRIx64
                " max_segment %#" PRIx64 " max_segments %u\n",
                world->base, world->granule, world->page, want->window.first, want->window.last,
                want->size_bytes, want->align_bytes, want->boundary_bytes, want->max_segment_bytes,
                want->max_segments);
        for (unsigned i = 0; i < world->n_granules; i++)
                fputc("01234."[world->owner[i]], stderr);
        fputc('\n', stderr);
}
