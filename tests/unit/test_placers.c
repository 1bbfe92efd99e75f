/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks compare, against a map with a byte for each granule: whoever is measured has
 * to place correctly, and as well as its rule allows. A peer that missed places would make the
 * engine look good.
 */
#include "granules.h"
#include "macros.h"
#include "placer.h"
#include "random.h"
#include "result.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define GRANULE      (4 * KiB)
#define GRANULES_MAX 512u
#define LIVING_MAX   128u

enum content { HOLE, FREE, TAKEN };

/**
 * struct world - a small memory twice: in a placer, and in a map
 * @map:      of @count granules from @base on
 * @power:    blocks of powers of two are taken, as buddies do
 * @living:   what is taken: the request's size and first address
 */
struct world {
        const struct placer_ops *ops;
        void *placer;
        bool power;
        uint64_t base;
        unsigned count;
        unsigned char map[GRANULES_MAX];
        struct range living[LIVING_MAX];
        unsigned n_living;
        struct random random;
};

static uint64_t address_of(const struct world *world, unsigned i)
{
        return world->base + i * GRANULE;
}

static uint64_t power_of_two(uint64_t n)
{
        uint64_t power = 1;

        while (power < n)
                power *= 2;
        return power;
}

/* Granules that a request takes. */
static uint64_t taken_by(const struct world *world, uint64_t size_bytes)
{
        const uint64_t n = (size_bytes - 1) / GRANULE + 1;

        return world->power ? power_of_two(n) : n;
}

static uint64_t count_free(const struct world *world)
{
        uint64_t n = 0;

        for (unsigned i = 0; i < world->count; i++)
                n += world->map[i] == FREE;
        return n;
}

/* ---- the brute force --------------------------------------------------------------------------
 */

static bool is_whole_in(const struct world *world, unsigned i, struct range window)
{
        return range_contains(window, range_of(address_of(world, i), GRANULE));
}

/* Whether the request may begin at granule i, as the constraint and what is free there have it. */
static bool fits_at(const struct world *world, unsigned i, const struct constraint *want)
{
        const uint64_t n = (want->size_bytes - 1) / GRANULE + 1;
        const uint64_t takes = taken_by(world, want->size_bytes);
        const uint64_t first = address_of(world, i), boundary = want->boundary_bytes;

        if (first % want->align_bytes || i + takes > world->count)
                return false;
        if (world->power && first / GRANULE % takes)
                return false;
        for (uint64_t k = 0; k < takes; k++)
                if (world->map[i + k] != FREE ||
                    (k < n && !is_whole_in(world, i + (unsigned)k, want->window)))
                        return false;
        return !boundary || first / boundary == (first + n * GRANULE - 1) / boundary;
}

/* How many places there are; the lowest and the highest of them. */
static unsigned places(const struct world *world, const struct constraint *want,
                       struct range *ret_lowest_highest)
{
        unsigned n = 0;

        for (unsigned i = 0; i < world->count; i++) {
                if (!fits_at(world, i, want))
                        continue;
                if (n++ == 0)
                        ret_lowest_highest->first = address_of(world, i);
                ret_lowest_highest->last = address_of(world, i);
        }
        return n;
}

static uint64_t longest(const struct world *world, struct range window)
{
        uint64_t run = 0, most = 0;

        for (unsigned i = 0; i < world->count; i++) {
                run = world->map[i] == FREE && is_whole_in(world, i, window) ? run + 1 : 0;
                most = run > most ? run : most;
        }
        return most * GRANULE;
}

/* ---- a random life --------------------------------------------------------------------------- */

/* One to three pieces of memory, anywhere, holes between them. */
static void open_world(struct world *world, const struct placer_ops *ops)
{
        struct range memory[3];
        unsigned at = 0, n = 0;

        world->ops = ops;
        world->count = 16 + (unsigned)random_below(&world->random, GRANULES_MAX - 15);
        world->base = random_below(&world->random, 1u << 20) * GRANULE;
        if (random_one_in(&world->random, 4))
                world->base = 0 - world->count * GRANULE; /* up to the last address */
        memset(world->map, HOLE, sizeof(world->map));
        while (n < ARRAY_SIZE(memory) && at < world->count) {
                const unsigned length =
                        n == 2 ? world->count - at
                               : 1 + (unsigned)random_below(&world->random, world->count - at);

                memory[n++] = range_of(address_of(world, at), length * GRANULE);
                memset(world->map + at, FREE, length);
                at += length + 1 + (unsigned)random_below(&world->random, 3);
        }
        assert_int_equal(ops->open(memory, n, GRANULE, &world->placer), 0);
}

static struct constraint random_request(struct world *world)
{
        struct random *random = &world->random;
        struct constraint want = {
                .window = RANGE_ALL,
                .size_bytes = 1 + random_below(random, GRANULE << random_below(random, 7)),
                .align_bytes = UINT64_C(1)
                               << random_below(random, random_one_in(random, 4) ? 20 : 13),
                .max_segments = 1,
        };

        if (random_one_in(random, 2)) {
                const unsigned a = (unsigned)random_below(random, world->count);
                const unsigned b = (unsigned)random_below(random, world->count);

                want.window.first = address_of(world, a < b ? a : b) + random_below(random, 3);
                want.window.last = address_of(world, a < b ? b : a) + GRANULE -
                                   random_below(random, 3) % 2 - 1;
        }
        if (random_one_in(random, 3))
                want.boundary_bytes = GRANULE * power_of_two((want.size_bytes - 1) / GRANULE + 1)
                                      << random_below(random, 2);
        return want;
}

static void mark(struct world *world, struct range place, enum content before, enum content after)
{
        const uint64_t n = taken_by(world, range_size(place));

        for (uint64_t k = 0; k < n; k++) {
                unsigned char *at = &world->map[(place.first - world->base) / GRANULE + k];

                assert_int_equal(*at, before);
                *at = (unsigned char)after;
        }
}

static void take_one(struct world *world)
{
        const struct constraint want = random_request(world);
        struct range found = { 0, 0 };
        uint64_t there = 1, first = 2;
        enum limit limit;
        int r;

        if (constraint_check(&want, &limit))
                return;
        r = world->ops->find(world->placer, &want, &there);
        assert_int_equal(r == 0, places(world, &want, &found) > 0);
        if (world->n_living == LIVING_MAX)
                return;
        assert_int_equal(world->ops->take(world->placer, &want, &first), r);
        if (r) {
                assert_true(r == PAR_REFUSED_EXHAUSTED || r == PAR_REFUSED_FRAGMENTED);
                return;
        }
        assert_int_equal(first, there);
        assert_true(fits_at(world, (unsigned)((first - world->base) / GRANULE), &want));
        if (world->ops == &placer_par)
                assert_int_equal(first, found.last);
        if (world->ops == &placer_bitmap)
                assert_int_equal(first, found.first);
        world->living[world->n_living] = range_of(first, want.size_bytes);
        mark(world, world->living[world->n_living++], FREE, TAKEN);
}

static void give_one(struct world *world, unsigned i)
{
        const struct range place = world->living[i];

        world->ops->give(world->placer, place.first, range_size(place));
        mark(world, place, TAKEN, FREE);
        world->living[i] = world->living[--world->n_living];
}

static void compare_reports(struct world *world)
{
        struct range window = random_request(world).window;

        window.first = align_down(window.first, GRANULE);
        window.last |= GRANULE - 1;
        assert_int_equal(world->ops->free_bytes(world->placer), count_free(world) * GRANULE);
        assert_int_equal(world->ops->largest_bytes(world->placer, window), longest(world, window));
}

/* Whatever lived before: all of memory is there again, in pieces as large as at first. */
static void give_all(struct world *world)
{
        struct constraint want = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = 1 };
        struct range found;
        uint64_t first;

        while (world->n_living)
                give_one(world, (unsigned)random_below(&world->random, world->n_living));
        compare_reports(world);
        want.size_bytes = longest(world, RANGE_ALL);
        while (!places(world, &want, &found))
                want.size_bytes -= GRANULE;
        assert_int_equal(world->ops->take(world->placer, &want, &first), 0);
        world->ops->give(world->placer, first, want.size_bytes);
}

static void live(const struct placer_ops *ops, bool power)
{
        struct world world = { .random = { 1 } };

        for (unsigned round = 0; round < 60; round++) {
                const uint64_t giving = 2 + random_below(&world.random, 4);

                world.power = power;
                open_world(&world, ops);
                for (unsigned i = 0; i < 300; i++) {
                        if (world.n_living && random_one_in(&world.random, giving))
                                give_one(&world,
                                         (unsigned)random_below(&world.random, world.n_living));
                        else
                                take_one(&world);
                        if (i % 8 == 0)
                                compare_reports(&world);
                }
                give_all(&world);
                ops->close(world.placer);
        }
}

static void test_placers_par_finds_the_highest_place(void **state)
{
        (void)state;
        live(&placer_par, false);
}

static void test_placers_bitmap_finds_the_lowest_place(void **state)
{
        (void)state;
        live(&placer_bitmap, false);
}

/* Also: there is never a free block in pieces, or it would not find it. */
static void test_placers_buddy_finds_a_block_if_there_is_one(void **state)
{
        (void)state;
        live(&placer_buddy, true);
}

/* ---- buddies --------------------------------------------------------------------------------- */

static struct constraint below(uint64_t end, uint64_t size_bytes)
{
        return (struct constraint){
                .window = { 0, end - 1 },
                .size_bytes = size_bytes,
                .align_bytes = 1,
                .max_segments = 1,
        };
}

static struct constraint anywhere(uint64_t size_bytes)
{
        struct constraint want = below(1, size_bytes);

        want.window.last = UINT64_MAX;
        return want;
}

/* The first address where a request goes; UINT64_MAX for a refusal. */
static uint64_t take(const struct placer_ops *ops, void *placer, struct constraint want)
{
        uint64_t first;

        return ops->take(placer, &want, &first) ? UINT64_MAX : first;
}

static void test_placers_buddy_too_large(void **state)
{
        const struct range memory = { 0, 32 * TiB - 1 };
        void *placer;

        (void)state;
        assert_int_equal(placer_buddy.open(&memory, 1, GRANULE, &placer), -ENOTSUP);
        assert_int_equal(placer_zones.open(&memory, 1, GRANULE, &placer), -ENOTSUP);
}

static void test_placers_buddy_uses_the_lower_half(void **state)
{
        const struct range memory = { 0, 64 * KiB - 1 };
        void *placer;

        (void)state;
        assert_int_equal(placer_buddy.open(&memory, 1, GRANULE, &placer), 0);
        assert_int_equal(take(&placer_buddy, placer, anywhere(12 * KiB)), 0);
        assert_int_equal(placer_buddy.free_bytes(placer), 48 * KiB);
        assert_int_equal(take(&placer_buddy, placer, anywhere(4 * KiB)), 16 * KiB);
        assert_int_equal(take(&placer_buddy, placer, anywhere(8 * KiB)), 24 * KiB);
        /* Nothing is merged that does not begin on a multiple of its size. */
        assert_int_equal(placer_buddy.largest_bytes(placer, RANGE_ALL), 32 * KiB);
        assert_int_equal(take(&placer_buddy, placer, anywhere(33 * KiB)), UINT64_MAX);
        placer_buddy.close(placer);
}

/* A block whose buddy's return would merge twice is the last that is taken. */
static void test_placers_buddy_spares_what_will_merge(void **state)
{
        const struct range memory = { 0, 64 * KiB - 1 };
        void *placer;

        (void)state;
        assert_int_equal(placer_buddy.open(&memory, 1, GRANULE, &placer), 0);
        for (uint64_t first = 0; first < 64 * KiB; first += GRANULE)
                assert_int_equal(take(&placer_buddy, placer, anywhere(GRANULE)), first);
        /* 8 and 12 KiB make up the buddy of what 0 and 4 KiB would be. */
        placer_buddy.give(placer, 8 * KiB, GRANULE);
        placer_buddy.give(placer, 12 * KiB, GRANULE);
        placer_buddy.give(placer, 32 * KiB, GRANULE);
        placer_buddy.give(placer, 0, GRANULE);
        assert_int_equal(take(&placer_buddy, placer, anywhere(GRANULE)), 32 * KiB);
        assert_int_equal(take(&placer_buddy, placer, anywhere(GRANULE)), 0);
        assert_int_equal(take(&placer_buddy, placer, anywhere(GRANULE)), 8 * KiB);
        placer_buddy.close(placer);
}

/* ---- zones ----------------------------------------------------------------------------------- */

static void *zones_of(uint64_t size_bytes)
{
        const struct range memory = { 0, size_bytes - 1 };
        void *placer;

        assert_int_equal(placer_zones.open(&memory, 1, MiB, &placer), 0);
        return placer;
}

/* Take 1 MiB again and again, until that is refused; how many MiB, all of them in @range. */
static uint64_t take_all(void *placer, struct constraint want, struct range range)
{
        uint64_t n = 0, first;

        want.size_bytes = MiB;
        while ((first = take(&placer_zones, placer, want)) != UINT64_MAX) {
                assert_true(range_contains(range, range_of(first, MiB)));
                n++;
        }
        return n;
}

static void test_placers_zones_by_the_highest_address(void **state)
{
        void *placer = zones_of(8 * GiB);

        (void)state;
        assert_in_range(take(&placer_zones, placer, below(16 * MiB, MiB)), 0, 15 * MiB);
        assert_in_range(take(&placer_zones, placer, below(4 * GiB, MiB)), 16 * MiB, 4 * GiB - MiB);
        assert_in_range(take(&placer_zones, placer, below(6 * GiB, MiB)), 4 * GiB, 6 * GiB - MiB);
        assert_in_range(take(&placer_zones, placer, anywhere(MiB)), 4 * GiB, 8 * GiB - MiB);
        placer_zones.close(placer);
}

/* 8 GiB: 1/256 of NORMAL is 16 MiB, and of both upper zones 31 MiB, more than DMA has. */
static void test_placers_zones_fall_back_to_the_reserve(void **state)
{
        void *placer = zones_of(8 * GiB);

        (void)state;
        assert_int_equal(take_all(placer, anywhere(1), (struct range){ 16 * MiB, 8 * GiB - 1 }),
                         8 * KiB - 16 - 16);
        assert_int_equal(placer_zones.free_bytes(placer), 32 * MiB);
        /* DMA32 is all of its own, and of DMA 1/256 of 4080 MiB stays: 15. */
        assert_int_equal(take_all(placer, below(4 * GiB, 1), (struct range){ 0, 4 * GiB - 1 }), 17);
        assert_int_equal(take_all(placer, below(16 * MiB, 1), (struct range){ 0, 16 * MiB - 1 }),
                         15);
        assert_int_equal(placer_zones.free_bytes(placer), 0);
        assert_int_equal(placer_zones.take(placer,
                                           &(struct constraint){ .window = RANGE_ALL,
                                                                 .size_bytes = 1,
                                                                 .align_bytes = 1,
                                                                 .max_segments = 1 },
                                           &(uint64_t){ 0 }),
                         PAR_REFUSED_EXHAUSTED);
        placer_zones.close(placer);
}

/* 28 bits: the first block of DMA32 lies low enough, as long as it does; then DMA has 16 MiB. */
static void test_placers_zones_give_up_what_lies_too_high(void **state)
{
        void *placer = zones_of(4 * GiB);
        struct constraint want;
        uint64_t first;

        (void)state;
        assert_int_equal(take_all(placer, below(256 * MiB, 1), (struct range){ 0, 256 * MiB - 1 }),
                         256);
        /* All below is taken. Now 32 MiB of it come free, but a smaller block lies above. */
        assert_int_equal(take(&placer_zones, placer, below(4 * GiB, MiB)), 256 * MiB);
        for (uint64_t at = 32 * MiB; at < 64 * MiB; at += MiB)
                placer_zones.give(placer, at, MiB);
        want = below(256 * MiB, MiB);
        assert_int_equal(placer_zones.take(placer, &want, &first), PAR_REFUSED_FRAGMENTED);
        want = below(256 * MiB, 32 * MiB);
        assert_int_equal(take(&placer_zones, placer, want), 32 * MiB);
        placer_zones.close(placer);
}

static void test_placers_zones_align_beyond_the_size(void **state)
{
        void *placer = zones_of(8 * GiB);
        struct constraint want = anywhere(MiB);
        uint64_t first;

        (void)state;
        want.align_bytes = 64 * MiB;
        for (unsigned i = 0; i < 20; i++) {
                first = take(&placer_zones, placer, want);
                assert_true(first != UINT64_MAX && first % (64 * MiB) == 0);
        }
        /* No more than it asked for is taken. */
        assert_int_equal(placer_zones.free_bytes(placer), 8 * GiB - 20 * MiB);
        placer_zones.close(placer);
}

static void test_placers_zones_without_overlaps(void **state)
{
        struct world world = { .ops = &placer_zones, .power = true, .random = { 7 } };
        const struct range memory = { 16 * MiB - 64 * KiB, 16 * MiB + 64 * KiB - 1 };

        (void)state;
        world.base = memory.first;
        world.count = 32;
        memset(world.map, FREE, world.count);
        assert_int_equal(placer_zones.open(&memory, 1, GRANULE, &world.placer), 0);
        for (unsigned i = 0; i < 4000; i++) {
                const struct constraint want = anywhere(1 + random_below(&world.random, 24 * KiB));
                const uint64_t first = take(&placer_zones, world.placer, want);

                if (first != UINT64_MAX) {
                        assert_true(
                                fits_at(&world, (unsigned)((first - world.base) / GRANULE), &want));
                        world.living[world.n_living] = range_of(first, want.size_bytes);
                        mark(&world, world.living[world.n_living++], FREE, TAKEN);
                }
                if (first == UINT64_MAX || random_one_in(&world.random, 3))
                        give_one(&world, (unsigned)random_below(&world.random, world.n_living));
                assert_int_equal(placer_zones.free_bytes(world.placer),
                                 count_free(&world) * GRANULE);
        }
        while (world.n_living)
                give_one(&world, 0);
        /* Not over the border, where nothing could be placed. */
        assert_int_equal(placer_zones.largest_bytes(world.placer, RANGE_ALL), 64 * KiB);
        assert_true(take(&placer_zones, world.placer, anywhere(64 * KiB)) != UINT64_MAX);
        placer_zones.close(world.placer);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void test_placers_granules(void **state)
{
        struct range granules;

        (void)state;
        assert_true(granules_in((struct range){ 1, 3 * GRANULE - 1 }, 12, &granules));
        assert_int_equal(granules.first, 1);
        assert_int_equal(granules.last, 2);
        assert_false(granules_in((struct range){ 1, 2 * GRANULE - 2 }, 12, &granules));
        assert_false(granules_in((struct range){ 0, GRANULE - 2 }, 12, &granules));
        assert_true(granules_in(RANGE_ALL, 12, &granules));
        assert_int_equal(granules.last, UINT64_MAX >> 12);
}

/* Bytes that it says it uses, for the memory it manages. */
static void test_placers_metadata(void **state)
{
        const struct range memory = { 0, GiB - 1 };
        static const struct {
                const struct placer_ops *ops;
                size_t least, most;
        } cases[] = {
                { &placer_par, 1, 64 * KiB },
                { &placer_bitmap, 32 * KiB, 33 * KiB },
                { &placer_buddy, 9 * 256 * KiB, 9 * 256 * KiB + 4 * KiB },
                { &placer_zones, 9 * 256 * KiB, 9 * 256 * KiB + 4 * KiB },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                void *placer;

                assert_int_equal(cases[i].ops->open(&memory, 1, GRANULE, &placer), 0);
                if (cases[i].ops->metadata_bytes(placer) < cases[i].least ||
                    cases[i].ops->metadata_bytes(placer) > cases[i].most)
                        fail_msg("%s: %zu bytes", cases[i].ops->name,
                                 cases[i].ops->metadata_bytes(placer));
                cases[i].ops->close(placer);
                cases[i].ops->close(NULL);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_placers_par_finds_the_highest_place),
                cmocka_unit_test(test_placers_bitmap_finds_the_lowest_place),
                cmocka_unit_test(test_placers_buddy_finds_a_block_if_there_is_one),
                cmocka_unit_test(test_placers_buddy_too_large),
                cmocka_unit_test(test_placers_buddy_uses_the_lower_half),
                cmocka_unit_test(test_placers_buddy_spares_what_will_merge),
                cmocka_unit_test(test_placers_zones_by_the_highest_address),
                cmocka_unit_test(test_placers_zones_fall_back_to_the_reserve),
                cmocka_unit_test(test_placers_zones_give_up_what_lies_too_high),
                cmocka_unit_test(test_placers_zones_align_beyond_the_size),
                cmocka_unit_test(test_placers_zones_without_overlaps),
                cmocka_unit_test(test_placers_granules),
                cmocka_unit_test(test_placers_metadata),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
