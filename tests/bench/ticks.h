/* SPDX-License-Identifier: MIT */
/*
 * A clock that is fine enough for a hundred nanoseconds: the time-stamp counter on x86, elsewhere
 * CLOCK_MONOTONIC_RAW. What reading it costs is known, and taken off.
 */
#pragma once

#include <stdint.h>
#include <time.h>

#ifdef __x86_64__
#include <x86intrin.h>
#endif

/**
 * struct ticks - what one tick is
 * @name:    which clock
 * @ns_each: nanoseconds of a tick
 * @cost:    ticks between two readings with nothing between them, the median
 */
struct ticks {
        const char *name;
        double ns_each;
        uint64_t cost;
};

/* Nanoseconds of CLOCK_MONOTONIC_RAW, for what takes long. */
static inline uint64_t ticks_wall_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC_RAW, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Now. What stands before it in the program is over, and what stands after it has not begun. */
static inline uint64_t ticks_now(void)
{
#ifdef __x86_64__
        uint64_t now;

        _mm_lfence();
        now = __rdtsc();
        _mm_lfence();
        return now;
#else
        return ticks_wall_ns();
#endif
}

/* Ticks from @began to @ended, without the cost of the clock. */
static inline uint64_t ticks_between(const struct ticks *ticks, uint64_t began, uint64_t ended)
{
        const uint64_t span = ended - began;

        return span > ticks->cost ? span - ticks->cost : 0;
}

/* Measure the clock itself; takes 50 ms. */
void ticks_calibrate(struct ticks *ret);
