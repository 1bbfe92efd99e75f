/* SPDX-License-Identifier: MIT */
/*
 * Numbers that are the same every time for the same seed.
 */
#pragma once

#include <stdint.h>

struct random {
        uint64_t state;
};

/* 64 even bits (splitmix64). */
uint64_t random_next(struct random *random);

/* 0 to @below - 1; @below > 0. */
uint64_t random_below(struct random *random, uint64_t below);

/* One in @n. */
static inline int random_one_in(struct random *random, uint64_t n)
{
        return random_below(random, n) == 0;
}
