/* SPDX-License-Identifier: MIT */
/*
 * Owns the books of the I/O addresses of one container.
 *
 * Invariant: what is taken, free, shunned and avoided is disjoint, and lies in what is or was
 * usable. What is taken is held in the space of the free ones, so that giving it back needs no
 * memory. Refuses to map anything: that others may map in the same container, too, is known only
 * once it failed.
 */
#include "iova_plan.h"

#include "macros.h"
#include "placement.h"
#include "result.h"

#include <errno.h>
#include <stdlib.h>

#define GRANULE_MIN (4 * KiB)

/**
 * struct iova_plan - a plan
 * @usable:     all that the IOMMU maps
 * @free:       of that, what is neither taken nor avoided nor shunned
 * @shunned:    what is taken last
 * @page_sizes: a bit each
 * @avoided:    @n_avoided places with something of somebody else's in them, held like those taken
 */
struct iova_plan {
        struct space *usable, *free, *shunned;
        uint64_t page_sizes;
        struct range *avoided;
        size_t n_avoided, avoided_room;
};

DEFINE_CLEANUP(struct iova_plan, iova_plan_free)

/* ---- what is usable ------------------------------------------------------------------------- */

/* The whole granules of a range. Return: whether there is one. */
static bool whole_granules(struct range range, uint64_t granule, struct range *ret)
{
        uint64_t first;

        /* The whole 64-bit space may not be in a space: its last granule is left out. */
        if (range.first == 0 && range.last == UINT64_MAX)
                range.last -= granule;
        if (!align_up(range.first, granule, &first) || range.last < granule - 1)
                return false;
        ret->first = first;
        ret->last = align_down(range.last - (granule - 1), granule) + (granule - 1);
        return ret->first < ret->last;
}

static int add_usable(struct iova_plan *plan, const struct range *usable, size_t n)
{
        const uint64_t granule = iova_plan_granule(plan);
        struct range range;
        int r = 0;

        for (size_t i = 0; i < n && !r; i++) {
                if (!whole_granules(usable[i], granule, &range))
                        continue;
                r = space_add(plan->usable, range);
                if (!r)
                        r = space_add(plan->free, range);
        }
        return r;
}

int iova_plan_new(const struct range *usable, size_t n, uint64_t page_sizes, struct iova_plan **ret)
{
        _cleanup_(iova_plan_freep) struct iova_plan *plan = NULL;
        int r;

        page_sizes &= ~(GRANULE_MIN - 1);
        if (!page_sizes)
                return -EINVAL;
        plan = calloc(1, sizeof(*plan));
        if (!plan)
                return -ENOMEM;
        plan->page_sizes = page_sizes;
        r = space_new(iova_plan_granule(plan), &plan->usable);
        if (!r)
                r = space_new(iova_plan_granule(plan), &plan->free);
        if (!r)
                r = space_new(iova_plan_granule(plan), &plan->shunned);
        if (!r)
                r = add_usable(plan, usable, n);
        if (!r && !space_bytes(plan->usable))
                r = -EINVAL;
        if (!r)
                *ret = STEAL(plan);
        return r;
}

void iova_plan_free(struct iova_plan *plan)
{
        if (!plan)
                return;
        space_free(plan->usable);
        space_free(plan->free);
        space_free(plan->shunned);
        free(plan->avoided);
        free(plan);
}

uint64_t iova_plan_granule(const struct iova_plan *plan)
{
        return plan->page_sizes & -plan->page_sizes;
}

bool iova_plan_next(const struct iova_plan *plan, uint64_t from, struct range *ret)
{
        return space_next(plan->usable, from, ret);
}

/* ---- taking and giving ---------------------------------------------------------------------- */

/* A place is held for being given back as a whole: no finer than that, since it costs memory. */
static uint64_t grain_of(struct range place)
{
        const uint64_t ends = place.first | (place.last + 1);

        return ends & -ends;
}

void iova_plan_give(struct iova_plan *plan, struct range place)
{
        int r;

        r = space_add(plan->free, place);
        assert(!r); /* it is held */
        (void)r;
        space_release(plan->free, place, grain_of(place));
}

void iova_plan_avoid(struct iova_plan *plan, struct range place)
{
        size_t room = plan->avoided_room ? 2 * plan->avoided_room : 8;
        struct range *larger;

        if (plan->n_avoided == plan->avoided_room) {
                larger = reallocarray(plan->avoided, room, sizeof(*larger));
                if (!larger) {
                        iova_plan_give(plan, place); /* it is tried again early, that is all */
                        return;
                }
                plan->avoided = larger;
                plan->avoided_room = room;
        }
        plan->avoided[plan->n_avoided++] = place;
}

static void forgive(struct iova_plan *plan)
{
        while (plan->n_avoided)
                iova_plan_give(plan, plan->avoided[--plan->n_avoided]);
}

/* With the largest pages that go into it; with smaller ones where there is no such place. In one
 * space, or where two touch. */
static int find(const struct iova_plan *plan, const struct space *space, const struct space *second,
                const struct constraint *want, struct range *ret)
{
        const struct space *const spaces[] = { space, second };
        const uint64_t granule = iova_plan_granule(plan);
        uint64_t left = plan->page_sizes;
        int r = PAR_REFUSED_EXHAUSTED;

        while (left) {
                const uint64_t page = UINT64_C(1) << (63 - __builtin_clzll(left));

                left &= ~page;
                if (page > want->size_bytes && page != granule)
                        continue;
                r = placement_find_aligned(spaces, second ? 2 : 1, page, want, ret);
                if (!r)
                        return 0;
        }
        return r;
}

static int refuse(const struct iova_plan *plan, const struct constraint *want, int r,
                  struct iova_refusal *refusal)
{
        struct range ignored;

        refusal->usable = space_bytes_in(plan->usable, want->window);
        refusal->usable_run = space_longest(plan->usable, want->window);
        refusal->free = space_bytes_in(plan->free, want->window);
        refusal->free_run = space_longest(plan->free, want->window);
        refusal->reason = r == PAR_REFUSED_EXHAUSTED ? IOVA_FULL : IOVA_SCATTERED;
        if (!find(plan, plan->usable, NULL, want, &ignored))
                return r;
        refusal->reason = refusal->usable ? IOVA_TOO_NARROW : IOVA_UNUSABLE;
        return PAR_REFUSED_NEVER_FITS;
}

/* Take what was found. */
static int take(struct iova_plan *plan, struct range place)
{
        int r;

        r = space_hold(plan->free, place, grain_of(place));
        if (r)
                return r;
        r = space_clear(plan->shunned, place);
        if (r) {
                space_release(plan->free, place, grain_of(place));
                return r;
        }
        r = space_clear(plan->free, place);
        assert(!r); /* it is held */
        return r;
}

/* Free addresses are shunned from now on, or nothing changed. */
static int shun(struct iova_plan *plan, struct range piece)
{
        int r;

        r = take(plan, piece);
        if (r)
                return r;
        r = space_add(plan->shunned, piece);
        if (r)
                iova_plan_give(plan, piece);
        else
                space_release(plan->free, piece, grain_of(piece));
        return r;
}

void iova_plan_shun(struct iova_plan *plan, struct range range)
{
        const uint64_t granule = iova_plan_granule(plan), last = range.last | (granule - 1);
        uint64_t from = align_down(range.first, granule);
        struct range piece;

        while (space_next(plan->free, from, &piece) && piece.first <= last) {
                if (piece.last > last)
                        piece.last = last;
                if (shun(plan, piece) || piece.last == last)
                        return;
                from = piece.last + 1;
        }
}

bool iova_plan_try(struct iova_plan *plan, const struct constraint *want, struct range *ret)
{
        struct range place;
        enum limit ignored;

        if (constraint_check(want, &ignored) || find(plan, plan->free, NULL, want, &place) ||
            take(plan, place))
                return false;
        *ret = place;
        return true;
}

int iova_plan_take(struct iova_plan *plan, const struct constraint *want, struct range *ret,
                   struct iova_refusal *ret_refusal)
{
        struct range place;
        int r;

        *ret_refusal = (struct iova_refusal){ .reason = IOVA_MEANINGLESS };
        r = constraint_check(want, &ret_refusal->limit);
        if (r == PAR_REFUSED_NEVER_FITS)
                ret_refusal->reason = IOVA_CONTRADICTORY;
        if (r)
                return r;

        r = find(plan, plan->free, NULL, want, &place);
        if (r && plan->n_avoided) {
                forgive(plan);
                r = find(plan, plan->free, NULL, want, &place);
        }
        if (r && space_bytes(plan->shunned))
                r = find(plan, plan->free, plan->shunned, want, &place);
        if (r)
                return refuse(plan, want, r, ret_refusal);
        r = take(plan, place);
        if (!r)
                *ret = place;
        return r;
}

/* ---- less than before ----------------------------------------------------------------------- */

static int clear(struct iova_plan *plan, struct range range)
{
        int r = space_clear(plan->free, range);

        if (!r)
                r = space_clear(plan->shunned, range);
        return r ? r : space_clear(plan->usable, range);
}

int iova_plan_narrow(struct iova_plan *plan, const struct range *usable, size_t n)
{
        _cleanup_(iova_plan_freep) struct iova_plan *narrow = NULL;
        struct range gap;
        uint64_t from = 0;
        int r;

        r = iova_plan_new(usable, n, iova_plan_granule(plan), &narrow);
        if (r)
                return r;
        forgive(plan);
        while (!r && space_next_gap(narrow->usable, from, &gap)) {
                r = clear(plan, gap);
                if (gap.last == UINT64_MAX)
                        break;
                from = gap.last + 1;
        }
        return r;
}
