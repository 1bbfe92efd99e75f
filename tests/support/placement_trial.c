/* SPDX-License-Identifier: MIT */
/* Owns one world at a time. */
#include "placement_trial.h"

#include "placement_brute.h"
#include "result.h"
#include "segment.h"
#include "two_ends.h"

#include <stdio.h>
#include <stdlib.h>

/* A request on its way through the comparisons. */
struct question {
        struct placement_trial *trial;
        const struct placement_world *world;
        const struct space *const *spaces;
        const struct constraint *want;
};

static void fail(const struct question *q, const char *what)
{
        fprintf(stderr, "world %llu, question %llu: not so: %s\n",
                (unsigned long long)q->trial->worlds, (unsigned long long)q->trial->questions,
                what);
        placement_world_print(q->world, q->want);
        abort();
}

/* Not assert(): this has to hold in every build. */
#define MUST(condition, question)                   \
        do {                                        \
                if (!(condition))                   \
                        fail(question, #condition); \
        } while (0)

static int find(const struct question *q, uint64_t page, struct range *ret)
{
        if (page == 1)
                return placement_find(q->spaces, q->world->n_spaces, q->want, ret);
        return placement_find_aligned(q->spaces, q->world->n_spaces, page, q->want, ret);
}

/* Segments of a place, against those of segment.h. */
static void compare_segments(const struct question *q, struct range place)
{
        const uint64_t count = brute_cut(q->want, place, UINT64_MAX - 1);
        uint64_t first = place.first, n = 0;

        MUST(segment_count(q->want, place) == count, q);
        for (;;) {
                const uint64_t length = segment_length(q->want, first, place.last - first + 1);

                n++;
                MUST(length - 1 <= place.last - first && n <= count, q);
                if (length - 1 == place.last - first)
                        break;
                first += length;
        }
        MUST(n == count, q);
}

static void compare_contiguous(const struct question *q)
{
        const uint64_t page = choose(&q->trial->choices, 2) ? 1 : q->world->page;
        struct range expected = { 0, 0 }, place = { 0, 0 };
        enum limit limit = LIMIT_NONE;
        int r, checked;

        checked = constraint_check(q->want, &limit);
        MUST(!checked || (checked == PAR_REFUSED_NEVER_FITS && limit), q);
        r = brute_find(q->world, q->want, page, &expected);
        q->trial->questions++;
        if (checked) {
                MUST(r, q);
                return;
        }
        MUST(find(q, page, &place) == r, q);
        if (r)
                return;
        MUST(place.first == expected.first && place.last == expected.last, q);
        compare_segments(q, place);
        q->trial->found++;
}

static void compare_two_ends(const struct question *q)
{
        struct range expected = { 0, 0 }, place = { 0, 0 }, highest;
        enum limit limit;
        int r;

        if (constraint_check(q->want, &limit))
                return;
        r = brute_two_ends(q->world, q->want, &expected);
        MUST(two_ends_find(q->spaces, q->world->n_spaces, q->want, &place) == r, q);
        MUST(r || (place.first == expected.first && place.last == expected.last), q);
        if (!r && !find(q, 1, &highest))
                q->trial->lower += place.first < highest.first;
}

static void compare_sums(const struct question *q)
{
        const struct range window = q->want->window;
        const unsigned n = q->world->n_spaces;
        struct range expected = { 0, 0 }, run = { 0, 0 };
        uint64_t bytes = 0;

        MUST(placement_free_bytes(q->spaces, n, window) == brute_bytes(q->world, window), q);
        if (brute_longest(q->world, window, &expected))
                bytes = expected.last - expected.first + 1;
        /* 0 is the whole 64-bit range, if there is one. */
        if (!bytes && expected.last)
                bytes = UINT64_MAX;
        MUST(placement_largest_run(q->spaces, n, window) == bytes, q);
        MUST(placement_find_largest_run(q->spaces, n, window, &run) == (bytes > 0), q);
        MUST(run.first == expected.first && run.last == expected.last, q);
}

/* Places begin and end where they must, do not overlap, and are there. Return: their segments. */
static uint64_t check_places(const struct question *q, const struct range *places, size_t count)
{
        const struct placement_world *world = q->world;
        bool used[WORLD_GRANULES_MAX] = { false };
        uint64_t n = 0, segments = 0;

        for (size_t p = 0; p < count; p++) {
                const uint64_t more =
                        brute_cut(q->want, places[p], brute_segments(q->want) - segments);

                MUST(more != UINT64_MAX, q);
                segments += more;
                MUST(places[p].first % world->page == 0, q);
                MUST(p == count - 1 || places[p].last % world->page == world->page - 1, q);
                MUST(p < 2 || p == count - 1 || places[p].first > places[p - 1].last, q);
                for (unsigned i = 0; i < world->n_granules; i++) {
                        const struct range granule = world_granules(world, i, i);

                        if (!range_overlaps(granule, places[p]))
                                continue;
                        MUST(range_contains(places[p], granule), q);
                        MUST(world_is_free(world, i, q->want->window) && !used[i], q);
                        used[i] = true;
                        n++;
                }
        }
        MUST(n == brute_granules(world, q->want), q);
        return segments;
}

static bool cuts_unaligned(const struct constraint *want)
{
        return (want->boundary_bytes && want->boundary_bytes < want->align_bytes) ||
               (want->max_segment_bytes && want->max_segment_bytes < want->align_bytes);
}

/* Whether the fewest segments were needed; as placement.h says, not in every case. */
static void compare_fewest(const struct question *q, const bool *usable, int r, uint64_t segments)
{
        const uint64_t pages = (q->want->size_bytes - 1) / q->world->page + 1;
        uint64_t best;

        if (segment_bytes_max(q->want) < q->world->page ||
            (q->want->max_segment_bytes && q->want->max_segment_bytes % q->world->page))
                return;
        best = brute_fewest(q->world, q->want, usable, (unsigned)pages);
        MUST((r == 0) == (best <= brute_segments(q->want)), q);
        MUST(r || segments == best, q);
        q->trial->fewest++;
}

static void compare_exists(const struct question *q, uint64_t pages, bool end, int r)
{
        const uint64_t needed = (q->want->size_bytes - 1) / q->world->granule + 1;
        const uint64_t a_page = q->world->page / q->world->granule;

        MUST((r == 0) == (pages * a_page >= needed || (end && pages == needed / a_page)), q);
}

/* @whole_pages: all that is there begins and ends on pages. */
static void compare_scattered(const struct question *q, bool whole_pages)
{
        bool usable[WORLD_GRANULES_MAX], end;
        struct range *places = NULL, place;
        uint64_t pages, segments = 0;
        size_t count = 0;
        enum limit limit;
        int r;

        if (constraint_check(q->want, &limit))
                return;
        q->trial->scattered++;
        r = placement_find_scattered(q->spaces, q->world->n_spaces, q->world->page, q->want,
                                     &places, &count);
        MUST((r == PAR_REFUSED_EXHAUSTED) == (brute_room(q->world, q->want) != 0), q);
        if (!r)
                segments = check_places(q, places, count);
        free(places);
        if (r == PAR_REFUSED_EXHAUSTED)
                return;
        MUST(!r || r == PAR_REFUSED_FRAGMENTED, q);

        if (cuts_unaligned(q->want) || q->want->max_segments == 1) {
                MUST(r == brute_find(q->world, q->want, q->world->page, &place), q);
                return;
        }
        pages = brute_usable(q->world, q->want, usable, &end);
        if (q->want->max_segments == SEGMENTS_ANY)
                compare_exists(q, pages, end, r);
        if (whole_pages && !end && q->world->n_granules <= FEWEST_GRANULES_MAX)
                compare_fewest(q, usable, r, segments);
}

void placement_trial_run(struct placement_trial *trial, uint64_t questions)
{
        struct choices *choices = &trial->choices;

        while (trial->questions < questions && !choices->over) {
                const bool whole_pages = choose(choices, 2);
                struct placement_world world;

                placement_world_init(&world, choices, whole_pages);
                trial->worlds++;
                for (unsigned i = 0; i < 30 && trial->questions < questions && !choices->over;
                     i++) {
                        const struct constraint want = world_choose_request(&world, choices);
                        const struct question question = { trial, &world,
                                                           (const struct space *const *)world.space,
                                                           &want };

                        compare_contiguous(&question);
                        if (i % 2 == 0)
                                compare_two_ends(&question);
                        if (i % 3 == 0)
                                compare_scattered(&question, whole_pages);
                        if (i % 6 == 0)
                                compare_sums(&question);
                }
                placement_world_deinit(&world);
        }
}
