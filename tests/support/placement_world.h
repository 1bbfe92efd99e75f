/* SPDX-License-Identifier: MIT */
/*
 * Small memory in several spaces, anywhere in the 64-bit range, and what is asked of it.
 */
#pragma once

#include "choices.h"
#include "placement.h"

#define WORLD_GRANULES_MAX 640u
#define WORLD_SPACES_MAX   5u
#define NOBODY             WORLD_SPACES_MAX

/**
 * struct placement_world - memory, granule by granule
 * @base:       address of the first one
 * @granule:    bytes
 * @page:       bytes, for scattered places
 * @n_granules: how many, may be 0
 * @n_spaces:   how many, > 0
 * @owner:      for each granule: the space that has it, or NOBODY
 * @space:      owned
 */
struct placement_world {
        uint64_t base, granule, page;
        unsigned n_granules, n_spaces;
        unsigned owner[WORLD_GRANULES_MAX];
        struct space *space[WORLD_SPACES_MAX];
};

/**
 * placement_world_init() - choose a world, and build its spaces
 * @whole_pages: all that is there begins and ends on pages
 */
void placement_world_init(struct placement_world *world, struct choices *choices, bool whole_pages);
void placement_world_deinit(struct placement_world *world);

/* Addresses of granules, both included. */
struct range world_granules(const struct placement_world *world, unsigned first, unsigned last);

/* A granule that is there, and in the window as a whole. */
bool world_is_free(const struct placement_world *world, unsigned i, struct range window);

/*
 * A request that nobody sane would make. It is not always valid, but never one that takes brute
 * force more than some thousand segments.
 */
struct constraint world_choose_request(const struct placement_world *world,
                                       struct choices *choices);

/* Write a world and a request to stderr. */
void placement_world_print(const struct placement_world *world, const struct constraint *want);
