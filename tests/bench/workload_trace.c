/* SPDX-License-Identifier: MIT */
/*
 * Owns the heap of what is alive while a trace is made. The load is kept from below: what comes
 * next is drawn first, and waits until it fits. Little's law says which share of the arrivals makes
 * up which share of the memory: bytes alive = arrivals a time x size x life.
 */
#include "workload_trace.h"

#include "random.h"

#include <errno.h>
#include <stdlib.h>

#define PPM          UINT64_C(1000000)
#define MEAN_PLACES  4096u
#define FIXED_BITS   32
#define WEIGHTS_BITS 62 /* the sum of the weights of all classes is below 2^62 */

__extension__ typedef unsigned __int128 u128;

/* What is drawn from: how often each class comes. */
struct weights {
        uint64_t of[WORKLOAD_CLASSES_MAX], sum;
};

/**
 * struct maker - a trace in the making
 * @trace:     what there is of it; owned
 * @random:    where everything comes from
 * @arriving:  how often the classes come
 * @alive:     how often the classes are among what is alive
 * @heap:      numbers of the requests that are alive, the first to be given back on top; owned
 * @n_heap:    how many
 * @now_ns:    the time
 * @live_bytes: of those on the heap
 * @target_bytes: the load
 */
struct maker {
        struct trace *trace;
        struct random random;
        struct weights arriving, alive;
        uint32_t *heap;
        size_t n_heap;
        uint64_t now_ns, live_bytes, target_bytes;
};

/* log2 with FIXED_BITS behind the point, straight between powers of two. */
static uint64_t log2_straight(uint64_t value)
{
        const unsigned whole = 63 - (unsigned)__builtin_clzll(value);
        const uint64_t part = value - (UINT64_C(1) << whole);

        return ((uint64_t)whole << FIXED_BITS) |
               (whole <= FIXED_BITS ? part << (FIXED_BITS - whole) : part >> (whole - FIXED_BITS));
}

/* The value that log2_straight() makes this of. */
static uint64_t exp2_straight(uint64_t log)
{
        const unsigned whole = (unsigned)(log >> FIXED_BITS);
        const uint64_t part = log & UINT32_MAX;

        return (UINT64_C(1) << whole) +
               (whole <= FIXED_BITS ? part >> (FIXED_BITS - whole) : part << (whole - FIXED_BITS));
}

uint64_t span_at(struct range span, uint32_t place)
{
        const uint64_t low = log2_straight(span.first), high = log2_straight(span.last);
        const uint64_t value =
                exp2_straight(low + (uint64_t)(((u128)(high - low) * place) >> FIXED_BITS));

        return value < span.first ? span.first : value;
}

uint64_t span_mean(struct range span)
{
        u128 sum = 0;

        for (uint32_t i = 0; i < MEAN_PLACES; i++)
                sum += span_at(span, (2 * i + 1) * (UINT32_MAX / (2 * MEAN_PLACES)));
        return (uint64_t)(sum / MEAN_PLACES);
}

static uint64_t round_up(uint64_t bytes)
{
        return (bytes + WORKLOAD_GRANULE_BYTES - 1) & ~(WORKLOAD_GRANULE_BYTES - 1);
}

static uint64_t mean_size(const struct workload_class *class)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < class->n_sizes; i++) {
                const struct range span = class->sizes[i];

                /* Of a span, half a granule is added by rounding up, on average. */
                if (span.first == span.last)
                        sum += round_up(span.first);
                else
                        sum += span_mean(span) + WORKLOAD_GRANULE_BYTES / 2;
        }
        return sum / class->n_sizes;
}

/* Bytes that a class has alive at full load; 0 for one that is measured in arrivals. */
static uint64_t class_bytes(const struct trace *trace, const struct workload_class *class,
                            uint64_t rest_bytes)
{
        uint64_t of = 0;

        if (class->measure == WORKLOAD_OF_REACH)
                of = workload_bytes_in(trace->machine, class->window);
        else if (class->measure == WORKLOAD_OF_REST)
                of = rest_bytes;
        return (uint64_t)((u128)of * class->share_ppm / PPM);
}

/* What the classes that are measured by their reach leave. */
static int rest_of(const struct trace *trace, uint64_t *ret)
{
        const struct workload_mix *mix = trace->mix;
        uint64_t used = 0, rest_ppm = 0, arrivals_ppm = 0;

        for (size_t i = 0; i < mix->n_classes; i++) {
                const struct workload_class *class = &mix->classes[i];

                if (!workload_bytes_in(trace->machine, class->window))
                        return -EINVAL;
                if (class->measure == WORKLOAD_OF_REACH)
                        used += class_bytes(trace, class, 0);
                if (class->measure == WORKLOAD_OF_REST)
                        rest_ppm += class->share_ppm;
                if (class->measure == WORKLOAD_OF_ARRIVALS)
                        arrivals_ppm += class->share_ppm;
        }
        if (used > trace->capacity_bytes || rest_ppm > PPM || arrivals_ppm >= PPM)
                return -EINVAL;
        *ret = trace->capacity_bytes - used;
        return 0;
}

/* Scale to what random numbers can be drawn from. */
static void weights_set(struct weights *weights, const u128 *of, size_t n)
{
        unsigned shift = 0;
        u128 sum = 0;

        for (size_t i = 0; i < n; i++)
                sum += of[i];
        while (sum >> shift >> WEIGHTS_BITS)
                shift++;
        weights->sum = 0;
        for (size_t i = 0; i < n; i++) {
                weights->of[i] = (uint64_t)(of[i] >> shift);
                weights->sum += weights->of[i];
        }
}

/* How often each class comes, and how often it is among what is alive. */
static int weigh(struct maker *maker)
{
        const struct workload_mix *mix = maker->trace->mix;
        u128 arriving[WORKLOAD_CLASSES_MAX], alive[WORKLOAD_CLASSES_MAX], sum = 0;
        uint64_t rest_bytes = 0, arrivals_ppm = 0;
        int r;

        r = rest_of(maker->trace, &rest_bytes);
        if (r)
                return r;
        for (size_t i = 0; i < mix->n_classes; i++) {
                const struct workload_class *class = &mix->classes[i];

                /* With 64 bits behind the point. */
                alive[i] = ((u128)class_bytes(maker->trace, class, rest_bytes) << 64) /
                           mean_size(class);
                arriving[i] = alive[i] / span_mean(class->life_ns);
                sum += arriving[i];
                if (class->measure == WORKLOAD_OF_ARRIVALS)
                        arrivals_ppm += class->share_ppm;
        }
        for (size_t i = 0; i < mix->n_classes; i++) {
                const struct workload_class *class = &mix->classes[i];

                if (class->measure != WORKLOAD_OF_ARRIVALS)
                        continue;
                arriving[i] = sum * class->share_ppm / (PPM - arrivals_ppm);
                alive[i] = arriving[i] * span_mean(class->life_ns);
        }
        weights_set(&maker->arriving, arriving, mix->n_classes);
        weights_set(&maker->alive, alive, mix->n_classes);
        return maker->arriving.sum && maker->alive.sum ? 0 : -EINVAL;
}

static uint32_t draw_class(struct maker *maker, const struct weights *weights)
{
        uint64_t at = random_below(&maker->random, weights->sum);
        uint32_t class = 0;

        while (at >= weights->of[class])
                at -= weights->of[class ++];
        return class;
}

static uint32_t draw_place(struct maker *maker)
{
        return (uint32_t)(random_next(&maker->random) >> 32);
}

static uint64_t draw_size(struct maker *maker, const struct workload_class *class)
{
        const size_t which = random_below(&maker->random, class->n_sizes);

        return round_up(span_at(class->sizes[which], draw_place(maker)));
}

/*
 * The rest of the life of what is alive at some moment: longer lives are met more often, in
 * proportion to their length, and any part of one may be over.
 */
static uint64_t draw_rest_of_life(struct maker *maker, const struct workload_class *class)
{
        uint64_t life;

        do
                life = span_at(class->life_ns, draw_place(maker));
        while (random_below(&maker->random, class->life_ns.last) >= life);
        return 1 + random_below(&maker->random, life);
}

static bool ends_before(const struct maker *maker, uint32_t a, uint32_t b)
{
        const struct trace_request *requests = maker->trace->requests;

        if (requests[a].until_ns != requests[b].until_ns)
                return requests[a].until_ns < requests[b].until_ns;
        return a < b;
}

static void heap_push(struct maker *maker, uint32_t request)
{
        size_t at = maker->n_heap++;

        while (at && ends_before(maker, request, maker->heap[(at - 1) / 2])) {
                maker->heap[at] = maker->heap[(at - 1) / 2];
                at = (at - 1) / 2;
        }
        maker->heap[at] = request;
}

static uint32_t heap_pop(struct maker *maker)
{
        const uint32_t top = maker->heap[0], last = maker->heap[--maker->n_heap];
        size_t at = 0;

        for (;;) {
                size_t child = 2 * at + 1;

                if (child >= maker->n_heap)
                        break;
                if (child + 1 < maker->n_heap &&
                    ends_before(maker, maker->heap[child + 1], maker->heap[child]))
                        child++;
                if (!ends_before(maker, maker->heap[child], last))
                        break;
                maker->heap[at] = maker->heap[child];
                at = child;
        }
        maker->heap[at] = last;
        return top;
}

/* Let the first of those that are alive be given back. */
static void end_one(struct maker *maker)
{
        struct trace *trace = maker->trace;
        const uint32_t request = heap_pop(maker);

        if (trace->requests[request].until_ns > maker->now_ns)
                maker->now_ns = trace->requests[request].until_ns;
        maker->live_bytes -= trace->requests[request].size_bytes;
        trace->events[trace->n_events++] = (struct trace_event){ request, true };
}

static void begin_one(struct maker *maker, uint32_t class, uint64_t size_bytes, uint64_t life_ns)
{
        struct trace *trace = maker->trace;
        const uint32_t request = (uint32_t)trace->n_requests++;

        trace->requests[request] = (struct trace_request){
                .from_ns = maker->now_ns,
                .until_ns = maker->now_ns + life_ns,
                .size_bytes = size_bytes,
                .class = class,
        };
        trace->events[trace->n_events++] = (struct trace_event){ request, false };
        maker->live_bytes += size_bytes;
        heap_push(maker, request);
}

/* Room for so many requests in all. */
static int make_room(struct maker *maker, size_t n_requests)
{
        struct trace *trace = maker->trace;
        void *more;

        more = reallocarray(trace->requests, n_requests, sizeof(*trace->requests));
        if (!more)
                return -ENOMEM;
        trace->requests = more;
        more = reallocarray(trace->events, 2 * n_requests, sizeof(*trace->events));
        if (!more)
                return -ENOMEM;
        trace->events = more;
        more = reallocarray(maker->heap, n_requests, sizeof(*maker->heap));
        if (!more)
                return -ENOMEM;
        maker->heap = more;
        return 0;
}

static int fill(struct maker *maker)
{
        struct trace *trace = maker->trace;
        size_t room = 0;
        int r;

        for (;;) {
                const uint32_t number = draw_class(maker, &maker->alive);
                const struct workload_class *class = &trace->mix->classes[number];
                const uint64_t size = draw_size(maker, class);

                if (maker->live_bytes + size > maker->target_bytes)
                        break;
                if (trace->n_requests == room) {
                        room = room ? 2 * room : 1024;
                        r = make_room(maker, room);
                        if (r)
                                return r;
                }
                begin_one(maker, number, size, draw_rest_of_life(maker, class));
        }
        trace->n_fill = trace->n_requests;
        return 0;
}

static int go_on(struct maker *maker, const struct trace_options *options)
{
        struct trace *trace = maker->trace;
        const size_t n_requests = options->n_requests + options->n_turns * trace->n_fill;
        int r;

        trace->n_warm = trace->n_fill + n_requests / 2;
        r = make_room(maker, trace->n_requests + n_requests);
        if (r)
                return r;
        for (size_t i = 0; i < n_requests; i++) {
                const uint32_t number = draw_class(maker, &maker->arriving);
                const struct workload_class *class = &trace->mix->classes[number];
                const uint64_t size = draw_size(maker, class);

                if (size > maker->target_bytes)
                        return -EINVAL;
                /* A nanosecond passes at least: nothing comes and ends at the same time. */
                maker->now_ns++;
                while (maker->n_heap && (maker->live_bytes + size > maker->target_bytes ||
                                         trace->requests[maker->heap[0]].until_ns <= maker->now_ns))
                        end_one(maker);
                begin_one(maker, number, size, span_at(class->life_ns, draw_place(maker)));
        }
        return 0;
}

int trace_make(const struct workload_mix *mix, const struct workload_machine *machine,
               const struct trace_options *options, struct trace *ret)
{
        struct maker maker = { .trace = ret, .random = { .state = options->seed } };
        int r;

        *ret = (struct trace){
                .mix = mix,
                .machine = machine,
                .capacity_bytes = workload_bytes_in(machine, RANGE_ALL),
        };
        maker.target_bytes = ret->capacity_bytes / 100 * options->load_percent;
        r = weigh(&maker);
        if (!r)
                r = fill(&maker);
        if (!r)
                r = go_on(&maker, options);
        free(maker.heap);
        if (r)
                trace_deinit(ret);
        return r;
}

void trace_deinit(struct trace *trace)
{
        free(trace->requests);
        free(trace->events);
        *trace = (struct trace){ 0 };
}
