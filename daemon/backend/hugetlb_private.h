/* SPDX-License-Identifier: MIT */
/*
 * What the hugetlb backend and its handing over share.
 */
#pragma once

#include "hugetlb.h"

#include "pins.h"
#include "released.h"
#include "stock.h"

#define HUGETLB_SIZES_MAX 16

/**
 * struct hugetlb - the backend
 * @pins:       there only with backend.can_pin
 * @pagemap:    of this address space
 * @kpageflags: -1 where it may not be read
 * @reclaimed:  frames of another process that were reclaimed, by page size; until reclaimed()
 */
struct hugetlb {
        struct backend backend;
        struct pins pins;
        struct stock stock;
        struct released released;
        int pagemap, kpageflags;
        struct reclaimed_pages {
                uint64_t page_bytes, count;
        } reclaimed[HUGETLB_SIZES_MAX];
};

static inline struct hugetlb *hugetlb_of(struct backend *backend)
{
        return CONTAINER_OF(backend, struct hugetlb, backend);
}

/**
 * hugetlb_pin() - keep the kernel from moving a frame
 * @frame: its @pinned and @pin are written; @page_bytes of it are mapped at @map
 *
 * Return: 0; -EPERM where it could not be pinned and @must_pin.
 */
int hugetlb_pin(struct hugetlb *hugetlb, struct backend_frame *frame, void *map, bool must_pin);

/* backend_ops.verify */
int hugetlb_verify(struct backend *backend, const struct backend_frame *frame, uint64_t *ret_phys);

/* ---- hugetlb_handover.c: the operations of these names -------------------------------------- */

int hugetlb_save(struct backend *backend, void **ret_bytes, size_t *ret_n);
int hugetlb_resume(struct backend *backend, const void *bytes, size_t n);
int hugetlb_adopt(struct backend *backend, struct backend_frame *frame);
int hugetlb_reclaim(struct backend *backend, struct backend_frame *frame);
void hugetlb_reclaimed(struct backend *backend);
