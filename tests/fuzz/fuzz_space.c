/* SPDX-License-Identifier: MIT */
/*
 * Changes to two spaces and questions about them, against one byte for each granule. Four bytes of
 * input are one step: what to do, from where, how long, and one more number.
 */
#include "macros.h"
#include "placement.h"
#include "segment.h"

#include <stdlib.h>

#define N       192u
#define GRANULE 4096u
#define NOBODY  2u
#define ROUNDS  512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): this has to hold in every build. */
#define MUST(condition)           \
        do {                      \
                if (!(condition)) \
                        abort();  \
        } while (0)

/* @base: the last granule is the last of all addresses where the first byte of input is odd. */
struct world {
        uint64_t base;
        uint8_t owner[N];
        struct space *space[2];
};

static struct range part(const struct world *world, unsigned first, unsigned last)
{
        return (struct range){ world->base + first * GRANULE,
                               world->base + last * GRANULE + (GRANULE - 1) };
}

/* Give granules, as far as they all have one owner, to another one. */
static void change(struct world *world, unsigned first, unsigned length, unsigned to)
{
        const unsigned from = world->owner[first];
        unsigned last = first;

        if (from == to)
                return;
        while (last + 1 < N && last - first + 1 < length && world->owner[last + 1] == from)
                last++;
        for (unsigned i = first; i <= last; i++)
                world->owner[i] = (uint8_t)to;
        if (from != NOBODY) {
                MUST(space_reserve(world->space[from], 1) == 0);
                space_remove(world->space[from], part(world, first, last));
                space_check(world->space[from]);
        }
        if (to != NOBODY) {
                MUST(space_reserve(world->space[to], 1) == 0);
                space_add(world->space[to], part(world, first, last));
                space_check(world->space[to]);
        }
}

static uint64_t longest(const struct world *world, unsigned first, unsigned last)
{
        uint64_t run = 0, best = 0;

        for (unsigned i = first; i <= last; i++) {
                run = world->owner[i] == NOBODY ? 0 : run + GRANULE;
                best = run > best ? run : best;
        }
        return best;
}

/* The highest place by trying all. */
static bool search(const struct world *world, const struct constraint *want, struct range *ret)
{
        const uint64_t n = (want->size_bytes - 1) / GRANULE + 1;

        for (unsigned i = N; i-- > 0;) {
                unsigned length = 0;

                if (i + n > N)
                        continue;
                *ret = part(world, i, i + (unsigned)n - 1);
                while (length < n && world->owner[i + length] != NOBODY)
                        length++;
                if (length == n && range_contains(want->window, *ret) &&
                    ret->first % want->align_bytes == 0 &&
                    segment_count(want, *ret) <= want->max_segments)
                        return true;
        }
        return false;
}

static void ask(const struct world *world, unsigned first, unsigned length, unsigned number)
{
        const unsigned last = first + length < N ? first + length : N - 1;
        const struct space *const *spaces = (const struct space *const *)world->space;
        struct constraint want = {
                .window = number & 1 ? RANGE_ALL : part(world, first, last),
                .size_bytes = 1 + (uint64_t)(length % 24) * GRANULE / 2,
                .align_bytes = GRANULE << (number >> 1 & 3),
                .boundary_bytes = number & 8 ? GRANULE << (number >> 4 & 7) : 0,
                .max_segment_bytes = number & 128 ? (3 + first % 5) * GRANULE : 0,
                .max_segments = 1 + first % 4,
        };
        struct range expected, place, *places;
        enum limit limit;
        bool found;
        size_t count;

        MUST(placement_largest_run(spaces, 2, part(world, first, last)) ==
             longest(world, first, last));
        if (constraint_check(&want, &limit) || want.align_bytes > segment_bytes_max(&want))
                return;
        found = search(world, &want, &expected);
        MUST((placement_find(spaces, 2, &want, &place) == 0) == found);
        if (found)
                MUST(place.first == expected.first && place.last == expected.last);

        if (placement_find_scattered(spaces, 2, 2 * GRANULE, &want, &places, &count))
                return;
        for (size_t i = 0; i < count; i++) {
                MUST(range_contains(want.window, places[i]));
                MUST(places[i].first % want.align_bytes == 0);
                for (uint64_t at = places[i].first; range_contains(places[i], range_of(at, 1));) {
                        MUST(world->owner[(at - world->base) / GRANULE] != NOBODY);
                        if (__builtin_add_overflow(at, GRANULE, &at))
                                break;
                }
        }
        free(places);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct world world = { 0 };

        if (size && data[0] & 1)
                world.base = 0 - (uint64_t)N * GRANULE;
        for (unsigned i = 0; i < N; i++)
                world.owner[i] = NOBODY;
        MUST(space_new(GRANULE, &world.space[0]) == 0);
        MUST(space_new(GRANULE, &world.space[1]) == 0);

        for (size_t i = 1; i + 4 <= size && i < 4 * ROUNDS; i += 4) {
                const unsigned first = data[i + 1] % N, length = 1u + data[i + 2] % N;

                if (data[i] % 4 < 3)
                        change(&world, first, length, data[i] % 4);
                else
                        ask(&world, first, length, data[i + 3]);
        }
        space_free(world.space[0]);
        space_free(world.space[1]);
        return 0;
}
