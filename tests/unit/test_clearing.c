/* SPDX-License-Identifier: MIT */
#include "clearing.h"
#include "macros.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define GRANULE  (4 * KiB)
#define GRANULES 48u

/* Memory, a granule a character: '.' there is none, 'x' taken, '-' free. */
struct memory {
        char text[GRANULES + 1];
        struct space *all, *free;
};

static void add_runs(struct space *space, const char *text, const char *what)
{
        uint64_t at = 0;

        while (text[at]) {
                const size_t length = strspn(text + at, what);

                if (length)
                        assert_int_equal(space_add(space, range_of(at * GRANULE, length * GRANULE)),
                                         0);
                at += length ? length : 1;
        }
}

static void memory_init(struct memory *memory, const char *text)
{
        strcpy(memory->text, text);
        assert_int_equal(space_new(GRANULE, &memory->all), 0);
        assert_int_equal(space_new(GRANULE, &memory->free), 0);
        add_runs(memory->all, text, "x-");
        add_runs(memory->free, text, "-");
}

static void memory_deinit(struct memory *memory)
{
        space_free(memory->all);
        space_free(memory->free);
}

static bool find(const struct memory *memory, const struct constraint *want, struct clearing *ret)
{
        const struct clearing_ground ground = {
                .all = (const struct space *const *)&memory->all,
                .free = (const struct space *const *)&memory->free,
                .n_all = 1,
                .n_free = 1,
        };

        return clearing_find(&ground, want, ret);
}

static const struct {
        const char *name, *memory;
        uint64_t size, align, boundary; /* granules */
        bool found;
        uint64_t first, taken;
} cases[] = {
        { "what is free already", "xx---xx", 3, 1, 0, true, 2, 0 },
        { "beside the longest run, where it is nearly enough", "--xx---x", 4, 1, 0, true, 4, 1 },
        { "over several short runs", "-x-x-xxxx--xxxx", 5, 1, 0, true, 0, 2 },
        { "not where there is no memory", "---.---.xxxx", 4, 1, 0, true, 8, 4 },
        { "no such place", "---.---.xxx", 4, 1, 0, false, 0, 0 },
        { "only where it begins aligned", "xx--xxxx", 4, 4, 0, true, 0, 2 },
        { "not over a boundary", "x-x--xxx-xxx", 3, 1, 4, true, 1, 1 },
};

static void test_clearing_cases(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct constraint want = {
                        .window = RANGE_ALL,
                        .size_bytes = cases[i].size * GRANULE,
                        .align_bytes = cases[i].align * GRANULE,
                        .boundary_bytes = cases[i].boundary * GRANULE,
                        .max_segments = 1,
                };
                struct clearing clearing = { 0 };
                struct memory memory;
                bool found;

                memory_init(&memory, cases[i].memory);
                found = find(&memory, &want, &clearing);
                if (found != cases[i].found || clearing.place.first != cases[i].first * GRANULE ||
                    clearing.taken_bytes != cases[i].taken * GRANULE || clearing.least != found)
                        fail_msg("%s: at granule %llu, %llu taken", cases[i].name,
                                 (unsigned long long)(clearing.place.first / GRANULE),
                                 (unsigned long long)(clearing.taken_bytes / GRANULE));
                memory_deinit(&memory);
        }
}

/* Granules in the way at a place; GRANULES + 1 where it is not all memory. */
static unsigned in_the_way(const char *text, size_t first, size_t size)
{
        unsigned taken = 0;

        for (size_t i = first; i < first + size; i++) {
                if (text[i] == '.')
                        return GRANULES + 1;
                taken += text[i] == 'x';
        }
        return taken;
}

static unsigned least_of_all(const char *text, size_t size, size_t align)
{
        unsigned least = GRANULES + 1;

        for (size_t at = 0; at + size <= strlen(text); at += align) {
                const unsigned taken = in_the_way(text, at, size);

                least = taken < least ? taken : least;
        }
        return least;
}

static void test_clearing_is_the_least(void **state)
{
        (void)state;
        srandom(1);
        for (unsigned round = 0; round < 5000; round++) {
                const size_t size = 1 + (size_t)random() % 12, align = 1u << random() % 3;
                const struct constraint want = {
                        .window = RANGE_ALL,
                        .size_bytes = size * GRANULE,
                        .align_bytes = align * GRANULE,
                        .max_segments = 1,
                };
                char text[GRANULES + 1] = "";
                struct clearing clearing;
                struct memory memory;
                unsigned least;

                for (unsigned i = 0; i < GRANULES; i++)
                        text[i] = ".xxxx----x-x-x-x-x-x-x-x-"[random() % 25];
                memory_init(&memory, text);
                least = least_of_all(text, size, align);
                assert_int_equal(find(&memory, &want, &clearing), least <= GRANULES);
                if (least <= GRANULES) {
                        const size_t first = clearing.place.first / GRANULE;

                        assert_true(clearing.least);
                        assert_int_equal(clearing.taken_bytes, least * GRANULE);
                        assert_int_equal(first % align, 0);
                        assert_int_equal(in_the_way(text, first, size), least);
                }
                memory_deinit(&memory);
        }
}

/* Every other granule is free, so one place is as good as any, but that takes long to know. */
static void test_clearing_ends(void **state)
{
        const unsigned n = 1 << 16;
        const struct constraint want = {
                .window = RANGE_ALL,
                .size_bytes = 64 * GRANULE,
                .align_bytes = GRANULE,
                .max_segments = 1,
        };
        struct memory memory = { .text = "" };
        struct clearing clearing;
        size_t visits = 0, most;

        (void)state;
        memory_init(&memory, "");
        assert_int_equal(space_add(memory.all, range_of(0, n * GRANULE)), 0);
        for (unsigned i = 0; i < n; i += 2)
                assert_int_equal(space_add(memory.free, range_of(i * GRANULE, GRANULE)), 0);
        space_count_visits(memory.free, &visits);
        assert_true(find(&memory, &want, &clearing));
        assert_int_equal(clearing.taken_bytes, 32 * GRANULE);
        assert_false(clearing.least);
        /* Each step asks how much is free at a place and in two halves of a window. */
        most = (3 * CLEARING_STEPS_MAX + 1) * 4 * space_visits_max(memory.free);
        assert_in_range(visits, 1, most);
        memory_deinit(&memory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_clearing_cases),
                cmocka_unit_test(test_clearing_is_the_least),
                cmocka_unit_test(test_clearing_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
