/* SPDX-License-Identifier: MIT */
/*
 * What placement.h says of its cost, held in nodes that are looked into. A hundred thousand runs
 * make up whatever it should not depend on.
 */
#include "macros.h"
#include "placement.h"
#include "result.h"

#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#define K          KiB
#define GRANULE    (4 * KiB)
#define STEP       (64 * KiB)
#define RUNS       100000u
#define SPACES     8u
#define ANY        RANGE_ALL
#define FRAGMENTED PAR_REFUSED_FRAGMENTED

struct memory {
        struct space *space[SPACES];
        size_t count, visits;
};

static void add(struct memory *memory, size_t space, uint64_t first, uint64_t bytes)
{
        assert_int_equal(space_add(memory->space[space], range_of(first, bytes)), 0);
}

static void memory_init(struct memory *memory, size_t n_spaces)
{
        memory->count = n_spaces;
        for (size_t i = 0; i < n_spaces; i++)
                assert_int_equal(space_new(GRANULE, &memory->space[i]), 0);
}

static void memory_deinit(struct memory *memory)
{
        for (size_t i = 0; i < memory->count; i++)
                space_free(memory->space[i]);
}

static const struct space *const *spaces_of(const struct memory *memory)
{
        return (const struct space *const *)memory->space;
}

/* What is looked into from now on. */
static void count_visits(struct memory *memory)
{
        memory->visits = 0;
        for (size_t i = 0; i < memory->count; i++)
                space_count_visits(memory->space[i], &memory->visits);
}

/* So many questions, to whichever space they are hardest for. */
static size_t questions(const struct memory *memory, size_t n)
{
        size_t most = 0;

        for (size_t i = 0; i < memory->count; i++) {
                const size_t visits = space_visits_max(memory->space[i]);

                most = visits > most ? visits : most;
        }
        return n * most;
}

/* One run in each step, of one to three granules; every thousandth of 32 KiB. */
static uint64_t run_bytes_at(size_t i)
{
        return i % 1000 == 500 ? 32 * KiB : (1 + i % 3) * GRANULE;
}

static void find(struct memory *memory, struct constraint want, int result, size_t n_questions)
{
        struct range place;

        count_visits(memory);
        assert_int_equal(placement_find(spaces_of(memory), memory->count, &want, &place), result);
        assert_in_range(memory->visits, 1, questions(memory, n_questions));
}

static void scatter(struct memory *memory, struct constraint want, int result, size_t n_questions)
{
        struct range *places = NULL;
        size_t count;

        count_visits(memory);
        assert_int_equal(placement_find_scattered(spaces_of(memory), memory->count, GRANULE, &want,
                                                  &places, &count),
                         result);
        assert_in_range(memory->visits, 1, questions(memory, n_questions));
        free(places);
}

/* A search that fails also asks how much is free. */
static void test_placement_cost_of_one_space(void **state)
{
        struct memory memory;

        (void)state;
        memory_init(&memory, 1);
        for (size_t i = 0; i < RUNS; i++)
                add(&memory, 0, i * STEP + GRANULE, run_bytes_at(i));
        find(&memory, (struct constraint){ ANY, 12 * K, 1, 0, 0, 1 }, 0, 1);
        find(&memory, (struct constraint){ ANY, 32 * K, 1, 0, 0, 1 }, 0, 1);
        find(&memory, (struct constraint){ ANY, 36 * K, 1, 0, 0, 1 }, FRAGMENTED, 2);
        find(&memory, (struct constraint){ ANY, 12 * K, 8 * K, 0, 0, 1 }, 0, 1);
        find(&memory, (struct constraint){ ANY, 4 * K, 64 * K, 0, 0, 1 }, FRAGMENTED, 2);
        find(&memory, (struct constraint){ { STEP, 1000 * STEP - 1 }, 36 * K, 1, 0, 0, 1 },
             FRAGMENTED, 2);
        memory_deinit(&memory);
}

/* Runs of 24 KiB, 12 on either side of a boundary. */
static void test_placement_cost_of_boundaries(void **state)
{
        struct memory memory;

        (void)state;
        memory_init(&memory, 1);
        for (size_t i = 1; i <= RUNS; i++)
                add(&memory, 0, i * STEP - 12 * KiB, 24 * KiB);
        /* There is room beside it, but not here: each run is tried. */
        find(&memory, (struct constraint){ ANY, 16 * K, 1, 64 * K, 0, 1 }, FRAGMENTED, RUNS + 3);
        find(&memory, (struct constraint){ ANY, 12 * K, 1, 64 * K, 0, 1 }, 0, 2);
        /* Only multiples of 32 KiB will do, or of 8. */
        find(&memory, (struct constraint){ ANY, 20 * K, 16 * K, 32 * K, 0, 1 }, FRAGMENTED, 2);
        find(&memory, (struct constraint){ ANY, 16 * K, 4 * K, 8 * K, 0, 2 }, 0, 1);
        find(&memory, (struct constraint){ ANY, 24 * K, 4 * K, 8 * K, 0, 3 }, FRAGMENTED, 2);
        memory_deinit(&memory);
}

/* A run of one space in each step, as the spaces of nodes lie one behind the other. */
static void test_placement_cost_of_spaces_apart(void **state)
{
        struct memory memory;

        (void)state;
        memory_init(&memory, SPACES);
        for (size_t i = 0; i < RUNS; i++)
                add(&memory, i / (RUNS / SPACES), i * STEP, run_bytes_at(i));
        find(&memory, (struct constraint){ ANY, 12 * K, 1, 0, 0, 1 }, 0, 4 * SPACES);
        find(&memory, (struct constraint){ ANY, 36 * K, 1, 0, 0, 1 }, FRAGMENTED, 6 * SPACES);
        scatter(&memory, (struct constraint){ ANY, 36 * K, 1, 0, 0, 2 }, 0, 20 * SPACES);
        memory_deinit(&memory);
}

/* Two small spaces of a hundred runs each in what a large one leaves. */
static void test_placement_cost_of_small_spaces(void **state)
{
        const size_t small = 100;
        struct memory memory;

        (void)state;
        memory_init(&memory, 3);
        for (size_t i = 0; i < RUNS; i++)
                add(&memory, 0, i * STEP, run_bytes_at(i));
        for (size_t i = 0; i < 2 * small; i++)
                add(&memory, 1 + i % 2, (500 * i + 1) * STEP - GRANULE, GRANULE);
        find(&memory, (struct constraint){ ANY, 40 * K, 1, 0, 0, 1 }, FRAGMENTED,
             5 * 2 * small + 5 * 3);
        memory_deinit(&memory);
}

/* As much as is taken, a few questions each, and no more segments than are allowed. */
static void test_placement_cost_of_segments(void **state)
{
        const size_t each = 10;
        struct memory memory;

        (void)state;
        memory_init(&memory, 1);
        for (size_t i = 0; i < RUNS; i++)
                add(&memory, 0, i * STEP + GRANULE, run_bytes_at(i));
        scatter(&memory, (struct constraint){ ANY, 320 * K, 1, 0, 0, SEGMENTS_ANY }, 0, 10 * each);
        scatter(&memory, (struct constraint){ ANY, 320 * K, 1, 0, 0, 10 }, 0, 10 * each);
        scatter(&memory, (struct constraint){ ANY, 320 * K, 1, 0, 0, 9 }, FRAGMENTED, each);
        scatter(&memory, (struct constraint){ ANY, 320 * K, 1, 0, 32 * K, SEGMENTS_ANY }, 0,
                10 * each);
        scatter(&memory, (struct constraint){ ANY, 3300 * K, 1, 0, 0, 108 }, FRAGMENTED,
                108 * each);
        scatter(&memory, (struct constraint){ ANY, 320 * K, 1, 64 * K, 16 * K, 20 }, 0, 20 * each);
        memory_deinit(&memory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_placement_cost_of_one_space),
                cmocka_unit_test(test_placement_cost_of_boundaries),
                cmocka_unit_test(test_placement_cost_of_spaces_apart),
                cmocka_unit_test(test_placement_cost_of_small_spaces),
                cmocka_unit_test(test_placement_cost_of_segments),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
