/* SPDX-License-Identifier: MIT */
/*
 * One buddy for all of memory. A request takes the smallest power of two of granules that holds it;
 * such a block straddles no boundary that the request would not, since it begins on a multiple of
 * its size. Only what the request needs of it has to lie in the window.
 */
#include "placer.h"

#include "buddy.h"
#include "granules.h"
#include "result.h"

#include <errno.h>
#include <stdlib.h>

/**
 * struct whole - the memory
 * @buddy: owned
 */
struct whole {
        struct buddy *buddy;
        unsigned shift;
};

static void whole_close(void *placer)
{
        struct whole *whole = placer;

        if (!whole)
                return;
        buddy_free(whole->buddy);
        free(whole);
}

static int whole_open(const struct range *memory, size_t n_memory, uint64_t granule_bytes,
                      void **ret)
{
        struct range all = { memory[0].first, memory[n_memory - 1].last };
        struct whole *whole = calloc(1, sizeof(*whole));
        int r;

        if (!whole)
                return -ENOMEM;
        whole->shift = granule_shift(granule_bytes);
        granules_in(all, whole->shift, &all);
        r = buddy_new(all, &whole->buddy);
        if (r) {
                free(whole);
                return r;
        }
        for (size_t i = 0; i < n_memory; i++) {
                struct range granules;

                granules_in(memory[i], whole->shift, &granules);
                buddy_add(whole->buddy, granules);
        }
        *ret = whole;
        return 0;
}

static int find_block(const struct whole *whole, const struct constraint *want,
                      struct block *ret_from, struct block *ret_block)
{
        const uint64_t align = want->align_bytes >> whole->shift;
        struct buddy_request request = {
                .count = granules_for(want->size_bytes, whole->shift),
                .align = align ? align : 1,
        };

        if (request.count > buddy_free_count(whole->buddy) ||
            !granules_in(want->window, whole->shift, &request.window))
                return PAR_REFUSED_EXHAUSTED;
        return buddy_find(whole->buddy, &request, ret_from, ret_block) ? 0 : PAR_REFUSED_FRAGMENTED;
}

static int whole_find(const void *placer, const struct constraint *want, uint64_t *ret_first)
{
        const struct whole *whole = placer;
        struct block from, block;
        int r;

        r = find_block(whole, want, &from, &block);
        if (!r)
                *ret_first = block.first << whole->shift;
        return r;
}

static int whole_take(void *placer, const struct constraint *want, uint64_t *ret_first)
{
        struct whole *whole = placer;
        struct block from, block;
        int r;

        r = find_block(whole, want, &from, &block);
        if (r)
                return r;
        buddy_take(whole->buddy, from, block);
        *ret_first = block.first << whole->shift;
        return 0;
}

static void whole_give(void *placer, uint64_t first, uint64_t size_bytes)
{
        struct whole *whole = placer;
        const unsigned order = buddy_order(granules_for(size_bytes, whole->shift));

        buddy_give(whole->buddy, (struct block){ first >> whole->shift, order });
}

static uint64_t whole_free_bytes(const void *placer)
{
        const struct whole *whole = placer;

        return buddy_free_count(whole->buddy) << whole->shift;
}

static uint64_t whole_largest_bytes(const void *placer, struct range window)
{
        const struct whole *whole = placer;
        struct range granules;

        if (!granules_in(window, whole->shift, &granules))
                return 0;
        return buddy_longest(whole->buddy, granules) << whole->shift;
}

static size_t whole_metadata_bytes(const void *placer)
{
        const struct whole *whole = placer;

        return sizeof(*whole) + buddy_metadata_bytes(whole->buddy);
}

const struct placer_ops placer_buddy = {
        .name = "buddy",
        .open = whole_open,
        .close = whole_close,
        .find = whole_find,
        .take = whole_take,
        .give = whole_give,
        .free_bytes = whole_free_bytes,
        .largest_bytes = whole_largest_bytes,
        .metadata_bytes = whole_metadata_bytes,
};
