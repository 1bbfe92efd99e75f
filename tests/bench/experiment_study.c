/* SPDX-License-Identifier: MIT */
/*
 * Owns the cases and their rows. A trace is made once and given to all: they differ in nothing but
 * their placements.
 */
#include "experiment_study.h"

#include "experiment_bound.h"
#include "macros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_BOUNDS 2 /* the rows that are no placers */

const char *study_metric_name(enum study_metric metric)
{
        static const char *const names[STUDY_METRICS] = {
                [STUDY_REFUSED_CONSTRAINED] = "refused_constrained",
                [STUDY_REFUSED_CONSTRAINED_BYTES] = "refused_constrained_bytes",
                [STUDY_UNSERVED_CONSTRAINED] = "unserved_constrained",
                [STUDY_REFUSED] = "refused",
                [STUDY_REFUSED_BYTES] = "refused_bytes",
                [STUDY_UNSERVED] = "unserved",
                [STUDY_FRAGMENTED_16M] = "fragmented_16m",
                [STUDY_FRAGMENTED_4G] = "fragmented_4g",
                [STUDY_FRAGMENTED] = "fragmented",
                [STUDY_MISPLACED_16M] = "misplaced_16m",
                [STUDY_MISPLACED_4G] = "misplaced_4g",
                [STUDY_WASTED] = "wasted",
        };

        return names[metric];
}

/* ---- one run --------------------------------------------------------------------------------- */

static uint32_t share(uint64_t part, uint64_t whole)
{
        return whole ? (uint32_t)(part * RUN_PPM / whole) : 0;
}

static const uint32_t *sample_metric(const struct run_sample *sample, enum study_metric metric)
{
        switch (metric) {
        case STUDY_UNSERVED_CONSTRAINED: return &sample->unserved_constrained;
        case STUDY_UNSERVED: return &sample->unserved;
        case STUDY_FRAGMENTED_16M: return &sample->fragmented[RUN_BELOW_16M];
        case STUDY_FRAGMENTED_4G: return &sample->fragmented[RUN_BELOW_4G];
        case STUDY_FRAGMENTED: return &sample->fragmented[RUN_ALL];
        case STUDY_MISPLACED_16M: return &sample->misplaced[RUN_BELOW_16M];
        case STUDY_MISPLACED_4G: return &sample->misplaced[RUN_BELOW_4G];
        case STUDY_WASTED: return &sample->wasted;
        default: return NULL;
        }
}

static void set_averages(const struct run_result *result, uint32_t metrics[STUDY_METRICS])
{
        for (enum study_metric m = 0; m < STUDY_METRICS; m++) {
                uint64_t sum = 0;

                if (!sample_metric(&result->samples[0], m))
                        continue;
                for (size_t s = RUN_SAMPLES_FROM; s < RUN_SAMPLES; s++)
                        sum += *sample_metric(&result->samples[s], m);
                metrics[m] = (uint32_t)(sum / (RUN_SAMPLES - RUN_SAMPLES_FROM));
        }
}

static void set_metrics(const struct trace *trace, const struct run_result *result,
                        uint32_t metrics[STUDY_METRICS])
{
        const struct run_count all = run_total(trace, result->classes, false);
        const struct run_count constrained = run_total(trace, result->classes, true);

        metrics[STUDY_REFUSED_CONSTRAINED] = share(constrained.refused, constrained.asked);
        metrics[STUDY_REFUSED_CONSTRAINED_BYTES] =
                share(constrained.refused_bytes, constrained.asked_bytes);
        metrics[STUDY_REFUSED] = share(all.refused, all.asked);
        metrics[STUDY_REFUSED_BYTES] = share(all.refused_bytes, all.asked_bytes);
        set_averages(result, metrics);
}

/* What has no addresses knows nothing of where things lie. */
static void forget_places(uint32_t metrics[STUDY_METRICS])
{
        for (enum study_metric m = STUDY_FRAGMENTED_16M; m < STUDY_METRICS; m++)
                metrics[m] = STUDY_NONE;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Add the figures of one seed; the mean is the sum until all are there. */
static void add_metrics(struct study_row *row, const uint32_t metrics[STUDY_METRICS], size_t seed)
{
        for (size_t m = 0; m < STUDY_METRICS; m++) {
                struct study_figure *figure = &row->figures[m];

                if (metrics[m] == STUDY_NONE) {
                        *figure = (struct study_figure){ STUDY_NONE, STUDY_NONE, STUDY_NONE };
                        continue;
                }
                figure->mean += metrics[m];
                if (seed == 0 || metrics[m] < figure->min)
                        figure->min = metrics[m];
                if (metrics[m] > figure->max)
                        figure->max = metrics[m];
        }
}

static void add_result(struct study_row *row, const struct run_result *result)
{
        for (size_t i = 0; i < WORKLOAD_CLASSES_MAX; i++) {
                row->classes[i].asked += result->classes[i].asked;
                row->classes[i].refused += result->classes[i].refused;
                row->classes[i].asked_bytes += result->classes[i].asked_bytes;
                row->classes[i].refused_bytes += result->classes[i].refused_bytes;
        }
        for (size_t s = 0; s < RUN_SAMPLES; s++)
                row->fragmented[s] += result->samples[s].fragmented[RUN_ALL];
}

static void finish_row(struct study_row *row, size_t n_seeds)
{
        for (size_t m = 0; m < STUDY_METRICS; m++) {
                if (row->figures[m].mean != STUDY_NONE)
                        row->figures[m].mean /= (uint32_t)n_seeds;
        }
        for (size_t s = 0; s < RUN_SAMPLES; s++)
                row->fragmented[s] /= (uint32_t)n_seeds;
}

static int add_placer(const struct trace *trace, const struct run_placer *placer, size_t seed,
                      struct study_row *row)
{
        uint32_t metrics[STUDY_METRICS];
        struct run_result result;
        int r;

        r = run_trace(trace, placer, &result);
        if (r)
                return r;
        row->name = placer->ops->name;
        set_metrics(trace, &result, metrics);
        add_metrics(row, metrics, seed);
        add_result(row, &result);
        return 0;
}

static int add_bounds(const struct trace *trace, size_t seed, struct study_row rows[N_BOUNDS])
{
        uint32_t metrics[STUDY_METRICS];
        struct run_result result;
        struct run_count asked;
        uint64_t bytes;
        int r;

        r = ideal_run(trace, &result);
        if (!r)
                r = bound_refused_bytes(trace, &bytes);
        if (r)
                return r;
        rows[0].name = "ideal";
        set_metrics(trace, &result, metrics);
        forget_places(metrics);
        add_metrics(&rows[0], metrics, seed);
        add_result(&rows[0], &result);

        rows[1].name = "bound";
        for (size_t m = 0; m < STUDY_METRICS; m++)
                metrics[m] = STUDY_NONE;
        asked = run_total(trace, result.classes, true);
        metrics[STUDY_REFUSED_CONSTRAINED_BYTES] = share(bytes, asked.asked_bytes);
        metrics[STUDY_UNSERVED_CONSTRAINED] = bound_unserved(trace);
        add_metrics(&rows[1], metrics, seed);
        return 0;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void add_size(struct study_case *of, const struct trace *trace)
{
        uint64_t bytes = 0;

        for (size_t i = 0; i < trace->n_requests; i++)
                bytes += trace->requests[i].size_bytes;
        of->n_requests += trace->n_requests;
        of->seconds += trace->requests[trace->n_requests - 1].from_ns / NS_PER_S;
        of->turnover += bytes / (trace->capacity_bytes / 10);
}

static int run_seed(const struct study_options *options, struct study_case *of, size_t seed)
{
        const struct trace_options trace_options = {
                .load_percent = of->load_percent,
                .n_requests = options->n_requests,
                .n_turns = options->n_turns,
                .seed = options->seed + seed,
        };
        struct trace trace;
        int r;

        r = trace_make(of->mix, of->machine, &trace_options, &trace);
        if (r)
                return r;
        add_size(of, &trace);
        for (size_t i = 0; i < options->n_placers && !r; i++)
                r = add_placer(&trace, &options->placers[i], seed, &of->rows[i]);
        if (!r)
                r = add_bounds(&trace, seed, &of->rows[options->n_placers]);
        trace_deinit(&trace);
        return r;
}

static int run_case(const struct study_options *options, struct study_case *of)
{
        int r = 0;

        of->n_rows = options->n_placers + N_BOUNDS;
        of->rows = calloc(of->n_rows, sizeof(*of->rows));
        if (!of->rows)
                return -ENOMEM;
        for (size_t seed = 0; seed < options->n_seeds && !r; seed++)
                r = run_seed(options, of, seed);
        of->seconds /= options->n_seeds;
        of->turnover /= options->n_seeds;
        for (size_t i = 0; i < of->n_rows; i++)
                finish_row(&of->rows[i], options->n_seeds);
        return r;
}

static bool is_wanted(const char *wanted, const char *name)
{
        return !wanted || strcmp(wanted, name) == 0;
}

/* The cases, without rows. Return: 0; -ENOMEM. */
static int list_cases(const struct study_options *options, struct study *study)
{
        const struct workload *workload = options->workload;

        study->cases = calloc(WORKLOAD_MIXES_MAX * WORKLOAD_MACHINES_MAX * STUDY_LOADS_MAX,
                              sizeof(*study->cases));
        if (!study->cases)
                return -ENOMEM;
        for (size_t m = 0; m < workload->n_mixes; m++) {
                const struct workload_mix *mix = &workload->mixes[m];

                for (size_t k = 0; k < mix->n_machines * options->n_loads; k++) {
                        const struct workload_machine *machine =
                                &workload->machines[mix->machines[k / options->n_loads]];

                        if (!is_wanted(options->mix, mix->name) ||
                            !is_wanted(options->machine, machine->name))
                                continue;
                        study->cases[study->n_cases++] = (struct study_case){
                                .mix = mix,
                                .machine = machine,
                                .load_percent = options->loads[k % options->n_loads],
                        };
                }
        }
        return 0;
}

int study_run(const struct study_options *options, void (*progress)(const struct study_case *),
              struct study *ret)
{
        int r;

        *ret = (struct study){ 0 };
        r = list_cases(options, ret);
        for (size_t i = 0; i < ret->n_cases && !r; i++) {
                if (progress)
                        progress(&ret->cases[i]);
                r = run_case(options, &ret->cases[i]);
        }
        if (r)
                study_deinit(ret);
        return r;
}

void study_deinit(struct study *study)
{
        for (size_t i = 0; i < study->n_cases; i++)
                free(study->cases[i].rows);
        free(study->cases);
        *study = (struct study){ 0 };
}

const struct study_row *study_row_of(const struct study_case *of, const char *name)
{
        for (size_t i = 0; i < of->n_rows; i++) {
                if (strcmp(of->rows[i].name, name) == 0)
                        return &of->rows[i];
        }
        return NULL;
}

const struct study_case *study_case_of(const struct study *study, const char *mix,
                                       const char *machine, unsigned load_percent)
{
        for (size_t i = 0; i < study->n_cases; i++) {
                const struct study_case *of = &study->cases[i];

                if (strcmp(of->mix->name, mix) == 0 && strcmp(of->machine->name, machine) == 0 &&
                    of->load_percent == load_percent)
                        return of;
        }
        return NULL;
}
