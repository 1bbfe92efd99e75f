/* SPDX-License-Identifier: MIT */
/*
 * The engine of this project: a space of what is free. What is found is the highest place in the
 * window; what is taken is the place that pard takes. Owns the space, and nothing else.
 */
#include "placer.h"

#include "placement.h"
#include "two_ends.h"

#include <stdlib.h>

static void par_close(void *placer)
{
        space_free(placer);
}

static int par_open(const struct range *memory, size_t n_memory, uint64_t granule_bytes, void **ret)
{
        struct space *space = NULL;
        int r;

        r = space_new(granule_bytes, &space);
        for (size_t i = 0; i < n_memory && !r; i++)
                r = space_add(space, memory[i]);
        if (r) {
                space_free(space);
                return r;
        }
        *ret = space;
        return 0;
}

static int par_find(const void *placer, const struct constraint *want, uint64_t *ret_first)
{
        const struct space *const space = placer;
        struct range place;
        int r;

        r = placement_find(&space, 1, want, &place);
        if (!r)
                *ret_first = place.first;
        return r;
}

static int par_take(void *placer, const struct constraint *want, uint64_t *ret_first)
{
        const struct space *const space = placer;
        struct range place;
        int r;

        r = two_ends_find(&space, 1, want, &place);
        if (r)
                return r;
        r = space_remove(placer, place);
        if (!r)
                *ret_first = place.first;
        return r;
}

static void par_give(void *placer, uint64_t first, uint64_t size_bytes)
{
        const uint64_t mask = space_granule(placer) - 1;

        if (space_add(placer, range_of(first, (size_bytes + mask) & ~mask)))
                abort();
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
        return space_metadata_bytes(placer);
}

static void par_count_visits(void *placer, size_t *visits)
{
        space_count_visits(placer, visits);
}

static size_t par_visits_max(const void *placer)
{
        return space_visits_max(placer);
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
        .count_visits = par_count_visits,
        .visits_max = par_visits_max,
};
