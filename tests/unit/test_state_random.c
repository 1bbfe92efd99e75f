/* SPDX-License-Identifier: MIT */
/*
 * Random lives (see lives.h) from a few fixed seeds.
 */
#include "lives.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEEDS 12
#define STEPS 20000

static bool xorshift(void *data, uint64_t *ret)
{
        uint64_t *state = data;

        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *ret = *state >> 11;
        return true;
}

static void test_random_lives(void **unused)
{
        const uint64_t seeds = getenv("PAR_UNDER_VALGRIND") ? 2 : SEEDS;
        const char *only = getenv("PAR_TEST_SEED");

        (void)unused;
        for (uint64_t seed = 1; seed <= seeds; seed++) {
                uint64_t random_state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
                struct lives lives = { .next = xorshift, .data = &random_state };

                if (only && strtoull(only, NULL, 0) != seed)
                        continue;
                print_message("seed %u: ", (unsigned)seed);
                lives_run(&lives, STEPS);
                print_message("%u grants, %u refusals\n", lives.grants, lives.refusals);
                assert_true(lives.grants > STEPS / 20 && lives.refusals > 10);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_lives) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
