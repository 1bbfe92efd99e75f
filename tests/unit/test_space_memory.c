/* SPDX-License-Identifier: MIT */
/*
 * What a space asks of the heap: how much, that nothing changes without it, and that what is held
 * does not need it.
 */
#include "heap.h"
#include "macros.h"
#include "space.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pieces.h"

#define GRANULE    (4 * KiB)
#define TOP(bytes) (UINT64_MAX - (bytes) + 1)

/* ---- what is held does not fail ------------------------------------------------------------- */

#define OPS_MAX 12

/**
 * struct op - a step of a table
 * @what:  '+' add, '-' remove, '0' clear: without any memory; 'h' hold, 'r' release, and 'a' add,
 *         'd' remove, as long as there is some
 * @grain: of 'h' and 'r'
 */
struct op {
        char what;
        struct piece at;
        uint64_t grain;
};

static const struct {
        const char *name;
        uint64_t granule;
        struct op ops[OPS_MAX];
} held_cases[] = {
        { "granules in an empty space",
          GRANULE,
          { { 'h', { 0, GiB }, GRANULE },
            { '+', { 4 * KiB, 4 * KiB }, 0 },
            { '+', { 512 * MiB - 4 * KiB, 12 * KiB }, 0 },
            { '-', { 512 * MiB, 4 * KiB }, 0 },
            { '+', { 512 * MiB, 4 * KiB }, 0 },
            { '0', { 0, GiB }, 0 },
            { '+', { 0, GiB }, 0 },
            { '-', { GiB - 4 * KiB, 4 * KiB }, 0 },
            { '0', { 0, GiB }, 0 },
            { 'r', { 0, GiB }, GRANULE } } },
        { "pages of 2 MiB",
          GRANULE,
          { { 'h', { 0, 64 * GiB }, 2 * MiB },
            { '+', { 2 * MiB, 4 * MiB }, 0 },
            { '+', { 62 * GiB, 2 * MiB }, 0 },
            { '+', { 6 * MiB, 62 * GiB - 6 * MiB }, 0 },
            { '-', { 32 * GiB, 2 * MiB }, 0 },
            { '0', { 30 * GiB, 8 * GiB }, 0 },
            { 'r', { 0, 64 * GiB }, 2 * MiB } } },
        { "pages in what is there",
          GRANULE,
          { { 'a', { 0, 64 * GiB }, 0 },
            { 'h', { 4 * GiB, GiB }, 2 * MiB },
            { '-', { 4 * GiB, 2 * MiB }, 0 },
            { '-', { 4 * GiB + 4 * MiB, 2 * MiB }, 0 },
            { '+', { 4 * GiB, 2 * MiB }, 0 },
            { '+', { 4 * GiB + 4 * MiB, 2 * MiB }, 0 },
            { '-', { 4 * GiB, GiB }, 0 },
            { '+', { 5 * GiB - 2 * MiB, 2 * MiB }, 0 },
            { 'r', { 4 * GiB, GiB }, 2 * MiB } } },
        { "the inner one outlives the outer",
          GRANULE,
          { { 'h', { 0, GiB }, 2 * MiB },
            { 'h', { 4 * MiB, 2 * MiB }, GRANULE },
            { '+', { 0, GiB }, 0 },
            { 'r', { 0, GiB }, 2 * MiB },
            { '-', { 4 * MiB + 8 * KiB, 4 * KiB }, 0 },
            { '-', { 6 * MiB - 4 * KiB, 4 * KiB }, 0 },
            { '0', { 4 * MiB, 2 * MiB }, 0 },
            { '+', { 4 * MiB + 8 * KiB, 4 * KiB }, 0 },
            { 'r', { 4 * MiB, 2 * MiB }, GRANULE } } },
        { "the outer one outlives the inner",
          GRANULE,
          { { 'h', { 4 * MiB, 2 * MiB }, GRANULE },
            { 'h', { 0, GiB }, 2 * MiB },
            { '+', { 0, GiB }, 0 },
            { '-', { 4 * MiB, 4 * KiB }, 0 },
            { '+', { 4 * MiB, 4 * KiB }, 0 },
            { 'r', { 4 * MiB, 2 * MiB }, GRANULE },
            { '-', { 4 * MiB, 2 * MiB }, 0 },
            { '-', { GiB - 2 * MiB, 2 * MiB }, 0 },
            { 'r', { 0, GiB }, 2 * MiB } } },
        { "two that overlap",
          GRANULE,
          { { 'h', { 0, 8 * MiB }, GRANULE },
            { 'h', { 4 * MiB, 8 * MiB }, GRANULE },
            { 'r', { 0, 8 * MiB }, GRANULE },
            { '+', { 4 * MiB, 4 * KiB }, 0 },
            { '+', { 5 * MiB, 64 * KiB }, 0 },
            { '+', { 12 * MiB - 4 * KiB, 4 * KiB }, 0 },
            { '0', { 4 * MiB, 8 * MiB }, 0 },
            { 'r', { 4 * MiB, 8 * MiB }, GRANULE } } },
        { "held twice, released once",
          GRANULE,
          { { 'h', { 0, GiB }, 64 * KiB },
            { 'h', { 0, GiB }, 64 * KiB },
            { 'r', { 0, GiB }, 64 * KiB },
            { '+', { 64 * KiB, 64 * KiB }, 0 },
            { '+', { 512 * MiB, 64 * KiB }, 0 },
            { '-', { 64 * KiB, 64 * KiB }, 0 },
            { 'r', { 0, GiB }, 64 * KiB } } },
        { "the tree grows and shrinks meanwhile",
          GRANULE,
          { { 'h', { 16 * MiB, 16 * MiB }, 16 * MiB },
            { 'h', { GiB, 2 * MiB }, GRANULE },
            { 'a', { UINT64_C(1) << 57, GiB }, 0 },
            { '+', { GiB + 4 * KiB, 4 * KiB }, 0 },
            { 'a', { 0, 4 * KiB }, 0 },
            { 'd', { UINT64_C(1) << 57, GiB }, 0 },
            { '+', { 16 * MiB, 16 * MiB }, 0 },
            { '-', { GiB + 4 * KiB, 4 * KiB }, 0 },
            { 'd', { 0, 4 * KiB }, 0 },
            { '-', { 16 * MiB, 16 * MiB }, 0 },
            { 'r', { 16 * MiB, 16 * MiB }, 16 * MiB },
            { 'r', { GiB, 2 * MiB }, GRANULE } } },
        { "all of it at once, in between",
          GRANULE,
          { { 'h', { GiB, 4 * MiB }, GRANULE },
            { 'a', { 0, 64 * GiB }, 0 },
            { '-', { GiB + 4 * KiB, 4 * KiB }, 0 },
            { '+', { GiB + 4 * KiB, 4 * KiB }, 0 },
            { 'd', { 0, 64 * GiB }, 0 },
            { '+', { GiB + 8 * KiB, 4 * KiB }, 0 },
            { '+', { GiB + 2 * MiB, 4 * KiB }, 0 },
            { 'd', { GiB + 8 * KiB, 4 * KiB }, 0 },
            { '0', { GiB, 4 * MiB }, 0 },
            { 'r', { GiB, 4 * MiB }, GRANULE } } },
        { "at the end of the 64-bit range",
          GRANULE,
          { { 'h', { TOP(16 * MiB), 16 * MiB }, GRANULE },
            { '+', { TOP(4 * KiB), 4 * KiB }, 0 },
            { '+', { TOP(16 * MiB), 4 * KiB }, 0 },
            { '+', { TOP(8 * MiB), 64 * KiB }, 0 },
            { '0', { TOP(16 * MiB), 16 * MiB }, 0 },
            { 'r', { TOP(16 * MiB), 16 * MiB }, GRANULE } } },
        { "huge granules and a huge grain",
          GiB,
          { { 'h', { 0, UINT64_C(1) << 63 }, UINT64_C(1) << 59 },
            { '+', { UINT64_C(1) << 59, UINT64_C(1) << 59 }, 0 },
            { '+', { UINT64_C(1) << 62, UINT64_C(1) << 62 }, 0 },
            { '-', { UINT64_C(5) << 60, UINT64_C(1) << 59 }, 0 },
            { '0', { 0, UINT64_C(1) << 63 }, 0 },
            { 'r', { 0, UINT64_C(1) << 63 }, UINT64_C(1) << 59 } } },
};

static int apply(struct space *space, const struct op *op)
{
        const struct range range = range_of(op->at.first, op->at.bytes);

        switch (op->what) {
        case 'a':
        case '+': return space_add(space, range);
        case 'd':
        case '-': return space_remove(space, range);
        case '0': return space_clear(space, range);
        case 'h': return space_hold(space, range, op->grain);
        default: space_release(space, range, op->grain); return 0;
        }
}

/* As the header says: without a change of the content, and without memory for what is held. */
static void step(struct space *space, const struct op *op, const char *name)
{
        const uint64_t bytes = space_bytes(space);
        const size_t asked = heap_asked_bytes();
        const bool frugal = strchr("+-0r", op->what);
        int r;

        if (frugal)
                heap_fail(1, ULONG_MAX);
        r = apply(space, op);
        heap_mend();
        space_check(space);
        if (r)
                fail_msg("%s: %c [%#llx, %#llx bytes]: %d", name, op->what,
                         (unsigned long long)op->at.first, (unsigned long long)op->at.bytes, r);
        if (frugal)
                assert_int_equal(heap_asked_bytes(), asked);
        if (strchr("hr", op->what))
                assert_int_equal(space_bytes(space), bytes);
}

static void test_space_held_changes_do_not_fail(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(held_cases); i++) {
                struct space *space;
                size_t metadata_bytes;

                assert_int_equal(space_new(held_cases[i].granule, &space), 0);
                metadata_bytes = space_metadata_bytes(space);
                for (size_t k = 0; k < OPS_MAX && held_cases[i].ops[k].what; k++)
                        step(space, &held_cases[i].ops[k], held_cases[i].name);
                assert_int_equal(space_clear(space, RANGE_ALL), 0);
                space_check(space);
                assert_int_equal(space_metadata_bytes(space), metadata_bytes);
                space_free(space);
        }
}

/* A hold of 64 GiB is paid for when it is made, and a coarse one costs little. */
static void test_space_hold_costs(void **state)
{
        static const struct {
                uint64_t grain;
                size_t most_bytes;
        } cases[] = {
                { GRANULE, 64 * 64 * KiB },
                { 16 * MiB, 512 * KiB },
                { GiB, 16 * KiB },
                { 64 * GiB, 2 * KiB },
        };
        const struct range range = { 0, 64 * GiB - 1 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct space *space;
                size_t empty, asked, cost;

                assert_int_equal(space_new(GRANULE, &space), 0);
                empty = space_metadata_bytes(space);
                asked = heap_asked_bytes();
                assert_int_equal(space_hold(space, range, cases[i].grain), 0);
                cost = space_metadata_bytes(space) - empty;
                assert_int_equal(cost, heap_asked_bytes() - asked);
                print_message("grain %llu KiB: %zu bytes\n",
                              (unsigned long long)(cases[i].grain / KiB), cost);
                assert_in_range(cost, 1, cases[i].most_bytes);
                space_release(space, range, cases[i].grain);
                assert_int_equal(space_metadata_bytes(space), empty);
                space_free(space);
        }
}

/* ---- without memory nothing changes --------------------------------------------------------- */

/* @setup is there before @op, which needs @least allocations or more. */
static const struct {
        const char *name;
        struct piece setup[PIECES_MAX];
        struct op op;
        unsigned least;
} nomem_cases[] = {
        { "the first range", { { 0 } }, { 'a', { GiB, 4 * KiB }, 0 }, 1 },
        { "a granule out of much", { { 0, 64 * GiB } }, { 'd', { 5 * GiB, 4 * KiB }, 0 }, 3 },
        { "both ends in parts that are whole",
          { { 0, 64 * GiB } },
          { 'd', { GiB + 4 * KiB, 32 * GiB }, 0 },
          6 },
        { "far away", { { 0, 4 * KiB } }, { 'a', { UINT64_C(1) << 57, 4 * KiB }, 0 }, 10 },
        { "far below", { { TOP(8 * KiB), 4 * KiB } }, { 'a', { 4 * KiB, 4 * KiB }, 0 }, 10 },
        { "far away from what is whole",
          { { 0, 16 * MiB } },
          { 'a', { UINT64_C(1) << 57, 4 * KiB }, 0 },
          10 },
        { "cleared at both ends", { { 0, 64 * GiB } }, { '0', { GiB + 4 * KiB, 32 * GiB }, 0 }, 6 },
        { "a hold in an empty space", { { 0 } }, { 'h', { GiB, 64 * MiB }, GRANULE }, 4 },
        { "a hold in what is there",
          { { 0, 64 * GiB } },
          { 'h', { GiB - 32 * MiB, 64 * MiB }, GRANULE },
          8 },
        { "a hold of parts that are there already",
          { { GiB + 4 * KiB, 4 * KiB }, { GiB + 20 * MiB, 4 * KiB }, { 4 * GiB, GiB } },
          { 'h', { GiB, 64 * MiB }, GRANULE },
          2 },
        { "a hold far away", { { 0, 4 * KiB } }, { 'h', { TOP(2 * GiB), GiB }, 64 * MiB }, 10 },
};

static void expect_setup(const struct space *space, const struct piece *setup)
{
        struct range range;
        uint64_t at = 0;
        size_t n = 0;

        while (space_next(space, at, &range)) {
                at = range.last + 1;
                while (n < PIECES_MAX && setup[n].bytes && setup[n].first != range.first)
                        n++;
                assert_true(n < PIECES_MAX);
                assert_int_equal(range_size(range), setup[n].bytes);
        }
}

/* From the @n-th allocation on, @last included, there is no memory. Return: whether it needed some.
 */
static bool starve(size_t i, unsigned n, unsigned long last)
{
        const struct piece *setup = nomem_cases[i].setup;
        struct space *space = space_of_pieces(GRANULE, setup);
        const uint64_t bytes = space_bytes(space);
        bool starved;
        int r;

        heap_fail(n, last);
        r = apply(space, &nomem_cases[i].op);
        starved = heap_mend();
        space_check(space);
        if (r != (starved ? -ENOMEM : 0))
                fail_msg("%s, allocation %u: %d", nomem_cases[i].name, n, r);
        if (starved) {
                assert_int_equal(space_bytes(space), bytes);
                expect_setup(space, setup);
                /* It was only the memory. */
                assert_int_equal(apply(space, &nomem_cases[i].op), 0);
                space_check(space);
        }
        space_free(space);
        return starved;
}

static void test_space_without_memory(void **state)
{
        struct space *space;

        (void)state;
        heap_fail(1, 1);
        assert_int_equal(space_new(GRANULE, &space), -ENOMEM);
        heap_mend();
        for (size_t i = 0; i < ARRAY_SIZE(nomem_cases); i++) {
                unsigned n = 1;

                while (starve(i, n, n) && starve(i, n, ULONG_MAX))
                        n++;
                if (n - 1 < nomem_cases[i].least)
                        fail_msg("%s: only %u allocations", nomem_cases[i].name, n - 1);
        }
}

/* ---- how much ------------------------------------------------------------------------------- */

/* Every other granule is there. */
static void add_comb(struct space *space, uint64_t first, unsigned n_granules)
{
        for (unsigned i = 0; i < n_granules; i += 2)
                assert_int_equal(space_add(space, range_of(first + i * GRANULE, GRANULE)), 0);
}

static void clear_comb(struct space *space, uint64_t first, unsigned n_granules)
{
        for (unsigned i = 0; i < n_granules; i += 2)
                assert_int_equal(space_remove(space, range_of(first + i * GRANULE, GRANULE)), 0);
}

/* 64 KiB for each 2^18 granules, held or not, and nothing when they are gone. */
static void test_space_dense_metadata(void **state)
{
        static const struct {
                uint64_t first;
                unsigned n_granules, units; /* of 2^18 granules that they touch */
        } cases[] = {
                { 0, 1 << 18, 1 },
                { 16 * GiB, 1 << 18, 1 },
                { TOP(GiB), 1 << 18, 1 },
                { 3 * GiB, 1 << 19, 2 },
                { 5 * GiB - 500 * GRANULE, 1 << 18, 2 },
        };
        const bool slow = getenv("PAR_UNDER_VALGRIND");

        (void)state;
        for (size_t i = 0; i < (slow ? 1 : ARRAY_SIZE(cases)); i++) {
                const struct range all =
                        range_of(cases[i].first, cases[i].n_granules * (uint64_t)GRANULE);
                const size_t most = cases[i].units * (size_t)(64 * KiB);
                struct space *space;
                size_t empty;

                assert_int_equal(space_new(GRANULE, &space), 0);
                empty = space_metadata_bytes(space);
                add_comb(space, cases[i].first, cases[i].n_granules);
                space_check(space);
                assert_in_range(space_metadata_bytes(space), 1, most);
                assert_int_equal(space_hold(space, all, GRANULE), 0);
                assert_in_range(space_metadata_bytes(space), 1, most);
                clear_comb(space, cases[i].first, cases[i].n_granules);
                space_release(space, all, GRANULE);
                space_check(space);
                assert_int_equal(space_metadata_bytes(space), empty);
                space_free(space);
        }
}

/* Wherever it begins, a range in a space of 2^57 bytes costs 20 KiB for each of its ends at most.
 */
static void test_space_sparse_metadata(void **state)
{
        static const struct piece pieces[PIECES_MAX] = {
                { 12 * KiB, GiB },
                { 5 * GiB + 4 * KiB, 4 * KiB },
                { (UINT64_C(1) << 40) - 4 * KiB, 8 * KiB },
                { UINT64_C(1) << 50, 2 * MiB },
                { (UINT64_C(1) << 55) + 20 * KiB, (UINT64_C(1) << 56) - 400 * KiB },
                { (UINT64_C(1) << 57) - 8 * KiB, 4 * KiB },
        };
        struct space *space = space_of_pieces(GRANULE, pieces);

        (void)state;
        print_message("%zu bytes for %d ranges\n", space_metadata_bytes(space), PIECES_MAX);
        assert_in_range(space_metadata_bytes(space), 1, 2 * PIECES_MAX * 20 * KiB);
        for (size_t i = PIECES_MAX; i-- > 1;) {
                const size_t before = space_metadata_bytes(space);

                assert_int_equal(space_remove(space, range_of(pieces[i].first, pieces[i].bytes)),
                                 0);
                space_check(space);
                assert_true(space_metadata_bytes(space) < before);
        }
        space_free(space);
}

/* What is all there, or all gone, costs what its ends cost, however large it is. */
static void test_space_uniform_metadata(void **state)
{
        size_t empty, small, large;
        struct space *space;

        (void)state;
        assert_int_equal(space_new(GRANULE, &space), 0);
        empty = space_metadata_bytes(space);
        assert_int_equal(space_add(space, range_of(0, UINT64_C(1) << 24)), 0);
        small = space_metadata_bytes(space);
        assert_int_equal(space_remove(space, range_of(0, UINT64_C(1) << 24)), 0);
        assert_int_equal(space_metadata_bytes(space), empty);
        assert_int_equal(space_add(space, range_of(0, UINT64_C(1) << 63)), 0);
        large = space_metadata_bytes(space);
        assert_in_range(large, small, small + 8 * KiB);
        add_comb(space, UINT64_C(1) << 63, 1 << 14);
        assert_int_equal(space_clear(space, RANGE_ALL), 0);
        space_check(space);
        assert_int_equal(space_metadata_bytes(space), empty);
        space_free(space);
}

/* A change looks into twice the height of the tree, whatever lies between its ends. */
static void test_space_visits_of_changes(void **state)
{
        const struct range most = { 4 * KiB, (UINT64_C(1) << 57) - 12 * KiB - 1 };
        struct space *space;
        size_t visits = 0, max;

        (void)state;
        assert_int_equal(space_new(GRANULE, &space), 0);
        add_comb(space, 0, 1 << 12);
        add_comb(space, GiB, 1 << 14);
        add_comb(space, (UINT64_C(1) << 57) - (GRANULE << 12), 1 << 12);
        max = space_visits_max(space) / 2;
        space_count_visits(space, &visits);
        assert_int_equal(space_clear(space, most), 0);
        assert_in_range(visits, 1, max);
        visits = 0;
        assert_int_equal(space_add(space, most), 0);
        assert_in_range(visits, 1, max);
        visits = 0;
        assert_int_equal(space_remove(space, most), 0);
        assert_in_range(visits, 1, max);
        space_free(space);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_space_held_changes_do_not_fail),
                cmocka_unit_test(test_space_hold_costs),
                cmocka_unit_test(test_space_without_memory),
                cmocka_unit_test(test_space_dense_metadata),
                cmocka_unit_test(test_space_sparse_metadata),
                cmocka_unit_test(test_space_uniform_metadata),
                cmocka_unit_test(test_space_visits_of_changes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
