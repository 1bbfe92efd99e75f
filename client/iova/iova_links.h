/* SPDX-License-Identifier: MIT */
/*
 * What memory is where in a range of I/O addresses.
 */
#pragma once

#include "rb_tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct iova_link - contiguous memory
 * @at:     where in the range, @length > 0 bytes
 * @memory: where in this process
 * @apart:  not to be mapped together with its neighbours
 * @directions: PAR_IOVA_TO_DEVICE, PAR_IOVA_FROM_DEVICE, or 0 for both. It is mapped together with
 *          those alone that have the same
 * @batch:  bytes that are mapped at once from here on, while that is under way
 */
struct iova_link {
        RB_ENTRY(iova_link) by_at; /* iova_links::by_at */
        uint64_t at, length;
        char *memory;
        bool apart;
        uint32_t directions;
        uint64_t batch;
};

/* Links in their order, none over another; all zero: none. */
struct iova_links {
        RB_HEAD(iova_link_tree, iova_link) by_at;
};

/* The first link that has a byte at @at or behind it; NULL: there is none. */
struct iova_link *iova_links_from(struct iova_links *links, uint64_t at);

/* The one behind; NULL: there is none. */
struct iova_link *iova_links_next(struct iova_link *link);

/* Whether there is a byte of one among @length > 0 from @at on, which do not wrap. */
bool iova_links_overlap(struct iova_links *links, uint64_t at, uint64_t length);

/* The one that is only partly among them; NULL: there is none. */
struct iova_link *iova_links_cut(struct iova_links *links, uint64_t at, uint64_t length);

/* It overlaps none. */
void iova_links_insert(struct iova_links *links, struct iova_link *link);
void iova_links_remove(struct iova_links *links, struct iova_link *link);

/* Free all of them. */
void iova_links_clear(struct iova_links *links);

/**
 * iova_links_batch() - see what can be mapped with a link at once
 * @link: its batch is set
 *
 * Return: the first link that cannot; NULL: there is none.
 */
struct iova_link *iova_links_batch(struct iova_link *link);
