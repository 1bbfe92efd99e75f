/* SPDX-License-Identifier: MIT */
/* Owns nothing; the state is the caller's. */
#include "random.h"

uint64_t random_next(struct random *random)
{
        uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

uint64_t random_below(struct random *random, uint64_t below)
{
        /* The small bias towards low numbers is of no concern to a test. */
        return random_next(random) % below;
}
