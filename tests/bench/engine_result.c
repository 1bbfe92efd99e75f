/* SPDX-License-Identifier: MIT */
/* Owns nothing. Refuses to make a percentile of fewer values than it takes to have one. */
#include "engine_result.h"

#include "macros.h"

double figure_ns(const struct histogram *histogram, const struct ticks *ticks,
                 enum percentile percentile)
{
        static const struct {
                unsigned permille, least;
        } of[PERCENTILES] = {
                [P50] = { 500, 1 },
                [P99] = { 990, 100 },
                [P99_9] = { 999, 1000 },
                [P_MAX] = { 1000, 1 },
        };

        if (histogram->count < of[percentile].least)
                return -1;
        return (double)histogram_at(histogram, of[percentile].permille) * ticks->ns_each;
}

double figure_median_ns(const struct cell *cell, enum search_id search, const struct ticks *ticks)
{
        return figure_ns(search_fails(search) ? &cell->refusal : &cell->take, ticks, P50);
}

uint64_t figure_metadata_per_gib(const struct engine_state *state,
                                 const struct contender *contender)
{
        const struct churn *churn = &contender->churn;

        return churn->ops->metadata_bytes(churn->placer) * (GiB / MiB) / (state->size_bytes / MiB);
}
