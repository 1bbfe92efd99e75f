/* SPDX-License-Identifier: MIT */
/*
 * Which pages are chosen where a pool wants runs: as pictures, and against what must hold for any
 * picture.
 */
#include "runs.h"

#include "macros.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define PAGE       (2 * MiB)
#define PLACES     64
#define BASE       (4 * GiB)
#define PAGE_AT(i) (BASE + (i)*PAGE)

/* Pictures: a character a page, ascending. "f": could be had, "o": the pool's own, ".": neither. */
static const struct {
        const char *name, *machine;
        size_t run, count;
        const char *chosen; /* "x" */
} choose_cases[] = {
        { "nothing there", "....", 0, 4, "...." },
        { "nothing wanted", "ffff", 0, 0, "...." },
        { "any will do", "f.f.f", 0, 5, "x.x.x" },
        { "no more than wanted", "f.f.f", 0, 2, "..x.x" },
        { "alone is no run of two", "f.f.f", 2, 5, "....." },
        { "a run of just that length", "f.ff.f", 2, 6, "..xx.." },
        { "one page too short", "fff.", 4, 4, "...." },
        { "the longest first", "ff.fffff.fff", 2, 5, "...xxxxx...." },
        { "the upper end of a run that is too long", "ffffffff", 4, 5, "...xxxxx" },
        { "wanted is less than a run", "ffffffff", 4, 3, "........" },
        { "one page makes the pool's run long enough", "ooof....ffff", 4, 1, "...x........" },
        { "what lengthens a run comes before a longer one", "of....ffffff", 2, 3, ".x........xx" },
        { "a gap in the pool's run is closed", "oofoo", 5, 1, "..x.." },
        { "from below as well", "ffoo", 3, 1, ".x.." },
        { "above before below", "ffooff", 4, 2, "....xx" },
        { "what is left of the wish goes below", "ffoof", 4, 2, ".x..x" },
        { "the pool's own short run does not count for others", "oo..ff", 4, 4, "......" },
        { "with the pool's it is still too short", "of..", 3, 2, "...." },
        { "after a run that took too much nothing fits", "ffff.fff", 4, 6, "xxxx...." },
        { "two runs", "ffff.fff", 3, 7, "xxxx.xxx" },
        { "two runs, the second in part", "ffff.ffff", 3, 7, ".xxx.xxxx" },
        { "around the first of the pool's frames", "fofof", 3, 1, "..x.." },
};

static void read_machine(const char *machine, struct addresses *pages, struct addresses *own)
{
        for (size_t i = 0; machine[i]; i++) {
                if (machine[i] == 'f')
                        assert_int_equal(addresses_add(pages, PAGE_AT(i)), 0);
                if (machine[i] == 'o')
                        assert_int_equal(addresses_add(own, PAGE_AT(i)), 0);
        }
}

static void choose(const char *machine, size_t run, size_t count, char *ret)
{
        const struct runs_wish wish = { PAGE, run * PAGE, count };
        struct addresses pages = { 0 }, own = { 0 }, chosen = { 0 };

        read_machine(machine, &pages, &own);
        assert_int_equal(runs_choose(&wish, &pages, &own, &chosen), 0);
        memset(ret, '.', strlen(machine));
        ret[strlen(machine)] = '\0';
        for (size_t i = 0; i < chosen.n; i++) {
                if (i)
                        assert_true(chosen.at[i - 1] < chosen.at[i]);
                assert_true(addresses_have(&pages, chosen.at[i]));
                ret[(chosen.at[i] - BASE) / PAGE] = 'x';
        }
        addresses_deinit(&pages);
        addresses_deinit(&own);
        addresses_deinit(&chosen);
}

static void test_runs_choose(void **state)
{
        char chosen[PLACES + 1];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(choose_cases); i++) {
                choose(choose_cases[i].machine, choose_cases[i].run, choose_cases[i].count, chosen);
                if (strcmp(chosen, choose_cases[i].chosen) != 0)
                        fail_msg("%s: %s gives %s, not %s", choose_cases[i].name,
                                 choose_cases[i].machine, chosen, choose_cases[i].chosen);
        }
}

/* Each page that is chosen lies in a run of chosen and own ones that is long enough. */
static bool runs_are_long(const char *machine, const char *chosen, size_t run)
{
        size_t n = strlen(machine), length = 0;
        bool has_chosen = false;

        for (size_t i = 0; i <= n; i++) {
                if (i < n && (machine[i] == 'o' || chosen[i] == 'x')) {
                        has_chosen |= chosen[i] == 'x';
                        length++;
                        continue;
                }
                if (has_chosen && length < run)
                        return false;
                has_chosen = false;
                length = 0;
        }
        return true;
}

static size_t count_of(const char *text, char what)
{
        size_t n = 0;

        for (; *text; text++)
                n += *text == what;
        return n;
}

/* Whether any run of free and own pages could have given something. */
static bool something_fits(const char *machine, size_t run, size_t count)
{
        size_t n = strlen(machine), length = 0, free = 0;

        for (size_t i = 0; i <= n; i++) {
                if (i < n && machine[i] != '.') {
                        length++;
                        free += machine[i] == 'f';
                        continue;
                }
                if (free && free <= count && length >= run)
                        return true;
                length = free = 0;
        }
        return false;
}

static void test_runs_hold_for_any_machine(void **state)
{
        static const char kinds[] = "fffo.";
        char machine[PLACES + 1], chosen[PLACES + 1];

        (void)state;
        for (uint64_t seed = 1; seed <= 20000; seed++) {
                struct random random = { seed };
                size_t n, run, count;

                n = 1 + random_below(&random, PLACES);
                run = random_below(&random, 9);
                count = random_below(&random, 40);
                for (size_t i = 0; i < n; i++)
                        machine[i] = kinds[random_below(&random, sizeof(kinds) - 1)];
                machine[n] = '\0';

                choose(machine, run, count, chosen);
                if (!runs_are_long(machine, chosen, run) || count_of(chosen, 'x') > count ||
                    (!count_of(chosen, 'x') && something_fits(machine, run, count)))
                        fail_msg("seed %ju: %s, run %zu, count %zu: %s", (uintmax_t)seed, machine,
                                 run, count, chosen);
                if (!run &&
                    count_of(chosen, 'x') !=
                            (count < count_of(machine, 'f') ? count : count_of(machine, 'f')))
                        fail_msg("seed %ju: %s, count %zu: %s", (uintmax_t)seed, machine, count,
                                 chosen);
        }
}

static void test_addresses(void **state)
{
        struct addresses addresses = { 0 };

        (void)state;
        assert_false(addresses_have(&addresses, 0));
        addresses_sort(&addresses);
        for (uint64_t i = 0; i < 1000; i++)
                assert_int_equal(addresses_add(&addresses, i * 7 % 1000), 0);
        addresses_sort(&addresses);
        for (uint64_t i = 0; i < 1000; i++) {
                assert_int_equal(addresses.at[i], i);
                assert_true(addresses_have(&addresses, i));
        }
        assert_false(addresses_have(&addresses, 1000));
        addresses_deinit(&addresses);
        assert_int_equal(addresses.n, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_runs_choose),
                cmocka_unit_test(test_runs_hold_for_any_machine),
                cmocka_unit_test(test_addresses),
        };

        return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
