/* SPDX-License-Identifier: MIT */
/*
 * One trace, given to one placer: what was refused, and how the memory looked meanwhile.
 */
#pragma once

#include "placer.h"
#include "workload_trace.h"

/* So many times, evenly over the time of the trace, the memory is looked at. */
#define RUN_SAMPLES 64

/* The averages over time are those of the second half, as requests are counted in it. */
#define RUN_SAMPLES_FROM (RUN_SAMPLES / 2)

#define RUN_PPM UINT64_C(1000000)

/**
 * enum run_window - the parts of a memory that are looked at
 */
enum run_window {
        RUN_BELOW_16M,
        RUN_BELOW_4G,
        RUN_ALL,
        RUN_WINDOWS,
};

struct range run_window_range(enum run_window window);
const char *run_window_name(enum run_window window); /* "16M", "4G", "all" */

/* Requests and what became of them. */
struct run_count {
        uint64_t asked, refused, asked_bytes, refused_bytes;
};

static inline void run_count_add(struct run_count *count, uint64_t bytes, bool is_refused)
{
        count->asked++;
        count->asked_bytes += bytes;
        count->refused += is_refused;
        count->refused_bytes += is_refused ? bytes : 0;
}

/**
 * struct run_sample - how the memory looks at some moment, in millionths
 * @fragmented: 1 - longest free run / free bytes, of each window; 0 where nothing is free. What a
 *              placer loses by rounding counts as free that it cannot use
 * @misplaced:  of the memory in the window that is not above it, what is taken by those who may
 *              have memory above the window as well; 0 for RUN_ALL
 * @wasted:     of all memory, what is taken by rounding up
 * @unserved:   of the bytes that would be alive if nothing had been refused, those that are not;
 *              of all classes, and of those that are constrained
 */
struct run_sample {
        uint32_t fragmented[RUN_WINDOWS];
        uint32_t misplaced[RUN_WINDOWS];
        uint32_t wasted;
        uint32_t unserved, unserved_constrained;
};

/**
 * struct run_result - what came of a run
 * @classes: by class of the mix
 * @samples: see RUN_SAMPLES
 *
 * Plain value; owns nothing.
 */
struct run_result {
        struct run_count classes[WORKLOAD_CLASSES_MAX];
        struct run_sample samples[RUN_SAMPLES];
};

/**
 * struct run_placer - who is asked
 * @ops:  how
 * @know: tell what the devices reach; NULL: it does not want to know. Return: 0; -ENOMEM
 * @hint: tell how long what is taken next will live; NULL: it does not want to know
 */
struct run_placer {
        const struct placer_ops *ops;
        int (*know)(void *placer, const struct range *windows, size_t n_windows);
        void (*hint)(void *placer, uint64_t life_ns);
};

/**
 * run_trace() - give a trace to a placer
 * @trace:  borrowed
 * @placer: borrowed
 * @ret:    filled in
 *
 * A request that is refused is counted, after warming up, and simply absent. Asserts that each
 * place satisfies its request.
 *
 * Return: 0; -ENOMEM; -ENOTSUP for a memory that the placer cannot represent.
 */
int run_trace(const struct trace *trace, const struct run_placer *placer, struct run_result *ret);

/*
 * Whether the sample after @n_samples others is to be taken before the event with this number; they
 * lie evenly over the time of the trace, the last one at its end.
 */
bool run_sample_is_due(const struct trace *trace, size_t event, size_t n_samples);

/* What of the asked bytes of all classes, or of those that are constrained, is not served. */
uint32_t run_unserved(const struct trace *trace, const uint64_t *asked_bytes,
                      const uint64_t *served_bytes, bool constrained_only);

/* Whether the devices of a class reach less than the whole memory. */
bool run_is_constrained(const struct trace *trace, size_t class);

/* The counts of all classes, or of those that are constrained, together. */
struct run_count run_total(const struct trace *trace, const struct run_count *classes,
                           bool constrained_only);
