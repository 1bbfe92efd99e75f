/* SPDX-License-Identifier: MIT */
/*
 * Owns the windows of a trace and what is alive in each. Knows sizes and reaches, no addresses.
 */
#include "experiment_bound.h"

#include <errno.h>
#include <stdlib.h>

#define WINDOWS_MAX (WORKLOAD_CLASSES_MAX * WORKLOAD_CLASSES_MAX)

/* A window, what memory it has, and the bytes alive that are confined to it. */
struct window {
        struct range at;
        uint64_t capacity_bytes, live_bytes;
};

struct windows {
        struct window of[WINDOWS_MAX];
        size_t n;
};

static void windows_add(struct windows *windows, const struct trace *trace, struct range at)
{
        for (size_t i = 0; i < windows->n; i++) {
                if (windows->of[i].at.first == at.first && windows->of[i].at.last == at.last)
                        return;
        }
        windows->of[windows->n++] = (struct window){
                .at = at,
                .capacity_bytes = workload_bytes_in(trace->machine, at),
        };
}

/* From where one reach begins to where one ends. No other window can be over-full first. */
static void windows_init(struct windows *windows, const struct trace *trace)
{
        const struct workload_mix *mix = trace->mix;

        windows->n = 0;
        for (size_t a = 0; a < mix->n_classes; a++) {
                for (size_t b = 0; b < mix->n_classes; b++) {
                        const struct range at = { mix->classes[a].window.first,
                                                  mix->classes[b].window.last };

                        if (at.first <= at.last)
                                windows_add(windows, trace, at);
                }
        }
}

/**
 * struct drop - the search for the fewest bytes to drop in one window
 * @trace: borrowed
 * @heap:  numbers of requests; what is given back last is on top. Owned
 * @n_heap: how many
 * @left:  bytes of each request that are alive and not dropped; owned
 */
struct drop {
        const struct trace *trace;
        uint32_t *heap;
        size_t n_heap;
        uint64_t *left;
};

static bool later(const struct drop *drop, uint32_t a, uint32_t b)
{
        return drop->trace->requests[a].until_ns > drop->trace->requests[b].until_ns;
}

static void heap_push(struct drop *drop, uint32_t request)
{
        size_t at = drop->n_heap++;

        while (at && later(drop, request, drop->heap[(at - 1) / 2])) {
                drop->heap[at] = drop->heap[(at - 1) / 2];
                at = (at - 1) / 2;
        }
        drop->heap[at] = request;
}

static void heap_pop(struct drop *drop)
{
        const uint32_t last = drop->heap[--drop->n_heap];
        size_t at = 0;

        for (;;) {
                size_t child = 2 * at + 1;

                if (child >= drop->n_heap)
                        break;
                if (child + 1 < drop->n_heap &&
                    later(drop, drop->heap[child + 1], drop->heap[child]))
                        child++;
                if (!later(drop, drop->heap[child], last))
                        break;
                drop->heap[at] = drop->heap[child];
                at = child;
        }
        drop->heap[at] = last;
}

/* Those that ended lie below all that are alive: they never come to the top while it matters. */
static uint64_t drop_from(struct drop *drop, uint64_t bytes)
{
        const uint64_t dropped = bytes;

        while (bytes) {
                uint64_t *left = &drop->left[drop->heap[0]];
                const uint64_t part = *left < bytes ? *left : bytes;

                *left -= part;
                bytes -= part;
                if (!*left)
                        heap_pop(drop);
        }
        return dropped;
}

/* The fewest bytes that have to be dropped so that a window is never over-full. */
static uint64_t drop_in(struct drop *drop, const struct window *window)
{
        const struct trace *trace = drop->trace;
        uint64_t live = 0, dropped = 0;

        drop->n_heap = 0;
        for (size_t i = 0; i < trace->n_events; i++) {
                const uint32_t number = trace->events[i].request;
                const struct trace_request *request = &trace->requests[number];

                if (number < trace->n_warm ||
                    !range_contains(window->at, trace->mix->classes[request->class].window))
                        continue;
                if (trace->events[i].is_end) {
                        live -= drop->left[number];
                        continue;
                }
                drop->left[number] = request->size_bytes;
                heap_push(drop, number);
                live += request->size_bytes;
                if (live > window->capacity_bytes) {
                        dropped += drop_from(drop, live - window->capacity_bytes);
                        live = window->capacity_bytes;
                }
        }
        return dropped;
}

int bound_refused_bytes(const struct trace *trace, uint64_t *ret)
{
        struct drop drop = { .trace = trace };
        struct windows windows;
        uint64_t most = 0;

        drop.heap = malloc(trace->n_requests * sizeof(*drop.heap));
        drop.left = malloc(trace->n_requests * sizeof(*drop.left));
        if (!drop.heap || !drop.left) {
                free(drop.heap);
                free(drop.left);
                return -ENOMEM;
        }
        windows_init(&windows, trace);
        for (size_t i = 0; i < windows.n; i++) {
                /* Of the whole memory everybody drops something, not only who is constrained. */
                if (windows.of[i].capacity_bytes < trace->capacity_bytes) {
                        const uint64_t dropped = drop_in(&drop, &windows.of[i]);

                        most = dropped > most ? dropped : most;
                }
        }
        free(drop.heap);
        free(drop.left);
        *ret = most;
        return 0;
}

/* @sign: 1 for bytes that come to be alive, -1 for bytes that are given back. */
static void windows_count(struct windows *windows, struct range reach, uint64_t bytes,
                          uint64_t sign)
{
        for (size_t i = 0; i < windows->n; i++) {
                if (range_contains(windows->of[i].at, reach))
                        windows->of[i].live_bytes += sign * bytes;
        }
}

/* Bytes in excess of the memory of the window that has most of them. */
static uint64_t windows_excess(const struct windows *windows)
{
        uint64_t most = 0;

        for (size_t i = 0; i < windows->n; i++) {
                const struct window *window = &windows->of[i];

                if (window->live_bytes > window->capacity_bytes &&
                    window->live_bytes - window->capacity_bytes > most)
                        most = window->live_bytes - window->capacity_bytes;
        }
        return most;
}

uint32_t bound_unserved(const struct trace *trace)
{
        uint64_t asked = 0, sum = 0;
        size_t n_samples = 0;
        struct windows windows;

        windows_init(&windows, trace);
        for (size_t i = 0; i <= trace->n_events; i++) {
                const struct trace_request *request;
                uint64_t sign;

                for (; run_sample_is_due(trace, i, n_samples); n_samples++) {
                        if (n_samples >= RUN_SAMPLES_FROM && asked)
                                sum += windows_excess(&windows) * RUN_PPM / asked;
                }
                if (i == trace->n_events)
                        break;
                request = &trace->requests[trace->events[i].request];
                sign = trace->events[i].is_end ? (uint64_t)-1 : 1;
                if (run_is_constrained(trace, request->class)) {
                        asked += sign * request->size_bytes;
                        windows_count(&windows, trace->mix->classes[request->class].window,
                                      request->size_bytes, sign);
                }
        }
        return (uint32_t)(sum / (RUN_SAMPLES - RUN_SAMPLES_FROM));
}

static bool ideal_fits(const struct windows *windows, struct range reach, uint64_t bytes)
{
        for (size_t i = 0; i < windows->n; i++) {
                const struct window *window = &windows->of[i];

                if (range_contains(window->at, reach) &&
                    window->live_bytes + bytes > window->capacity_bytes)
                        return false;
        }
        return true;
}

/**
 * struct ideal - a run of ideal_run() in progress
 * @asked:     bytes that would be alive if nothing had been refused, by class
 * @served:    those that are
 * @is_served: each request; owned
 */
struct ideal {
        const struct trace *trace;
        struct windows windows;
        uint64_t asked[WORKLOAD_CLASSES_MAX], served[WORKLOAD_CLASSES_MAX];
        bool *is_served;
        struct run_result *result;
};

static void ideal_event(struct ideal *ideal, struct trace_event event)
{
        const struct trace *trace = ideal->trace;
        const struct trace_request *request = &trace->requests[event.request];
        const struct range reach = trace->mix->classes[request->class].window;
        const uint64_t bytes = request->size_bytes, sign = event.is_end ? (uint64_t)-1 : 1;
        bool *is_served = &ideal->is_served[event.request];

        if (!event.is_end) {
                *is_served = ideal_fits(&ideal->windows, reach, bytes);
                if (event.request >= trace->n_warm)
                        run_count_add(&ideal->result->classes[request->class], bytes, !*is_served);
        }
        ideal->asked[request->class] += sign * bytes;
        if (*is_served) {
                ideal->served[request->class] += sign * bytes;
                windows_count(&ideal->windows, reach, bytes, sign);
        }
}

int ideal_run(const struct trace *trace, struct run_result *ret)
{
        struct ideal ideal = { .trace = trace, .result = ret };
        size_t n_samples = 0;

        *ret = (struct run_result){ 0 };
        ideal.is_served = calloc(trace->n_requests, sizeof(*ideal.is_served));
        if (!ideal.is_served)
                return -ENOMEM;
        windows_init(&ideal.windows, trace);
        for (size_t i = 0; i <= trace->n_events; i++) {
                for (; run_sample_is_due(trace, i, n_samples); n_samples++) {
                        struct run_sample *sample = &ret->samples[n_samples];

                        sample->unserved = run_unserved(trace, ideal.asked, ideal.served, false);
                        sample->unserved_constrained =
                                run_unserved(trace, ideal.asked, ideal.served, true);
                }
                if (i < trace->n_events)
                        ideal_event(&ideal, trace->events[i]);
        }
        free(ideal.is_served);
        return 0;
}
