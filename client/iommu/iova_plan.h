/* SPDX-License-Identifier: MIT */
/*
 * Which I/O addresses (IOVAs) are free behind an IOMMU. Pure: it plans, and asks nobody. The same
 * engine finds places here as in pard's memory.
 */
#pragma once

#include "constraint.h"

#include <stdbool.h>
#include <stddef.h>

struct iova_plan;

/**
 * enum iova_reason - why there is no place
 * IOVA_MEANINGLESS: a field of the request, on its own
 * IOVA_CONTRADICTORY: a field of the request, with its size or another field
 * IOVA_UNUSABLE:    the IOMMU maps nothing in the window
 * IOVA_TOO_NARROW:  it does, but no such place is there even when nothing is mapped
 * IOVA_FULL:        too few addresses are free in the window now
 * IOVA_SCATTERED:   enough are free, but not side by side
 */
enum iova_reason {
        IOVA_MEANINGLESS,
        IOVA_CONTRADICTORY,
        IOVA_UNUSABLE,
        IOVA_TOO_NARROW,
        IOVA_FULL,
        IOVA_SCATTERED,
};

/**
 * struct iova_refusal - a place that is not there
 * @limit:      which field, with the first two reasons
 * @usable:     bytes in the window that the IOMMU maps at all
 * @usable_run: the longest run of them
 * @free:       bytes in the window that are free
 * @free_run:   the longest run of them
 */
struct iova_refusal {
        enum iova_reason reason;
        enum limit limit;
        uint64_t usable, usable_run, free, free_run;
};

/**
 * iova_plan_new() - a plan in which nothing is taken
 * @usable:     @n ranges that do not overlap; borrowed
 * @page_sizes: of the IOMMU, a bit each; the smallest is the granule, at least 4 KiB
 * @ret:        owned by the caller: iova_plan_free()
 *
 * Pages that are not usable as a whole are none.
 *
 * Return: 0; -EINVAL where there is no such page size, or nothing usable; -ENOMEM.
 */
int iova_plan_new(const struct range *usable, size_t n, uint64_t page_sizes,
                  struct iova_plan **ret);
void iova_plan_free(struct iova_plan *plan); /* NULL is fine */

/**
 * iova_plan_narrow() - another device came to the IOMMU's domain, and less is usable
 * @usable: @n ranges; what was not usable before does not become so
 *
 * What is taken stays so.
 *
 * Return: 0; -EINVAL where nothing is usable; -ENOMEM: some of what is not usable may still be
 * planned with.
 */
int iova_plan_narrow(struct iova_plan *plan, const struct range *usable, size_t n);

/* Bytes of the IOMMU's smallest page: places begin and end on multiples of it. */
uint64_t iova_plan_granule(const struct iova_plan *plan);

/**
 * iova_plan_take() - the highest free place for a request
 * @want:        any values. The place is contiguous, and satisfies when it is cut into few enough
 *               segments
 * @ret:         the place, taken: iova_plan_give() or iova_plan_avoid()
 * @ret_refusal: why not, with a result above 0
 *
 * It begins on a multiple of the largest page of the IOMMU that goes into it, if there is such a
 * place. Places to be avoided are taken only where there is no other.
 *
 * Return: 0; PAR_REFUSED_INVALID, PAR_REFUSED_NEVER_FITS, PAR_REFUSED_EXHAUSTED or
 * PAR_REFUSED_FRAGMENTED; -ENOMEM.
 */
int iova_plan_take(struct iova_plan *plan, const struct constraint *want, struct range *ret,
                   struct iova_refusal *ret_refusal);

/**
 * iova_plan_try() - the same, never where it is to be avoided
 *
 * Return: whether a place is taken.
 */
bool iova_plan_try(struct iova_plan *plan, const struct constraint *want, struct range *ret);

/**
 * iova_plan_shun() - avoid addresses, as far as they are free
 * @range: any; the pages that it touches are taken only where there is no other place at all
 *
 * Without memory they are not avoided.
 */
void iova_plan_shun(struct iova_plan *plan, struct range range);

/* Give a place back as it was taken. */
void iova_plan_give(struct iova_plan *plan, struct range place);

/* Give a place back in which somebody else has mapped something: it is tried again last. */
void iova_plan_avoid(struct iova_plan *plan, struct range place);

/**
 * iova_plan_next() - the usable ranges in ascending order
 * @from: look at this address and above
 *
 * Return: whether there is one.
 */
bool iova_plan_next(const struct iova_plan *plan, uint64_t from, struct range *ret);
