/* SPDX-License-Identifier: MIT */
/*
 * The engine of this project: a space of what is free, and the highest place in the window. Owns
 * the space, and nothing else.
 */
#include "placer.h"

#include "placement.h"

#include <errno.h>

static void par_close(void *placer)
{
        space_free(placer);
}

static int par_open(const struct range *memory, size_t n_memory, uint64_t granule_bytes, void **ret)
{
        struct space *space;
        int r;

        r = space_new(granule_bytes, &space);
        if (r)
                return r;
        for (size_t i = 0; i < n_memory; i++) {
                r = space_reserve(space, 1);
                if (r) {
                        space_free(space);
                        return r;
                }
                space_add(space, memory[i]);
        }
        *ret = space;
        return 0;
}

static int find_place(const struct space *space, const struct constraint *want, struct range *ret)
{
        return placement_find(&space, 1, want, ret);
}

static int par_find(const void *placer, const struct constraint *want, uint64_t *ret_first)
{
        struct range place;
        int r;

        r = find_place(placer, want, &place);
        if (!r)
                *ret_first = place.first;
        return r;
}

static int par_take(void *placer, const struct constraint *want, uint64_t *ret_first)
{
        struct range place;
        int r;

        r = find_place(placer, want, &place);
        if (r)
                return r;
        /* Once for taking it, once for giving it back. */
        r = space_reserve(placer, 2);
        if (r)
                return r;
        space_remove(placer, place);
        *ret_first = place.first;
        return 0;
}

static void par_give(void *placer, uint64_t first, uint64_t size_bytes)
{
        const uint64_t mask = space_granule(placer) - 1;

        space_add(placer, range_of(first, (size_bytes + mask) & ~mask));
}

static uint64_t par_free_bytes(const void *placer)
{
        return space_bytes(placer);
}

static uint64_t par_largest_bytes(const void *placer, struct range window)
{
        const struct space *const space = placer;

        return placement_largest_run(&space, 1, window);
}

static size_t par_metadata_bytes(const void *placer)
{
        return space_ranges(placer) * 64;
}

const struct placer_ops placer_par = {
        .name = "par",
        .open = par_open,
        .close = par_close,
        .find = par_find,
        .take = par_take,
        .give = par_give,
        .free_bytes = par_free_bytes,
        .largest_bytes = par_largest_bytes,
        .metadata_bytes = par_metadata_bytes,
};
