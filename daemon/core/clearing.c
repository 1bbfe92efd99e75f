/* SPDX-License-Identifier: MIT */
/*
 * Branch and bound. A place has no more free bytes than a window around it, so a window that has
 * no more than the best place yet is passed over as a whole. Any other is split in two, and the
 * half in which more is free comes first: that leads straight to a good place. Owns nothing.
 */
#include "clearing.h"

#include "shape.h"
#include "space_union.h"

/**
 * struct search - on its way
 * @all:   where places are
 * @free:  what is free
 * @shape: of a place
 * @free_bytes: of the best one yet
 * @first: where that begins
 * @found: whether there is one
 * @steps: so many more
 */
struct search {
        struct space_union all, free;
        struct shape shape;
        uint64_t granule_bytes;
        uint64_t free_bytes, first;
        bool found;
        unsigned steps;
};

/* Look at the highest place of a window. Return: whether there is one. */
static bool look_at_highest(struct search *search, struct range window, uint64_t *ret_first)
{
        uint64_t bytes;

        if (!space_union_find(search->all, window, &search->shape, ret_first))
                return false;
        bytes = space_union_bytes_in(search->free, range_of(*ret_first, search->shape.size_bytes));
        if (!search->found || bytes > search->free_bytes) {
                search->free_bytes = bytes;
                search->first = *ret_first;
        }
        search->found = true;
        return true;
}

/* Where places begin in [@first, @last], they lie in this. */
static struct range places_from(const struct search *search, uint64_t first, uint64_t last)
{
        return (struct range){ first, last + (search->shape.size_bytes - 1) };
}

/* Look into a window with so many free bytes. */
static void look_into(struct search *search, struct range window, uint64_t free_bytes)
{
        uint64_t first, last, middle, low_bytes, high_bytes;
        struct range low, high;

        if (!search->steps || (search->found && free_bytes <= search->free_bytes))
                return;
        search->steps--;
        if (!look_at_highest(search, window, &first) ||
            first - window.first < search->shape.align_bytes)
                return;

        /* The places that begin below, in two halves. */
        last = first - search->shape.align_bytes;
        middle = align_down(window.first + (last - window.first) / 2, search->granule_bytes);
        low = places_from(search, window.first, middle);
        low_bytes = space_union_bytes_in(search->free, low);
        if (middle == last) {
                look_into(search, low, low_bytes);
                return;
        }
        high = places_from(search, middle + search->granule_bytes, last);
        high_bytes = space_union_bytes_in(search->free, high);
        if (low_bytes > high_bytes) {
                look_into(search, low, low_bytes);
                look_into(search, high, high_bytes);
        } else {
                look_into(search, high, high_bytes);
                look_into(search, low, low_bytes);
        }
}

bool clearing_find(const struct clearing_ground *ground, const struct constraint *want,
                   struct clearing *ret)
{
        struct search search = {
                .all = { ground->all, ground->n_all },
                .free = { ground->free, ground->n_free },
                .steps = CLEARING_STEPS_MAX,
        };
        struct range window;
        uint64_t size, align;

        if (!space_union_granules(search.all, want->window, &window) ||
            !align_up(want->size_bytes, space_granule(ground->all[0]), &size))
                return false;
        search.granule_bytes = space_granule(ground->all[0]);
        align = want->align_bytes > search.granule_bytes ? want->align_bytes : search.granule_bytes;
        if (!shape_init(&search.shape, want, size, align))
                return false;

        look_into(&search, window, space_union_bytes_in(search.free, window));
        if (!search.found)
                return false;
        ret->place = range_of(search.first, size);
        ret->taken_bytes = size - search.free_bytes;
        ret->least = search.steps > 0;
        return true;
}
