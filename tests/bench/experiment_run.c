/* SPDX-License-Identifier: MIT */
/*
 * Owns the places that a placer has given out. Knows of the placer only what it answers: what low
 * memory is used for is counted from the places.
 */
#include "experiment_run.h"

#include "macros.h"
#include "result.h"

#include <errno.h>
#include <stdlib.h>

/* What is never an address of memory. */
#define NOWHERE UINT64_MAX

/**
 * struct replay - a run in progress
 * @trace:   what is asked
 * @placer:  who is asked
 * @state:   the placer's
 * @places:  first address of what each request got; owned
 * @live:    bytes that were asked for and are in each window
 * @strange: those of them whose owners may have memory above the window as well
 * @asked:   bytes that would be alive if nothing had been refused, by class
 * @served:  those that are
 * @result:  what came of it so far
 * @n_samples: how many there are
 */
struct replay {
        const struct trace *trace;
        const struct run_placer *placer;
        void *state;
        uint64_t *places;
        uint64_t live[RUN_WINDOWS], strange[RUN_WINDOWS];
        uint64_t asked[WORKLOAD_CLASSES_MAX], served[WORKLOAD_CLASSES_MAX];
        struct run_result *result;
        size_t n_samples;
};

struct range run_window_range(enum run_window window)
{
        static const uint64_t lasts[RUN_WINDOWS] = { 16 * MiB - 1, 4 * GiB - 1, UINT64_MAX };

        return (struct range){ 0, lasts[window] };
}

const char *run_window_name(enum run_window window)
{
        static const char *const names[RUN_WINDOWS] = { "16M", "4G", "all" };

        return names[window];
}

static uint32_t ppm(uint64_t part, uint64_t whole)
{
        /* Both are below 2^44 bytes: no product is cut. */
        return whole ? (uint32_t)(part * RUN_PPM / whole) : 0;
}

uint32_t run_unserved(const struct trace *trace, const uint64_t *asked_bytes,
                      const uint64_t *served_bytes, bool constrained_only)
{
        uint64_t asked = 0, served = 0;

        for (size_t i = 0; i < trace->mix->n_classes; i++) {
                if (constrained_only && !run_is_constrained(trace, i))
                        continue;
                asked += asked_bytes[i];
                served += served_bytes[i];
        }
        return ppm(asked - served, asked);
}

bool run_sample_is_due(const struct trace *trace, size_t event, size_t n_samples)
{
        const uint64_t end_ns = trace->requests[trace->n_requests - 1].from_ns;
        const struct trace_request *request;
        uint64_t now_ns;

        if (event >= trace->n_events)
                return n_samples < RUN_SAMPLES;
        request = &trace->requests[trace->events[event].request];
        now_ns = trace->events[event].is_end ? request->until_ns : request->from_ns;
        return n_samples < RUN_SAMPLES - 1 && now_ns >= end_ns / RUN_SAMPLES * (n_samples + 1);
}

static void take_sample(struct replay *replay)
{
        const struct trace *trace = replay->trace;
        const struct placer_ops *ops = replay->placer->ops;
        struct run_sample *sample = &replay->result->samples[replay->n_samples++];
        const uint64_t taken = trace->capacity_bytes - ops->free_bytes(replay->state);

        for (size_t w = 0; w < RUN_WINDOWS; w++) {
                const struct range window = run_window_range((enum run_window)w);
                const uint64_t bytes = workload_bytes_in(trace->machine, window);
                const uint64_t free_bytes = bytes - replay->live[w];

                if (free_bytes)
                        sample->fragmented[w] = ppm(
                                free_bytes - ops->largest_bytes(replay->state, window), free_bytes);
                sample->misplaced[w] = ppm(replay->strange[w], bytes);
        }
        sample->wasted = ppm(taken - replay->live[RUN_ALL], trace->capacity_bytes);
        sample->unserved = run_unserved(trace, replay->asked, replay->served, false);
        sample->unserved_constrained = run_unserved(trace, replay->asked, replay->served, true);
}

/* Count what lies where; @sign: 1 for taken, -1 for given back. */
static void account(struct replay *replay, uint32_t number, uint64_t sign)
{
        const struct trace_request *request = &replay->trace->requests[number];
        const struct range at = range_of(replay->places[number], request->size_bytes);
        const struct range reach = replay->trace->mix->classes[request->class].window;
        struct range part;

        replay->served[request->class] += sign * request->size_bytes;
        for (size_t w = 0; w < RUN_WINDOWS; w++) {
                const struct range window = run_window_range((enum run_window)w);

                if (!range_intersect(at, window, &part))
                        continue;
                replay->live[w] += sign * range_size(part);
                if (reach.last > window.last)
                        replay->strange[w] += sign * range_size(part);
        }
}

static void check_place(const struct constraint *want, uint64_t first)
{
        const struct range at = range_of(first, want->size_bytes);

        assert(range_contains(want->window, at));
        assert(first % want->align_bytes == 0);
        assert(!want->boundary_bytes || align_down(at.first, want->boundary_bytes) ==
                                                align_down(at.last, want->boundary_bytes));
        (void)at;
}

static int begin(struct replay *replay, uint32_t number)
{
        const struct trace_request *request = &replay->trace->requests[number];
        const struct workload_class *class = &replay->trace->mix->classes[request->class];
        struct run_count *count = &replay->result->classes[request->class];
        const struct constraint want = {
                .window = class->window,
                .size_bytes = request->size_bytes,
                .align_bytes = class->align_bytes,
                .boundary_bytes = class->boundary_bytes,
                .max_segments = 1,
        };
        int r;

        if (replay->placer->hint)
                replay->placer->hint(replay->state, request->until_ns - request->from_ns);
        r = replay->placer->ops->take(replay->state, &want, &replay->places[number]);
        if (r < 0)
                return r;
        replay->asked[request->class] += request->size_bytes;
        if (number >= replay->trace->n_warm)
                run_count_add(count, request->size_bytes, r);
        if (r) {
                replay->places[number] = NOWHERE;
                return 0;
        }
        check_place(&want, replay->places[number]);
        account(replay, number, 1);
        return 0;
}

static void end(struct replay *replay, uint32_t number)
{
        const struct trace_request *request = &replay->trace->requests[number];

        replay->asked[request->class] -= request->size_bytes;
        if (replay->places[number] == NOWHERE)
                return;
        account(replay, number, (uint64_t)-1);
        replay->placer->ops->give(replay->state, replay->places[number], request->size_bytes);
}

static int replay_all(struct replay *replay)
{
        const struct trace *trace = replay->trace;
        int r;

        for (size_t i = 0; i <= trace->n_events; i++) {
                while (run_sample_is_due(trace, i, replay->n_samples))
                        take_sample(replay);
                if (i == trace->n_events)
                        break;
                if (trace->events[i].is_end) {
                        end(replay, trace->events[i].request);
                        continue;
                }
                r = begin(replay, trace->events[i].request);
                if (r)
                        return r;
        }
        return 0;
}

static int tell_windows(struct replay *replay)
{
        const struct workload_mix *mix = replay->trace->mix;
        struct range windows[WORKLOAD_CLASSES_MAX];

        for (size_t i = 0; i < mix->n_classes; i++)
                windows[i] = mix->classes[i].window;
        return replay->placer->know(replay->state, windows, mix->n_classes);
}

int run_trace(const struct trace *trace, const struct run_placer *placer, struct run_result *ret)
{
        const struct workload_machine *machine = trace->machine;
        struct replay replay = { .trace = trace, .placer = placer, .result = ret };
        int r;

        *ret = (struct run_result){ 0 };
        r = placer->ops->open(machine->memory, machine->n_memory, WORKLOAD_GRANULE_BYTES,
                              &replay.state);
        if (r)
                return r;
        replay.places = malloc(trace->n_requests * sizeof(*replay.places));
        r = replay.places ? 0 : -ENOMEM;
        if (!r && placer->know)
                r = tell_windows(&replay);
        if (!r)
                r = replay_all(&replay);
        free(replay.places);
        placer->ops->close(replay.state);
        return r;
}

bool run_is_constrained(const struct trace *trace, size_t class)
{
        return workload_bytes_in(trace->machine, trace->mix->classes[class].window) <
               trace->capacity_bytes;
}

struct run_count run_total(const struct trace *trace, const struct run_count *classes,
                           bool constrained_only)
{
        struct run_count total = { 0 };

        for (size_t i = 0; i < trace->mix->n_classes; i++) {
                if (constrained_only && !run_is_constrained(trace, i))
                        continue;
                total.asked += classes[i].asked;
                total.refused += classes[i].refused;
                total.asked_bytes += classes[i].asked_bytes;
                total.refused_bytes += classes[i].refused_bytes;
        }
        return total;
}
