/* SPDX-License-Identifier: MIT */
/* Owns nothing. */
#include "histogram.h"

#include <assert.h>

/* The largest value that a bucket is for. */
static uint64_t upper_end(unsigned bucket)
{
        const unsigned steps = 1u << HISTOGRAM_STEP_BITS;
        const unsigned shift = bucket < 2 * steps ? 0 : bucket / steps - 1;

        return ((uint64_t)(bucket - shift * steps + 1) << shift) - 1;
}

uint64_t histogram_at(const struct histogram *histogram, unsigned permille)
{
        const uint64_t rank = (histogram->count * permille + 999) / 1000;
        uint64_t seen = 0, end;
        unsigned bucket;

        assert(histogram->count > 0);
        for (bucket = 0; bucket + 1 < HISTOGRAM_BUCKETS; bucket++) {
                seen += histogram->buckets[bucket];
                if (seen >= rank)
                        break;
        }
        end = upper_end(bucket);
        return end < histogram->max ? end : histogram->max;
}
