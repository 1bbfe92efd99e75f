/* SPDX-License-Identifier: MIT */
/* Whose turn it is, and which ranges overlap: against a brute force of all bytes. */
#include "debug_ranges.h"
#include "debug_turn.h"

#include "macros.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES  128
#define ROUNDS 20000

static bool all_are(const bool *mine, size_t first, size_t last, bool what)
{
        for (size_t i = first; i <= last; i++)
                if (mine[i] != what)
                        return false;
        return true;
}

static void set(bool *mine, size_t first, size_t last, bool what)
{
        memset(mine + first, what, last - first + 1);
}

/* Takes and gives of random parts: each answer is the right one while it is sure, and a mistake is
 * never seen where there is none. */
static void test_turn_of_any_bytes(void **state)
{
        struct turn turn = { 0 };
        bool mine[BYTES] = { false };
        struct random random = { 1 };
        unsigned unsure = 0;

        (void)state;
        for (unsigned i = 0; i < ROUNDS; i++) {
                const size_t first = random_below(&random, BYTES);
                const size_t most = random_one_in(&random, 60) ? BYTES - first : 2;
                const size_t last =
                        first + random_below(&random, most < BYTES - first ? most : BYTES - first);
                const bool take = random_one_in(&random, 2);
                const bool all = !first && last == BYTES - 1;
                const bool sound = !all_are(mine, first, last, take);
                bool said =
                        take ? turn_take(&turn, first, last) : turn_give(&turn, first, last, all);

                set(mine, first, last, take);
                if (turn.unsure) {
                        unsure++;
                        assert_true(said || !sound);
                        if (random_one_in(&random, 8)) {
                                turn_give(&turn, 0, BYTES - 1, true);
                                set(mine, 0, BYTES - 1, false);
                        }
                } else {
                        assert_int_equal(said, sound);
                }
                assert_true(turn.unsure ||
                            turn_is_devices(&turn) == all_are(mine, 0, BYTES - 1, false));
        }
        assert_true(unsure > 0);
}

static void test_turn_without_room_is_not_judged(void **state)
{
        struct turn turn = { 0 };

        (void)state;
        for (size_t i = 0; i < TURN_RANGES_MAX; i++)
                assert_true(turn_take(&turn, 2 * i, 2 * i));
        assert_false(turn.unsure);
        assert_true(turn_take(&turn, 1000, 1000));
        assert_true(turn.unsure);
        assert_true(turn_give(&turn, 2000, 2000, false));
        assert_true(turn_give(&turn, 0, 5000, true));
        assert_true(turn_is_devices(&turn));
        assert_false(turn_give(&turn, 0, 5000, true));
}

/* ---- ranges --------------------------------------------------------------------------------- */

#define RANGES 200

static bool overlaps_any(const struct debug_range *ranges, const bool *there, uintptr_t first,
                         uintptr_t last)
{
        for (unsigned i = 0; i < RANGES; i++)
                if (there[i] && ranges[i].first <= last && ranges[i].last >= first)
                        return true;
        return false;
}

static void test_ranges_find_what_overlaps(void **state)
{
        static struct debug_range ranges[RANGES];
        static bool there[RANGES];
        struct debug_ranges tree;
        struct random random = { 1 };
        unsigned found = 0;

        (void)state;
        debug_ranges_init(&tree);
        for (unsigned i = 0; i < ROUNDS; i++) {
                const unsigned which = (unsigned)random_below(&random, RANGES);
                const uintptr_t first = random_below(&random, 100000);
                const uintptr_t last =
                        first + random_below(&random, random_one_in(&random, 10) ? 10000 : 50);
                const struct debug_range *range;

                if (there[which]) {
                        debug_ranges_remove(&tree, &ranges[which]);
                } else {
                        ranges[which].first = first;
                        ranges[which].last = last;
                        debug_ranges_insert(&tree, &ranges[which]);
                }
                there[which] = !there[which];
                range = debug_ranges_find(&tree, first + 25, last + 25);
                assert_int_equal(range != NULL, overlaps_any(ranges, there, first + 25, last + 25));
                assert_true(!range || (range->first <= last + 25 && range->last >= first + 25));
                found += range != NULL;
        }
        assert_true(found > ROUNDS / 10 && found < ROUNDS - ROUNDS / 10);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_turn_of_any_bytes),
                cmocka_unit_test(test_turn_without_room_is_not_judged),
                cmocka_unit_test(test_ranges_find_what_overlaps),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
