/* SPDX-License-Identifier: MIT */
/*
 * What no placement can do better than, against all that could be done: each way to refuse parts
 * of a few small requests.
 */
#include "experiment_bound.h"
#include "random.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define UNIT         WORKLOAD_GRANULE_BYTES
#define LOW_UNITS    4u /* of memory that all devices reach */
#define ALL_UNITS    8u
#define REQUESTS     6u
#define REQUESTS_MAX 32u
#define SIZE_MAX_U   3u
#define END          (1000u * RUN_SAMPLES) /* of a scene in which samples are taken */

/**
 * struct scene - a trace that is written by hand, or drawn
 * @at:  the time of the next event
 */
struct scene {
        struct workload_machine machine;
        struct workload_mix mix;
        struct trace trace;
        struct trace_request requests[REQUESTS_MAX];
        struct trace_event events[2 * REQUESTS_MAX];
        uint64_t at;
};

static struct range units(uint64_t first, uint64_t count)
{
        return range_of(first * UNIT, count * UNIT);
}

/* Class 0 reaches the low half, class 1 everything, class 2 the middle. */
static void scene_init(struct scene *scene)
{
        *scene = (struct scene){ .machine = { .memory = { units(0, ALL_UNITS) }, .n_memory = 1 } };
        scene->mix.classes[0].window = units(0, LOW_UNITS);
        scene->mix.classes[1].window = RANGE_ALL;
        scene->mix.classes[2].window = units(2, 4);
        scene->mix.n_classes = 3;
        scene->trace = (struct trace){
                .mix = &scene->mix,
                .machine = &scene->machine,
                .capacity_bytes = ALL_UNITS * UNIT,
                .requests = scene->requests,
                .events = scene->events,
        };
}

static uint32_t come(struct scene *scene, uint32_t class, uint64_t n_units)
{
        const uint32_t number = (uint32_t)scene->trace.n_requests++;

        scene->requests[number] = (struct trace_request){ .from_ns = ++scene->at,
                                                          .until_ns = UINT64_MAX,
                                                          .size_bytes = n_units * UNIT,
                                                          .class = class };
        scene->events[scene->trace.n_events++] = (struct trace_event){ number, false };
        return number;
}

static void go(struct scene *scene, uint32_t number)
{
        scene->requests[number].until_ns = ++scene->at;
        scene->events[scene->trace.n_events++] = (struct trace_event){ number, true };
}

/* ---- the bound ------------------------------------------------------------------------------- */

/* Whether what is left of the low requests fits at each moment. */
static bool is_enough(const struct scene *scene, const unsigned *dropped_units)
{
        uint64_t live = 0;

        for (size_t i = 0; i < scene->trace.n_events; i++) {
                const uint32_t number = scene->events[i].request;
                const uint64_t left =
                        scene->requests[number].size_bytes / UNIT - dropped_units[number];

                if (scene->requests[number].class != 0)
                        continue;
                live += scene->events[i].is_end ? -left : left;
                if (live > LOW_UNITS)
                        return false;
        }
        return true;
}

/* The fewest units of the requests from @number on that have to be dropped. */
static unsigned fewest(const struct scene *scene, size_t number, unsigned *dropped)
{
        unsigned best = UINT32_MAX;

        if (number == scene->trace.n_requests)
                return is_enough(scene, dropped) ? 0 : UINT32_MAX;
        for (unsigned d = 0; d <= scene->requests[number].size_bytes / UNIT; d++) {
                unsigned rest;

                dropped[number] = d;
                rest = fewest(scene, number + 1, dropped);
                if (rest != UINT32_MAX && rest + d < best)
                        best = rest + d;
        }
        dropped[number] = 0;
        return best;
}

static void draw(struct scene *scene, struct random *random)
{
        uint32_t living[REQUESTS];
        size_t n_living = 0;

        scene_init(scene);
        while (scene->trace.n_requests < REQUESTS || n_living) {
                if (scene->trace.n_requests < REQUESTS &&
                    (n_living == 0 || random_one_in(random, 2))) {
                        living[n_living++] = come(scene, random_one_in(random, 4) ? 1 : 0,
                                                  1 + random_below(random, SIZE_MAX_U));
                } else {
                        const size_t which = random_below(random, n_living);

                        go(scene, living[which]);
                        living[which] = living[--n_living];
                }
        }
}

static void test_bound_is_the_fewest_bytes(void **state)
{
        struct random random = { .state = 1 };
        size_t over = 0;

        (void)state;
        for (unsigned i = 0; i < 3000; i++) {
                unsigned dropped[REQUESTS_MAX] = { 0 }, expected;
                struct scene scene;
                uint64_t bytes;

                draw(&scene, &random);
                expected = fewest(&scene, 0, dropped);
                assert_int_equal(bound_refused_bytes(&scene.trace, &bytes), 0);
                assert_int_equal(bytes, expected * UNIT);
                over += expected > 0;
        }
        assert_in_range(over, 1000, 2999);
}

/* The same, where a bound for one window is not all there is to say: it is never too high. */
static void test_bound_counts_only_after_warming_up(void **state)
{
        struct scene scene;
        uint64_t bytes;

        (void)state;
        scene_init(&scene);
        come(&scene, 0, 3);
        come(&scene, 0, 3);
        assert_int_equal(bound_refused_bytes(&scene.trace, &bytes), 0);
        assert_int_equal(bytes, 2 * UNIT);
        scene.trace.n_warm = 1;
        assert_int_equal(bound_refused_bytes(&scene.trace, &bytes), 0);
        assert_int_equal(bytes, 0);
}

static void test_bound_sees_windows_between_two_devices(void **state)
{
        struct scene scene;
        uint64_t bytes;

        (void)state;
        /* Four low and four middle units have six units of memory between them. */
        scene_init(&scene);
        come(&scene, 0, 4);
        come(&scene, 2, 4);
        assert_int_equal(bound_refused_bytes(&scene.trace, &bytes), 0);
        assert_int_equal(bytes, 2 * UNIT);
        scene.at = END - 1;
        come(&scene, 1, 1);
        assert_int_equal(bound_unserved(&scene.trace), 250000);
}

static void test_bound_unserved_is_the_excess_of_a_moment(void **state)
{
        struct scene scene;
        uint32_t first;

        (void)state;
        scene_init(&scene);
        first = come(&scene, 0, 6);
        /* Half of the second half is with it, and half without. */
        scene.at = END / 4 * 3 - 1;
        go(&scene, first);
        scene.at = END - 1;
        come(&scene, 1, 1);
        assert_in_range(bound_unserved(&scene.trace), 333333 * 15 / 32, 333333 * 16 / 32);
}

/* ---- the ideal ------------------------------------------------------------------------------- */

/* Numbers of requests that are refused, as bits. */
static uint64_t refused_bytes(const struct scene *scene)
{
        struct run_result result;

        assert_int_equal(ideal_run(&scene->trace, &result), 0);
        return run_total(&scene->trace, result.classes, false).refused_bytes;
}

static void test_ideal_refuses_only_what_the_windows_forbid(void **state)
{
        struct scene scene;
        uint32_t low;

        (void)state;
        scene_init(&scene);
        low = come(&scene, 0, 3);
        come(&scene, 1, 4);
        assert_int_equal(refused_bytes(&scene), 0);
        come(&scene, 0, 2); /* five low units where there are four */
        assert_int_equal(refused_bytes(&scene), 2 * UNIT);
        come(&scene, 1, 2); /* nine in all where there are eight */
        assert_int_equal(refused_bytes(&scene), 4 * UNIT);
        come(&scene, 1, 1);
        assert_int_equal(refused_bytes(&scene), 4 * UNIT);
        go(&scene, low);
        come(&scene, 0, 3);
        assert_int_equal(refused_bytes(&scene), 4 * UNIT);
}

static void test_ideal_sees_windows_that_overlap(void **state)
{
        struct scene scene;

        (void)state;
        scene_init(&scene);
        come(&scene, 0, 3);
        come(&scene, 2, 3); /* six units in six */
        assert_int_equal(refused_bytes(&scene), 0);
        come(&scene, 2, 1);
        assert_int_equal(refused_bytes(&scene), UNIT);
        come(&scene, 1, 2); /* the two units that only it reaches */
        assert_int_equal(refused_bytes(&scene), UNIT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bound_is_the_fewest_bytes),
                cmocka_unit_test(test_bound_counts_only_after_warming_up),
                cmocka_unit_test(test_bound_sees_windows_between_two_devices),
                cmocka_unit_test(test_bound_unserved_is_the_excess_of_a_moment),
                cmocka_unit_test(test_ideal_refuses_only_what_the_windows_forbid),
                cmocka_unit_test(test_ideal_sees_windows_that_overlap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
