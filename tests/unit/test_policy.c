/* SPDX-License-Identifier: MIT */
/*
 * Each policy of the experiment against its definition, worked out from a map with a byte for each
 * granule. A policy that placed otherwise than it says would make another one look good.
 */
#include "macros.h"
#include "placer.h"
#include "policy.h"
#include "policy_runs.h"
#include "policy_search.h"
#include "random.h"
#include "result.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define GRANULE    (64 * KiB) /* large requests are 16 of them */
#define BASE       (8 * MiB)  /* a tier ends in the middle of the memory, at 16 MiB */
#define GRANULES   256u
#define LIVING_MAX 128u

/* The tiers that the memory reaches. */
static const struct range tiers[] = { { 0, 16 * MiB - 1 }, { 16 * MiB, UINT64_MAX } };

/**
 * struct world - a small memory twice: in a policy, and in a map
 * @free:   whether a granule is free
 * @memory: whether it is there at all
 * @living: what is taken
 */
struct world {
        const struct policy *policy;
        void *placer;
        bool free[GRANULES], memory[GRANULES];
        struct range living[LIVING_MAX];
        size_t n_living;
        struct random random;
};

/* ---- the definitions ------------------------------------------------------------------------- */

static uint64_t address_of(size_t granule)
{
        return BASE + granule * GRANULE;
}

/* Whether a place is free, aligned, inside a range, and not over a boundary. */
static bool fits(const struct world *world, const struct constraint *want, struct range inside,
                 size_t granule)
{
        const size_t n = want->size_bytes / GRANULE;
        const struct range at = range_of(address_of(granule), want->size_bytes);

        if (granule + n > GRANULES || !range_contains(inside, at) ||
            !range_contains(want->window, at) || at.first % want->align_bytes != 0)
                return false;
        if (want->boundary_bytes &&
            at.first / want->boundary_bytes != at.last / want->boundary_bytes)
                return false;
        for (size_t i = granule; i < granule + n; i++) {
                if (!world->free[i])
                        return false;
        }
        return true;
}

/* The highest or the lowest place in a range. */
static bool place_in(const struct world *world, const struct constraint *want, struct range inside,
                     bool highest, uint64_t *ret_first)
{
        for (size_t i = 0; i < GRANULES; i++) {
                const size_t granule = highest ? GRANULES - 1 - i : i;

                if (fits(world, want, inside, granule)) {
                        *ret_first = address_of(granule);
                        return true;
                }
        }
        return false;
}

/* The run that ends at or below a granule, which is looked for from there downwards. */
static bool run_below(const struct world *world, size_t below, struct range *ret)
{
        size_t last = below, first;

        while (last && !world->free[last - 1])
                last--;
        if (!last)
                return false;
        for (first = last - 1; first && world->free[first - 1]; first--)
                continue;
        *ret = (struct range){ address_of(first), address_of(last) - 1 };
        return true;
}

static size_t granule_of(uint64_t address)
{
        return (address - BASE) / GRANULE;
}

static uint64_t exact_rank(uint64_t bytes)
{
        return bytes;
}

/*
 * In the lowest-ranking piece of a tier that has a place, of equal ones the highest; only pieces of
 * at least @least rank.
 */
static bool best_in(const struct world *world, const struct constraint *want, struct range tier,
                    policy_rank_fn *rank, uint64_t least, bool at_top, uint64_t *ret_bytes,
                    uint64_t *ret_first)
{
        uint64_t best = UINT64_MAX, first;
        struct range run, piece;

        for (size_t below = GRANULES; run_below(world, below, &run);
             below = granule_of(run.first)) {
                if (!range_intersect(run, tier, &piece) || rank(range_size(piece)) < least ||
                    rank(range_size(piece)) >= best ||
                    !place_in(world, want, piece, at_top, &first))
                        continue;
                best = rank(range_size(piece));
                *ret_bytes = range_size(piece);
                *ret_first = first;
        }
        return best < UINT64_MAX;
}

static bool by_tiers_best(const struct world *world, const struct constraint *want, bool at_top,
                          uint64_t *ret_first)
{
        uint64_t bytes;

        for (size_t t = ARRAY_SIZE(tiers); t-- > 0;) {
                if (best_in(world, want, tiers[t], exact_rank, 0, at_top, &bytes, ret_first))
                        return true;
        }
        return place_in(world, want, RANGE_ALL, true, ret_first);
}

static bool by_tiers_end(const struct world *world, const struct constraint *want, bool at_top,
                         uint64_t *ret_first)
{
        for (size_t t = ARRAY_SIZE(tiers); t-- > 0;) {
                if (place_in(world, want, tiers[t], at_top, ret_first))
                        return true;
        }
        return place_in(world, want, RANGE_ALL, true, ret_first);
}

/* The shortest of the four highest runs of a tier that have a place, its lower end. */
static bool best_of_4(const struct world *world, const struct constraint *want, struct range tier,
                      uint64_t *ret_first)
{
        uint64_t best = UINT64_MAX, first;
        unsigned seen = 0;
        struct range run, piece;

        for (size_t below = GRANULES; seen < 4 && run_below(world, below, &run);
             below = granule_of(run.first)) {
                if (!range_intersect(run, tier, &piece) ||
                    !range_intersect(piece, want->window, &piece) ||
                    !place_in(world, want, piece, false, &first))
                        continue;
                seen++;
                if (range_size(piece) < best) {
                        best = range_size(piece);
                        *ret_first = first;
                }
        }
        return seen;
}

static bool is_large(const struct constraint *want)
{
        return want->size_bytes >= MiB;
}

static bool define_highest(const struct world *world, const struct constraint *want, uint64_t *ret)
{
        return place_in(world, want, RANGE_ALL, true, ret);
}

static bool define_first_fit(const struct world *world, const struct constraint *want,
                             uint64_t *ret)
{
        return place_in(world, want, RANGE_ALL, false, ret);
}

static bool define_best_fit(const struct world *world, const struct constraint *want, uint64_t *ret)
{
        uint64_t best = UINT64_MAX, bytes, first;

        for (size_t t = ARRAY_SIZE(tiers); t-- > 0;) {
                if (best_in(world, want, tiers[t], exact_rank, 0, true, &bytes, &first) &&
                    bytes < best) {
                        best = bytes;
                        *ret = first;
                }
        }
        return best < UINT64_MAX || define_highest(world, want, ret);
}

static bool define_tier_best_fit(const struct world *world, const struct constraint *want,
                                 uint64_t *ret)
{
        return by_tiers_best(world, want, true, ret);
}

static bool define_two_ends(const struct world *world, const struct constraint *want, uint64_t *ret)
{
        return is_large(want) ? by_tiers_best(world, want, false, ret)
                              : by_tiers_end(world, want, true, ret);
}

static bool define_two_ends_of_4(const struct world *world, const struct constraint *want,
                                 uint64_t *ret)
{
        if (!is_large(want))
                return by_tiers_end(world, want, true, ret);
        for (size_t t = ARRAY_SIZE(tiers); t-- > 0;) {
                if (best_of_4(world, want, tiers[t], ret))
                        return true;
        }
        return define_highest(world, want, ret);
}

static bool define_size_ends(const struct world *world, const struct constraint *want,
                             uint64_t *ret)
{
        return by_tiers_end(world, want, !is_large(want), ret);
}

/* Lives are not told here: they are short. */
static bool define_life_ends(const struct world *world, const struct constraint *want,
                             uint64_t *ret)
{
        return by_tiers_end(world, want, false, ret);
}

/* The first class whose shortest run would be long enough, and the upper end of what it has. */
static bool define_tlsf(const struct world *world, const struct constraint *want, uint64_t *ret)
{
        uint64_t bytes, shortest = want->size_bytes;

        while (search_class_rank(shortest) == search_class_rank(shortest - 1))
                shortest += GRANULE / 16;
        for (size_t t = ARRAY_SIZE(tiers); t-- > 0;) {
                if (best_in(world, want, tiers[t], search_class_rank, search_class_rank(shortest),
                            true, &bytes, ret))
                        return true;
        }
        return define_highest(world, want, ret);
}

static bool define_natural(const struct world *world, const struct constraint *want, uint64_t *ret)
{
        struct constraint natural = *want;

        while (natural.align_bytes < want->size_bytes)
                natural.align_bytes *= 2;
        return define_highest(world, &natural, ret) || define_highest(world, want, ret);
}

static bool define_reserve(const struct world *world, const struct constraint *want, uint64_t *ret)
{
        uint64_t free_bytes = 0, bytes = 0;

        if (!define_highest(world, want, ret))
                return false;
        for (size_t i = 0; i < GRANULES && address_of(i) <= tiers[0].last; i++) {
                free_bytes += world->free[i] ? GRANULE : 0;
                bytes += world->memory[i] ? GRANULE : 0;
        }
        return *ret > tiers[0].last || want->window.last <= tiers[0].last ||
               free_bytes >= want->size_bytes + bytes / 100 * 25;
}

static const struct {
        const char *name;
        bool (*define)(const struct world *world, const struct constraint *want, uint64_t *ret);
} definitions[] = {
        { "highest", define_highest },
        { "two ends", define_two_ends },
        { "two ends of 4", define_two_ends_of_4 },
        { "tier best fit", define_tier_best_fit },
        { "best fit", define_best_fit },
        { "first fit", define_first_fit },
        { "size ends", define_size_ends },
        { "life ends", define_life_ends },
        { "tlsf", define_tlsf },
        { "natural", define_natural },
        { "reserve", define_reserve },
};

/* ---- a life in the memory -------------------------------------------------------------------- */

static struct constraint draw(struct random *random)
{
        struct constraint want = {
                .window = RANGE_ALL,
                .size_bytes =
                        GRANULE * (1 + random_below(random, random_one_in(random, 3) ? 40 : 8)),
                .align_bytes = GRANULE << random_below(random, 4),
                .max_segments = 1,
        };

        if (random_one_in(random, 3))
                want.window.last = address_of(random_below(random, GRANULES) + 1) - 1;
        if (random_one_in(random, 4))
                want.window.first = address_of(random_below(random, GRANULES));
        if (want.window.last - want.window.first < want.size_bytes ||
            want.window.last < want.window.first)
                want.window = RANGE_ALL;
        if (random_one_in(random, 4)) {
                want.boundary_bytes = GRANULE;
                while (want.boundary_bytes < want.size_bytes)
                        want.boundary_bytes *= 2;
        }
        return want;
}

static void mark(struct world *world, struct range at, bool is_free)
{
        for (size_t i = granule_of(at.first); i <= granule_of(at.last); i++) {
                assert_int_equal(world->free[i], !is_free);
                world->free[i] = is_free;
        }
}

static void open_world(struct world *world, const char *name, uint64_t seed)
{
        struct range memory[2] = { { BASE, address_of(GRANULES) - 1 } };
        size_t n_memory = 1, hole;

        *world = (struct world){ .policy = policy_find(name), .random = { .state = seed } };
        assert_non_null(world->policy);
        for (size_t i = 0; i < GRANULES; i++)
                world->free[i] = world->memory[i] = true;
        if (random_one_in(&world->random, 2)) {
                hole = 1 + random_below(&world->random, GRANULES - 2);
                world->free[hole] = world->memory[hole] = false;
                memory[1] = (struct range){ address_of(hole + 1), memory[0].last };
                memory[0].last = address_of(hole) - 1;
                n_memory = 2;
        }
        assert_int_equal(world->policy->ops.open(memory, n_memory, GRANULE, &world->placer), 0);
}

static void give_one(struct world *world)
{
        const size_t which = random_below(&world->random, world->n_living);
        const struct range at = world->living[which];

        world->policy->ops.give(world->placer, at.first, range_size(at));
        mark(world, at, true);
        world->living[which] = world->living[--world->n_living];
}

static void take_one(struct world *world, size_t definition)
{
        const struct constraint want = draw(&world->random);
        uint64_t first = 0, defined = 0;
        bool is_there;
        int r;

        is_there = definitions[definition].define(world, &want, &defined);
        r = world->policy->ops.take(world->placer, &want, &first);
        if ((r == 0) != is_there || (is_there && first != defined))
                fail_msg("%s: %#" PRIx64 " bytes, align %#" PRIx64 ", boundary %#" PRIx64
                         ": %d, at %#" PRIx64 " instead of %#" PRIx64,
                         definitions[definition].name, want.size_bytes, want.align_bytes,
                         want.boundary_bytes, r, first, defined);
        if (r)
                return;
        world->living[world->n_living++] = range_of(first, want.size_bytes);
        mark(world, range_of(first, want.size_bytes), false);
}

static void check_totals(const struct world *world)
{
        const struct range low = tiers[0];
        uint64_t bytes = 0, longest = 0, run = 0;

        for (size_t i = 0; i < GRANULES; i++) {
                bytes += world->free[i] ? GRANULE : 0;
                run = world->free[i] && address_of(i) <= low.last ? run + GRANULE : 0;
                longest = run > longest ? run : longest;
        }
        assert_int_equal(world->policy->ops.free_bytes(world->placer), bytes);
        assert_int_equal(world->policy->ops.largest_bytes(world->placer, low), longest);
}

static void test_policy_places_as_defined(void **state)
{
        struct world world;

        (void)state;
        for (size_t definition = 0; definition < ARRAY_SIZE(definitions); definition++) {
                for (uint64_t seed = 0; seed < 20; seed++) {
                        open_world(&world, definitions[definition].name, seed);
                        for (unsigned step = 0; step < 300; step++) {
                                if (world.n_living == LIVING_MAX ||
                                    (world.n_living && random_one_in(&world.random, 3)))
                                        give_one(&world);
                                else
                                        take_one(&world, definition);
                                check_totals(&world);
                        }
                        while (world.n_living)
                                give_one(&world);
                        world.policy->ops.close(world.placer);
                }
        }
}

/* All others are in the list of definitions. */
static void test_policy_all_are_defined(void **state)
{
        size_t n = 0;

        (void)state;
        while (policies[n].ops.name)
                n++;
        assert_int_equal(n, ARRAY_SIZE(definitions) + 1);
        assert_non_null(policy_find("least wanted"));
        assert_null(policy_find("nobody"));
}

/* ---- what stands for what -------------------------------------------------------------------- */

/* Both give the same answers to the same requests. */
static void compare(const struct placer_ops *a, const struct placer_ops *b)
{
        const struct range memory = { BASE, address_of(GRANULES) - 1 };
        struct random random = { .state = 7 };
        struct range living[LIVING_MAX];
        size_t n_living = 0;
        void *placer_a, *placer_b;

        assert_int_equal(a->open(&memory, 1, GRANULE, &placer_a), 0);
        assert_int_equal(b->open(&memory, 1, GRANULE, &placer_b), 0);
        for (unsigned step = 0; step < 20000; step++) {
                const struct constraint want = draw(&random);
                uint64_t first_a = 0, first_b = 0;
                int r;

                if (n_living == LIVING_MAX || (n_living && random_one_in(&random, 3))) {
                        const size_t which = random_below(&random, n_living);

                        a->give(placer_a, living[which].first, range_size(living[which]));
                        b->give(placer_b, living[which].first, range_size(living[which]));
                        living[which] = living[--n_living];
                        continue;
                }
                r = a->take(placer_a, &want, &first_a);
                assert_int_equal(r == 0, b->take(placer_b, &want, &first_b) == 0);
                assert_int_equal(first_a, first_b);
                if (!r)
                        living[n_living++] = range_of(first_a, want.size_bytes);
        }
        a->close(placer_a);
        b->close(placer_b);
}

/* The experiment runs first fit instead of the bitmap, which takes long in a large memory. */
static void test_policy_first_fit_is_the_bitmap(void **state)
{
        (void)state;
        compare(&policy_find("first fit")->ops, &placer_bitmap);
}

/* ---- least wanted ---------------------------------------------------------------------------- */

static void test_policy_least_wanted_tier_comes_first(void **state)
{
        const struct policy *policy = policy_find("least wanted");
        const struct range memory = { BASE, address_of(GRANULES) - 1 };
        /* One device needs the top, two the bottom: what is in between is wanted least. */
        const struct range windows[] = { { 20 * MiB, UINT64_MAX },
                                         { 0, 10 * MiB - 1 },
                                         { 0, 12 * MiB - 1 },
                                         { 0, UINT64_MAX } };
        const struct constraint want = {
                .window = RANGE_ALL, .size_bytes = MiB, .align_bytes = GRANULE, .max_segments = 1
        };
        uint64_t first;
        void *placer;

        (void)state;
        assert_int_equal(policy->ops.open(&memory, 1, GRANULE, &placer), 0);
        assert_int_equal(policy->know(placer, windows, ARRAY_SIZE(windows)), 0);
        for (unsigned i = 0; i < 16; i++) {
                assert_int_equal(policy->ops.take(placer, &want, &first), 0);
                /* 8 MiB of nobody else's, 4 of one's at the top, 2 of one's and 2 of two's. */
                if (i < 8)
                        assert_in_range(first, 12 * MiB, 20 * MiB - 1);
                else if (i < 12)
                        assert_in_range(first, 20 * MiB, 24 * MiB - 1);
                else if (i < 14)
                        assert_in_range(first, 10 * MiB, 12 * MiB - 1);
                else
                        assert_in_range(first, 8 * MiB, 10 * MiB - 1);
        }
        assert_int_equal(policy->ops.take(placer, &want, &first), PAR_REFUSED_EXHAUSTED);
        policy->ops.close(placer);
}

/* ---- the runs -------------------------------------------------------------------------------- */

static void test_policy_runs_hold_their_invariants(void **state)
{
        const struct range memory[] = { { BASE, 12 * MiB - 1 },
                                        { 12 * MiB, 14 * MiB - 1 },
                                        { 15 * MiB, 20 * MiB - 1 } };
        const uint64_t ends[] = { 10 * MiB - 1, 16 * MiB - 1, UINT64_MAX };
        bool taken[192] = { false };
        struct random random = { .state = 3 };
        struct policy_runs *runs;

        (void)state;
        assert_int_equal(policy_runs_new(memory, ARRAY_SIZE(memory), ends, ARRAY_SIZE(ends),
                                         exact_rank, &runs),
                         0);
        policy_runs_check(runs);
        for (unsigned step = 0; step < 4000; step++) {
                const size_t granule = random_below(&random, ARRAY_SIZE(taken));
                const struct range at = range_of(address_of(granule), GRANULE);

                /* Where the hole is. */
                if (at.first >= 14 * MiB && at.first < 15 * MiB)
                        continue;
                if (taken[granule])
                        policy_runs_give(runs, at);
                else
                        assert_int_equal(policy_runs_take(runs, at), 0);
                taken[granule] = !taken[granule];
                policy_runs_check(runs);
        }
        policy_runs_free(runs);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_policy_places_as_defined),
                cmocka_unit_test(test_policy_all_are_defined),
                cmocka_unit_test(test_policy_first_fit_is_the_bitmap),
                cmocka_unit_test(test_policy_least_wanted_tier_comes_first),
                cmocka_unit_test(test_policy_runs_hold_their_invariants),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
