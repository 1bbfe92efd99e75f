/* SPDX-License-Identifier: MIT */
/*
 * Free hugepages, found by their flags in /proc/kpageflags, without touching any.
 */
#pragma once

#include "range.h"
#include "zones.h"

#include <stddef.h>
#include <stdint.h>

/**
 * struct free_pages - what to look for
 * @kpageflags:  borrowed descriptor
 * @page_bytes:  size of the pages
 * @smaller_bytes: the next smaller size of hugepage that the system has; 0: there is none
 * @node:        NODE_ANY, or only in the zones of this one
 * @window:      only whole pages in here
 */
struct free_pages {
        int kpageflags;
        uint64_t page_bytes, smaller_bytes;
        int node;
        struct range window;
};

/**
 * free_pages_visit() - the address of each free page, in ascending order
 * @zones: @n_zones by first address; borrowed
 *
 * Not seen as free is what another program had as anonymous memory and let go: its flags stay those
 * of a used page until it is used again. Where zones of several nodes overlap, a page of another
 * node may be visited.
 *
 * Reads one entry for each page that there could be.
 *
 * Return: 0; negative errno.
 */
int free_pages_visit(const struct free_pages *what, const struct zone *zones, size_t n_zones,
                     void (*visit)(void *data, uint64_t phys), void *data);
