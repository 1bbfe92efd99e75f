/* SPDX-License-Identifier: MIT */
/*
 * A trace: which requests come when, and when each is given back. It depends on the workload, the
 * load and the seed alone, never on what a placer answers, so that all placers are asked the same.
 * Integers only: a seed gives the same trace on every machine.
 */
#pragma once

#include "workload.h"

/**
 * struct trace_request - one request
 * @from_ns:    when it comes
 * @until_ns:   when it is given back, > @from_ns
 * @size_bytes: a multiple of WORKLOAD_GRANULE_BYTES
 * @class:      number of its class in the mix
 */
struct trace_request {
        uint64_t from_ns, until_ns, size_bytes;
        uint32_t class;
};

/**
 * struct trace_event - a request comes or is given back
 * @request: its number
 * @is_end:  given back
 */
struct trace_event {
        uint32_t request;
        bool is_end;
};

/**
 * struct trace - see above
 * @mix:        what it was made of; borrowed
 * @machine:    whose memory it was made for; borrowed
 * @capacity_bytes: of that memory
 * @requests:   in the order in which they come; owned
 * @n_requests: how many
 * @events:     in the order in which they happen; owned. What is alive at the end stays so
 * @n_events:   how many
 * @n_fill:     so many requests at the beginning fill the memory
 * @n_warm:     so many requests at the beginning, those included, are not to be counted
 */
struct trace {
        const struct workload_mix *mix;
        const struct workload_machine *machine;
        uint64_t capacity_bytes;
        struct trace_request *requests;
        size_t n_requests;
        struct trace_event *events;
        size_t n_events;
        size_t n_fill, n_warm;
};

/**
 * struct trace_options - what a trace is to be like
 * @load_percent: bytes that would be alive if nothing were refused, in percent of the memory; 1 to
 *                100. It is kept there by letting the next request wait until it fits
 * @n_requests:   how many requests come once the memory is filled, > 0
 * @n_turns:      and so many times as many as it takes to fill it. The first half of both is to
 * warm up
 * @seed:         any number
 */
struct trace_options {
        unsigned load_percent;
        size_t n_requests, n_turns;
        uint64_t seed;
};

/**
 * trace_make() - invent a trace
 * @mix:     whose classes all reach memory of @machine; borrowed, must outlive the trace
 * @machine: borrowed, must outlive the trace
 * @options: borrowed
 * @ret:     filled in; the caller calls trace_deinit()
 *
 * It begins with what would be alive in a machine that has run for ever (long lives are more
 * frequent there than among the requests that come, and each has a part of its life behind it), and
 * goes on with requests as they come. The two have different frequencies of classes, too.
 *
 * Return: 0; -EINVAL for a class that reaches no memory, or shares that are more than there is;
 * -ENOMEM.
 */
int trace_make(const struct workload_mix *mix, const struct workload_machine *machine,
               const struct trace_options *options, struct trace *ret);
void trace_deinit(struct trace *trace);

/**
 * span_at() - the value at a place of a span on a logarithmic scale
 * @span:  first and last value, > 0
 * @place: 0: the first; UINT32_MAX: next to the last
 *
 * The scale is straight between powers of two, so that it takes no more than shifts.
 */
uint64_t span_at(struct range span, uint32_t place);

/* The average of span_at() over all places. */
uint64_t span_mean(struct range span);
