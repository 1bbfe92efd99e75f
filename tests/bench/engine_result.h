/* SPDX-License-Identifier: MIT */
/*
 * What was measured in one state of memory, and the figures that people and programs are told.
 */
#pragma once

#include "contender.h"
#include "engine_options.h"

#include <stddef.h>
#include <stdint.h>

/**
 * struct left_out - a placer that was not measured
 * @reason: a sentence
 */
struct left_out {
        const struct placer_ops *ops;
        char reason[80];
};

/**
 * struct engine_state - one size of memory, so full
 * @contenders: @n_contenders, owned by whoever measures; the first is who the others are compared
 *              with
 * @left_out:   @n_left_out
 */
struct engine_state {
        uint64_t size_bytes;
        unsigned fill_percent;
        struct contender *contenders[ENGINE_LIST_MAX];
        size_t n_contenders;
        struct left_out left_out[ENGINE_LIST_MAX];
        size_t n_left_out;
};

/* Which figure of a histogram. */
enum percentile { P50, P99, P99_9, P_MAX, PERCENTILES };

/* Nanoseconds of a percentile of a histogram; negative where there are too few values to tell. */
double figure_ns(const struct histogram *histogram, const struct ticks *ticks,
                 enum percentile percentile);

/* The median that stands for a search: taking, or the refusal of one that fails. */
double figure_median_ns(const struct cell *cell, enum search_id search, const struct ticks *ticks);

/* Bytes of metadata for each GiB of memory. */
uint64_t figure_metadata_per_gib(const struct engine_state *state,
                                 const struct contender *contender);
