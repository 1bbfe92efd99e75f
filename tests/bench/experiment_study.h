/* SPDX-License-Identifier: MIT */
/*
 * All the runs of an experiment, and the figures that come of them.
 */
#pragma once

#include "experiment_run.h"

#define STUDY_LOADS_MAX   8
#define STUDY_PLACERS_MAX 24

/* Where a row has no such figure. */
#define STUDY_NONE UINT32_MAX

/**
 * enum study_metric - a figure, in millionths
 *
 * REFUSED: requests that were refused. BYTES: their bytes. UNSERVED: bytes that ought to be alive
 * and are not, on average. CONSTRAINED: only what reaches a part of the memory. The others are
 * those of struct run_sample, on average.
 */
enum study_metric {
        STUDY_REFUSED_CONSTRAINED,
        STUDY_REFUSED_CONSTRAINED_BYTES,
        STUDY_UNSERVED_CONSTRAINED,
        STUDY_REFUSED,
        STUDY_REFUSED_BYTES,
        STUDY_UNSERVED,
        STUDY_FRAGMENTED_16M,
        STUDY_FRAGMENTED_4G,
        STUDY_FRAGMENTED,
        STUDY_MISPLACED_16M,
        STUDY_MISPLACED_4G,
        STUDY_WASTED,
        STUDY_METRICS,
};

/* As JSON has it. */
const char *study_metric_name(enum study_metric metric);

/* Of several seeds. STUDY_NONE, all three: no such figure. */
struct study_figure {
        uint32_t mean, min, max;
};

/**
 * struct study_row - what became of one placer in one case
 * @name:       of the placer; "ideal" and "bound" are those of experiment_bound.h
 * @figures:    by metric
 * @classes:    counts of all seeds, by class of the mix
 * @fragmented: of all memory over time, the average of all seeds
 */
struct study_row {
        const char *name;
        struct study_figure figures[STUDY_METRICS];
        struct run_count classes[WORKLOAD_CLASSES_MAX];
        uint32_t fragmented[RUN_SAMPLES];
};

/**
 * struct study_case - one mix on one machine under one load
 * @mix:          borrowed
 * @machine:      borrowed
 * @load_percent: see trace_options
 * @n_requests:   of all seeds
 * @seconds:      of the machine's time that a run takes, on average
 * @turnover:     how often a run takes as much memory as there is, on average, in tenths
 * @rows:         @n_rows; owned
 */
struct study_case {
        const struct workload_mix *mix;
        const struct workload_machine *machine;
        unsigned load_percent;
        uint64_t n_requests, seconds, turnover;
        struct study_row *rows;
        size_t n_rows;
};

/**
 * struct study_options - what is run
 * @workload:   borrowed; must outlive the study
 * @mix:        only this one; NULL: all
 * @machine:    only this one; NULL: all
 * @loads:      percent
 * @n_loads:    how many, at least 1
 * @placers:    who is compared; borrowed
 * @n_placers:  how many, STUDY_PLACERS_MAX - 2 at most
 * @n_requests: see trace_options
 * @n_turns:    see trace_options
 * @seed:       the first seed
 * @n_seeds:    how many, at least 1
 */
struct study_options {
        const struct workload *workload;
        const char *mix, *machine;
        unsigned loads[STUDY_LOADS_MAX];
        size_t n_loads;
        struct run_placer placers[STUDY_PLACERS_MAX];
        size_t n_placers;
        size_t n_requests, n_turns;
        uint64_t seed;
        size_t n_seeds;
};

/**
 * struct study - what came of it
 * @cases:   by mix, machine and load; owned
 * @n_cases: how many
 */
struct study {
        struct study_case *cases;
        size_t n_cases;
};

/**
 * study_run() - run all of it
 * @options:  borrowed
 * @progress: called before each case; NULL: not
 * @ret:      filled in; the caller calls study_deinit()
 *
 * Return: 0; -ENOMEM; -EINVAL for a mix that does not suit a machine; -ENOTSUP for a memory that a
 * placer cannot represent.
 */
int study_run(const struct study_options *options, void (*progress)(const struct study_case *),
              struct study *ret);
void study_deinit(struct study *study);

/* The row of a placer; NULL: there is none. */
const struct study_row *study_row_of(const struct study_case *of, const char *name);

/* The case; NULL: there is none. */
const struct study_case *study_case_of(const struct study *study, const char *mix,
                                       const char *machine, unsigned load_percent);
