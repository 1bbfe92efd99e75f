/* SPDX-License-Identifier: MIT */
/*
 * Bits of slots, against a plain array of who has which.
 *
 *     test_dma_slots [STEPS]      of the random test; default: 100,000
 */
#include "dma_slots.h"

#include "random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AREAS     24
#define DMA       UINT64_C(0x10000000)
#define RUNS_MAX  512
#define SLOTS_MAX ((AREAS + 4) * AREA_SLOTS) /* with the gaps */

static unsigned long steps = 100000;
static char memory[SLOTS_MAX * SLOT_BYTES];

/* Segments of 1 area, of 3 and a bit, of 5 slots, and of 16 areas: with a gap after each. */
static const size_t segments[] = { AREA_BYTES, 3 * AREA_BYTES + 7 * SLOT_BYTES, 5 * SLOT_BYTES,
                                   16 * AREA_BYTES };
#define SEGMENTS (sizeof(segments) / sizeof(segments[0]))

static void begin(struct slots *slots)
{
        size_t at = 0;

        *slots = (struct slots){ .room = AREAS };
        slots->areas = aligned_alloc(64, AREAS * sizeof(struct slot_area));
        assert_non_null(slots->areas);
        for (size_t i = 0; i < AREAS; i++)
                slots->areas[i] = (struct slot_area){ .used = UINT64_MAX };
        for (size_t i = 0; i < SEGMENTS; i++) {
                slots_open(slots, DMA + at, memory + at, segments[i]);
                at += segments[i] + AREA_BYTES;
        }
        assert_int_equal(slots_used(slots), 0);
}

static void end(struct slots *slots)
{
        assert_int_equal(slots_used(slots), 0);
        assert_true(slots_close(slots));
        free(slots->areas);
}

/* Whether bytes lie in one segment. */
static bool in_a_segment(uint64_t dma, size_t bytes)
{
        size_t at = 0;

        for (size_t i = 0; i < SEGMENTS; i++) {
                if (dma >= DMA + at && dma + bytes <= DMA + at + segments[i])
                        return true;
                at += segments[i] + AREA_BYTES;
        }
        return false;
}

/* What was asked for, and what came: a run that is taken. */
struct taken {
        struct slot_run run;
        uint64_t first, count;
};

static struct slot_want want_of(struct random *random)
{
        struct slot_want want = {
                .bytes = 1 + random_below(random, random_one_in(random, 4) ? 6 * AREA_BYTES
                                                                           : 8 * SLOT_BYTES),
                .stride = SLOT_BYTES << random_below(random, 7),
                .hint = random_below(random, 40),
        };

        want.low = random_one_in(random, 2) ? 0 : random_below(random, want.stride);
        return want;
}

static bool is_free(const bool *used, uint64_t first, uint64_t count)
{
        for (uint64_t i = first; i < first + count; i++)
                if (used[i])
                        return false;
        return true;
}

/* Whether there is a run, which has to be found; brute force. */
static bool there_is_one(const bool *used, const struct slot_want *want)
{
        const uint64_t skip = want->low & ~(uint64_t)(SLOT_BYTES - 1);
        const size_t count =
                (size_t)((want->low - skip + want->bytes + SLOT_BYTES - 1) / SLOT_BYTES);
        size_t at = 0;

        for (size_t i = 0; i < SEGMENTS; i++) {
                for (size_t slot = 0; slot + count <= segments[i] / SLOT_BYTES; slot++) {
                        const uint64_t dma = DMA + at + slot * SLOT_BYTES;

                        if (((dma ^ want->low) & (want->stride - 1) & ~(SLOT_BYTES - 1)) == 0 &&
                            is_free(used, (dma - DMA) / SLOT_BYTES, count))
                                return true;
                }
                at += segments[i] + AREA_BYTES;
        }
        return false;
}

static void check_taken(const struct slots *slots, const struct slot_want *want,
                        const struct taken *taken)
{
        const uint64_t dma = slots_dma(slots, taken->run);
        const uint64_t first = dma + (want->low & (SLOT_BYTES - 1));

        assert_int_equal(first & (want->stride - 1), want->low);
        assert_true(in_a_segment(first, want->bytes));
        assert_int_equal(slots_data(slots, taken->run) - memory, dma - DMA);
        assert_true(taken->count * SLOT_BYTES >= want->bytes);
}

static void test_slots_like_an_array(void **state)
{
        static bool used[SLOTS_MAX];
        static struct taken all[RUNS_MAX];
        struct random random = { 7 };
        struct slots slots;
        size_t n = 0, in_use = 0;

        (void)state;
        memset(used, 0, sizeof(used));
        begin(&slots);
        for (unsigned long i = 0; i < steps; i++) {
                const struct slot_want want = want_of(&random);
                struct taken *taken = &all[n];

                if (n < RUNS_MAX && !random_one_in(&random, 3)) {
                        if (!slots_take(&slots, &want, &taken->run)) {
                                assert_false(there_is_one(used, &want));
                                continue;
                        }
                        taken->first = (slots_dma(&slots, taken->run) - DMA) / SLOT_BYTES;
                        taken->count = run_count(taken->run);
                        check_taken(&slots, &want, taken);
                        assert_true(is_free(used, taken->first, taken->count));
                        memset(used + taken->first, true, taken->count);
                        in_use += taken->count;
                        n++;
                } else if (n) {
                        taken = &all[random_below(&random, n)];
                        memset(used + taken->first, false, taken->count);
                        in_use -= taken->count;
                        assert_true(slots_give(&slots, taken->run));
                        assert_false(slots_give(&slots, taken->run));
                        *taken = all[--n];
                }
                assert_int_equal(slots_used(&slots), in_use);
                assert_int_equal(in_use == 0, n == 0);
                if (in_use && random_one_in(&random, 64))
                        assert_false(slots_close(&slots));
        }
        while (n)
                assert_true(slots_give(&slots, all[--n].run));
        end(&slots);
}

/* Large ones come whole, too, and nothing is left of one that does not. */
static void test_slots_over_several_areas(void **state)
{
        const struct slot_want all = { .bytes = 16 * AREA_BYTES, .stride = SLOT_BYTES };
        const struct slot_want one = { .bytes = 1, .stride = SLOT_BYTES };
        struct slot_run run, other;
        struct slots slots;

        (void)state;
        begin(&slots);
        assert_true(slots_take(&slots, &all, &run));
        assert_int_equal(slots_used(&slots), 16 * AREA_SLOTS);
        assert_false(slots_take(&slots, &all, &other));
        assert_true(slots_give(&slots, run));

        /* One slot in the middle of where it would be. */
        other = slot_run(run_area(run) + 7, 13, 1);
        while (slots_take(&slots,
                          &(struct slot_want){
                                  .bytes = 1, .stride = SLOT_BYTES, .hint = run_area(other) },
                          &run) &&
               run.word != other.word)
                ;
        assert_int_equal(run_first(run), 13);
        for (unsigned first = 0; first < 13; first++)
                assert_true(slots_give(&slots, slot_run(run_area(other), first, 1)));
        assert_false(slots_take(&slots, &all, &run));
        assert_int_equal(slots_used(&slots), 1);
        assert_true(slots_give(&slots, other));
        assert_true(slots_take(&slots, &one, &run));
        assert_true(slots_give(&slots, run));
        end(&slots);
}

/* ---- threads -------------------------------------------------------------------------------- */

struct shared {
        struct slots slots;
        atomic_uint closed;
};

/* Whoever has slots is alone in them; now and then all are closed, and opened anew. */
static void *take_and_give(void *data)
{
        struct shared *shared = data;
        struct random random = { (uint64_t)(uintptr_t)&random };
        struct slot_run run;

        for (unsigned i = 0; i < 20000; i++) {
                struct slot_want want = want_of(&random);
                unsigned char *at;

                want.bytes = want.bytes % (2 * AREA_BYTES) + 1;
                if (!slots_take(&shared->slots, &want, &run))
                        continue;
                at = (unsigned char *)slots_data(&shared->slots, run);
                for (size_t slot = 0; slot < run_count(run); slot++)
                        at[slot * SLOT_BYTES]++;
                for (size_t slot = 0; slot < run_count(run); slot++)
                        assert_int_equal(at[slot * SLOT_BYTES]--, 1);
                assert_true(slots_give(&shared->slots, run));
                if (i % 64 == 0 && !atomic_exchange(&shared->closed, 1)) {
                        if (slots_close(&shared->slots)) {
                                slots_open(&shared->slots, DMA, memory, 20 * AREA_BYTES);
                        }
                        atomic_store(&shared->closed, 0);
                }
        }
        return NULL;
}

static void test_slots_of_several_threads(void **state)
{
        static struct shared shared;
        pthread_t threads[4];

        (void)state;
        memset(memory, 0, sizeof(memory));
        begin(&shared.slots);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &shared), 0);
        for (size_t i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
        end(&shared.slots);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_slots_like_an_array),
                cmocka_unit_test(test_slots_over_several_areas),
                cmocka_unit_test(test_slots_of_several_threads),
        };

        if (argc > 1)
                steps = strtoul(argv[1], NULL, 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
