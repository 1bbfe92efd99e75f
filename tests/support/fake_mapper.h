/* SPDX-License-Identifier: MIT */
/*
 * A mapper without a kernel: a table of what is mapped, which refuses what VFIO refuses, and fails
 * on demand.
 */
#pragma once

#include "mapper.h"

#define FAKE_MAPPINGS_MAX 512

struct fake_mapping {
        struct range at;
        const void *memory; /* NULL: somebody else's */
        enum io_access access;
};

/**
 * struct fake_mapper - the table, and what it does wrong
 * @facts:    what it says of itself
 * @fd:       the container that it is for
 * @mappings: @n_mappings
 * @describe, @map, @unmap: 0, or what the next calls return
 * @calls:    of map
 * @frees:    of the mapper itself, which the test owns
 */
struct fake_mapper {
        struct mapper mapper;
        struct mapper_facts facts;
        int fd;
        struct fake_mapping mappings[FAKE_MAPPINGS_MAX];
        size_t n_mappings;
        int describe, map, unmap;
        unsigned calls, frees;
};

/* What an Intel IOMMU says of itself. */
void fake_mapper_init(struct fake_mapper *fake, int fd);

/* Map something as another process that has the container would. */
void fake_mapper_intrude(struct fake_mapper *fake, struct range at);
