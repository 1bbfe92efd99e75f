/* SPDX-License-Identifier: MIT */
/* Owns nothing. */
#include "ticks.h"

#include <stdlib.h>

#define CALIBRATION_NS UINT64_C(50000000)
#define COST_SAMPLES   1001

static int compare(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static uint64_t median_cost(void)
{
        uint64_t spans[COST_SAMPLES];

        for (unsigned i = 0; i < COST_SAMPLES; i++) {
                const uint64_t began = ticks_now();

                spans[i] = ticks_now() - began;
        }
        qsort(spans, COST_SAMPLES, sizeof(spans[0]), compare);
        return spans[COST_SAMPLES / 2];
}

void ticks_calibrate(struct ticks *ret)
{
        const uint64_t wall = ticks_wall_ns(), began = ticks_now();
        uint64_t ns;

        do {
                ns = ticks_wall_ns() - wall;
        } while (ns < CALIBRATION_NS);
#ifdef __x86_64__
        ret->name = "time-stamp counter";
        ret->ns_each = (double)ns / (double)(ticks_now() - began);
#else
        (void)began;
        ret->name = "CLOCK_MONOTONIC_RAW";
        ret->ns_each = 1.0;
#endif
        ret->cost = median_cost();
}
