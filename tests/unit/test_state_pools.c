/* SPDX-License-Identifier: MIT */
/*
 * Pools that grow, shrink, are resized and get other settings.
 */
#include "macros.h"
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

static struct world world;

/* A pool of so many frames that may become @max. */
static void init(unsigned frames, unsigned max)
{
        world_init(&world, frames);
        world.pools[0].size_max_bytes = max * PAGE;
        world.pools[0].shrink_delay_ns = 30 * NS_PER_S;
        world.late = true;
}

/* The same, filled, with a client. */
static struct client *start(unsigned frames, unsigned max)
{
        init(frames, max);
        world_start(&world);
        return world_client(&world, 1000, "a");
}

static uint64_t held(void)
{
        return world_bytes(&world).held / PAGE;
}

/* ---- growing on demand ---------------------------------------------------------------------- */

static void test_grow_on_demand(void **unused)
{
        struct status_report report;
        struct refusal refusal;
        struct client *a;

        (void)unused;
        a = start(2, 8);
        assert_int_equal(world_ask(&world, a, world_request(4 * PAGE), 7, &refusal), 0);
        assert_int_equal(world.want[0], 4);
        assert_int_equal(world.n_answers, 0);
        world_serve(&world);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 7);
        assert_int_equal(world.answers[0].r, 0);
        assert_int_equal(held(), 6);
        /* Nobody was refused anything. */
        state_report(world.state, world.now_ns, &report);
        assert_int_equal(report.refusals, 0);
        assert_int_equal(report.grants, 1);
        world_stop(&world);
}

static void test_grow_serves_as_frames_arrive(void **unused)
{
        struct request want = world_request(PAGE);
        struct refusal refusal;
        struct client *a;

        (void)unused;
        a = start(1, 8);
        world_alloc(&world, a, want);
        for (uint64_t i = 0; i < 3; i++)
                assert_int_equal(world_ask(&world, a, want, i, &refusal), 0);
        assert_int_equal(world.want[0], 1); /* one take at a time */
        world_serve(&world);
        assert_int_equal(world.n_answers, 3);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(world.answers[i].ticket, i);
        assert_int_equal(held(), 4);
        world_stop(&world);
}

#define LOW_POOL_FIRST (16 * MiB)
#define LOW_POOL_LAST  (GiB - 1)

static const struct {
        const char *name;
        struct request request;
        uint64_t run_bytes; /* of the wish */
        struct range window;
        uint32_t count; /* 0: no growing */
        bool permanent;
} wish_cases[] = {
        { "one frame",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096 } },
          0,
          { LOW_POOL_FIRST, LOW_POOL_LAST },
          1,
          false },
        { "adjacent frames",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 5 * PAGE + 4096 } },
          6 * PAGE,
          { LOW_POOL_FIRST, LOW_POOL_LAST },
          6,
          false },
        { "in the request's own window",
          { .want = { .window = { 0, 256 * MiB - 1 }, .size_bytes = PAGE } },
          0,
          { LOW_POOL_FIRST, 256 * MiB - 1 },
          1,
          false },
        { "only whole frames of a window",
          { .want = { .window = { 100 * MiB + 4096, 256 * MiB + 4095 }, .size_bytes = PAGE } },
          0,
          { 102 * MiB, 256 * MiB - 1 },
          1,
          false },
        { "a window inside a frame",
          { .want = { .window = { 100 * MiB + 4096, 100 * MiB + 12287 }, .size_bytes = 4096 } },
          0,
          { 100 * MiB, 102 * MiB - 1 },
          1,
          false },
        { "in any pieces: what is not free yet",
          { .want = { .window = { 0, UINT64_MAX },
                      .size_bytes = 5 * PAGE,
                      .max_segments = SEGMENTS_ANY } },
          0,
          { LOW_POOL_FIRST, LOW_POOL_LAST },
          3,
          false },
        { "in two pieces: runs of half of it",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 6 * PAGE, .max_segments = 2 } },
          3 * PAGE,
          { LOW_POOL_FIRST, LOW_POOL_LAST },
          4,
          false },
        { "aligned beyond a frame: a run that is sure to have such a place",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096, .align_bytes = 4 * PAGE } },
          4 * PAGE,
          { LOW_POOL_FIRST, LOW_POOL_LAST },
          4,
          false },
        { "not over a boundary: long enough wherever that lies",
          { .want = { .window = { 0, UINT64_MAX },
                      .size_bytes = 3 * PAGE,
                      .boundary_bytes = 4 * PAGE } },
          5 * PAGE,
          { LOW_POOL_FIRST, LOW_POOL_LAST },
          5,
          false },
        { "as much as the pool may become, with what it has",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 10 * PAGE } },
          10 * PAGE,
          { LOW_POOL_FIRST, LOW_POOL_LAST },
          8,
          false },
        { "more than the pool may become",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 11 * PAGE } },
          0,
          { 0, 0 },
          0,
          true },
        { "outside of the pool",
          { .want = { .window = { GiB, UINT64_MAX }, .size_bytes = PAGE } },
          0,
          { 0, 0 },
          0,
          true },
        { "longer than the part of the pool that is allowed",
          { .want = { .window = { 0, 20 * MiB - 1 }, .size_bytes = 3 * PAGE } },
          0,
          { 0, 0 },
          0,
          true },
        { "on another node",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = PAGE }, .nodes = 2 },
          0,
          { 0, 0 },
          0,
          true },
        { "on the pool's node",
          { .want = { .window = { 0, 128 * MiB - 1 }, .size_bytes = PAGE }, .nodes = 1 },
          0,
          { LOW_POOL_FIRST, 128 * MiB - 1 },
          1,
          false },
};

/* A pool with two frames, both of them somebody else's or scattered, that may hold eight more. */
static void test_grow_wishes(void **unused)
{
        struct refusal refusal;
        struct client *a;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(wish_cases); i++) {
                struct request request = wish_cases[i].request;
                const struct take_wish *wish = &world.wishes[0];
                bool scattered = request.want.max_segments > 1;
                int r;

                init(2, 10);
                world.pools[0].window = (struct range){ LOW_POOL_FIRST, LOW_POOL_LAST };
                world.pools[0].limited = world.pools[0].spill = true;
                world.pools[0].node = 0;
                world_start(&world);
                a = world_client(&world, 1000, "a");
                if (!scattered && wish_cases[i].count < 8 && !wish_cases[i].permanent)
                        world_alloc(&world, world_client(&world, 1001, "b"),
                                    world_request(2 * PAGE));
                r = world_ask(&world, a, request, 1, &refusal);
                if (!r != (wish_cases[i].count > 0) || world.want[0] != wish_cases[i].count)
                        fail_msg("%s: %d, %u frames: %s", wish_cases[i].name, r, world.want[0],
                                 refusal.sentence);
                if (r && refusal.permanent != wish_cases[i].permanent)
                        fail_msg("%s: %s", wish_cases[i].name, refusal.sentence);
                if (!r && (wish->run_bytes != wish_cases[i].run_bytes ||
                           wish->window.first != wish_cases[i].window.first ||
                           wish->window.last != wish_cases[i].window.last))
                        fail_msg("%s: runs of 0x%llx in 0x%llx to 0x%llx", wish_cases[i].name,
                                 (unsigned long long)wish->run_bytes,
                                 (unsigned long long)wish->window.first,
                                 (unsigned long long)wish->window.last);
                if (!r) {
                        world_serve(&world);
                        if (world.n_answers != 1 || world.answers[0].r)
                                fail_msg("%s: %zu answers, %d: %s", wish_cases[i].name,
                                         world.n_answers, world.answers[0].r,
                                         world.answers[0].refusal.sentence);
                }
                world_stop(&world);
        }
}

static void test_grow_in_vain(void **unused)
{
        struct request want = world_request(2 * PAGE);
        struct refusal refusal;
        struct client *a;

        (void)unused;
        init(2, 8);
        world_start(&world);
        world.supply = 0;
        a = world_client(&world, 1000, "a");
        world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(world_ask(&world, a, want, 1, &refusal), 0);
        world_serve(&world);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, PAR_REFUSED_EXHAUSTED);
        assert_false(world.answers[0].refusal.permanent);
        assert_string_equal(world.answers[0].refusal.sentence,
                            "4 MiB in one piece anywhere: 2 MiB are free there, the largest run is "
                            "2 MiB; pool any cannot grow now: the system has no more 2 MiB pages "
                            "in runs of 4 MiB");
        /* Nobody asks the system for that again before a second has passed, or for more... */
        assert_int_equal(world_ask(&world, a, want, 2, &refusal), PAR_REFUSED_EXHAUSTED);
        assert_int_equal(world_ask(&world, a, world_request(3 * PAGE), 2, &refusal),
                         PAR_REFUSED_EXHAUSTED);
        assert_int_equal(world.n_takes, 2);
        /* ... and then after two. */
        world_pass(&world, NS_PER_S);
        assert_int_equal(world_ask(&world, a, want, 3, &refusal), 0);
        world_serve(&world);
        assert_int_equal(world.n_answers, 2);
        world_pass(&world, NS_PER_S);
        assert_int_equal(world_ask(&world, a, want, 4, &refusal), PAR_REFUSED_EXHAUSTED);
        world_pass(&world, NS_PER_S);
        world.supply = 100;
        assert_int_equal(world_ask(&world, a, want, 5, &refusal), 0);
        world_serve(&world);
        assert_int_equal(world.answers[2].r, 0);
        world_stop(&world);
}

static void test_grow_in_vain_tells_that_runs_were_wanted(void **unused)
{
        struct refusal refusal;
        struct client *a;

        (void)unused;
        a = start(1, 8);
        assert_int_equal(world_ask(&world, a, world_request(2 * PAGE), 1, &refusal), 0);
        world_serve_take(&world, 0, 0, -EFBIG);
        assert_string_equal(world.answers[0].refusal.sentence,
                            "4 MiB in one piece anywhere: 2 MiB are free there, the largest run is "
                            "2 MiB; pool any cannot grow now: no more is to be found anywhere in "
                            "runs of 4 MiB without a harvest, and harvest_max is 0 B");
        world_stop(&world);
}

static void test_what_is_easier_is_still_asked_for(void **unused)
{
        struct request one = world_request(PAGE);
        struct refusal refusal;
        struct client *a;

        (void)unused;
        a = start(1, 16);
        world_alloc(&world, a, one);
        world.scatter = 1; /* no runs to be had */
        assert_int_equal(world_ask(&world, a, world_request(4 * PAGE), 1, &refusal), 0);
        world_serve(&world);
        assert_int_equal(world.answers[0].r, PAR_REFUSED_EXHAUSTED);
        assert_int_equal(world_ask(&world, a, world_request(8 * PAGE), 2, &refusal),
                         PAR_REFUSED_EXHAUSTED);
        assert_int_equal(world_ask(&world, a, one, 3, &refusal), 0);
        world_serve(&world);
        assert_int_equal(world.answers[1].ticket, 3);
        assert_int_equal(world.answers[1].r, 0);
        world_stop(&world);
}

static void test_many_failures_end_the_asking(void **unused)
{
        struct refusal refusal;
        struct client *a;
        unsigned takes;

        (void)unused;
        init(1, 64);
        world_start(&world);
        world.supply = 0;
        a = world_client(&world, 1000, "a");
        world_alloc(&world, a, world_request(PAGE));
        takes = world.n_takes;
        /* Each is easier than the last. */
        for (uint64_t i = 40; i > 1; i--) {
                (void)world_ask(&world, a, world_request(i * PAGE), i, &refusal);
                world_serve(&world);
        }
        assert_int_equal(world.n_takes - takes, 4);
        world_stop(&world);
}

/* Frames come, but none on the node that is wanted. */
static void test_growth_that_does_not_help_ends(void **unused)
{
        struct request want = world_request(PAGE);
        struct refusal refusal;
        struct client *a;
        unsigned takes;

        (void)unused;
        a = start(1, 64);
        takes = world.n_takes;
        want.nodes = 1;
        assert_int_equal(world_ask(&world, a, want, 1, &refusal), 0);
        world_serve(&world);
        assert_int_equal(world.n_takes - takes, 4);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, PAR_REFUSED_EXHAUSTED);
        world_stop(&world);
}

static void test_growing_is_waited_for_2_s_at_most(void **unused)
{
        struct refusal refusal;
        struct client *a;

        (void)unused;
        a = start(1, 8);
        world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(world_ask(&world, a, world_request(PAGE), 1, &refusal), 0);
        world_pass(&world, 2 * NS_PER_S - 1);
        assert_int_equal(world.n_answers, 0);
        world_pass(&world, 1);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, PAR_REFUSED_EXHAUSTED);
        assert_false(world.answers[0].refusal.growing);
        world_serve(&world); /* comes too late, and stays for the next */
        assert_non_null(world_alloc(&world, a, world_request(PAGE)));
        world_stop(&world);
}

static void test_who_waits_for_others_asks_too(void **unused)
{
        struct request want = world_request(PAGE);
        struct buffer *buffer;
        struct refusal refusal;
        struct client *a, *b;

        (void)unused;
        init(1, 2);
        world_start(&world);
        world.supply = 0;
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        buffer = world_alloc(&world, a, want);
        assert_int_equal(state_wait(world.state, b, &want, UINT64_MAX, 1, world.now_ns, &refusal),
                         0);
        world_serve(&world);
        assert_int_equal(world.n_answers, 0);
        state_release(world.state, a, world_id(buffer), world.now_ns);
        world_let_leave(&world);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, 0);
        /* Later the system has some again. */
        assert_int_equal(state_wait(world.state, a, &want, UINT64_MAX, 2, world.now_ns, &refusal),
                         0);
        world.supply = 1;
        world_pass(&world, 2 * NS_PER_S);
        world_serve(&world);
        assert_int_equal(world.n_answers, 2);
        assert_int_equal(world.answers[1].r, 0);
        world_stop(&world);
}

static void test_what_is_asked_for_ahead_gives_way(void **unused)
{
        struct request low = world_request(PAGE);
        struct refusal refusal;
        struct client *a;

        (void)unused;
        a = start(4, 16);
        world.pools[0].spare_bytes = 8 * PAGE;
        world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(world.want[0], 5);
        assert_false(world.cancelled[0]);
        low.want.window.last = GiB - 1;
        assert_int_equal(world_ask(&world, a, low, 1, &refusal), 0);
        assert_true(world.cancelled[0]);
        assert_int_equal(world_serve_take(&world, 0, 2, -ECANCELED), 2);
        assert_int_equal(world.want[0], 1);
        assert_int_equal(world.wishes[0].window.last, GiB - 1);
        world_serve(&world);
        assert_int_equal(world.answers[0].r, 0);
        /* And then it goes on. */
        assert_int_equal(world_bytes(&world).free, 8 * PAGE);
        world_stop(&world);
}

static void test_a_harvest_is_not_given_up_for_one(void **unused)
{
        struct request low = world_request(PAGE);
        struct refusal refusal;
        struct client *a;

        (void)unused;
        a = start(4, 16);
        world.pools[0].spare_bytes = 8 * PAGE;
        world_alloc(&world, a, world_request(PAGE));
        state_taking(world.state, 0, 1, GiB, world.now_ns);
        low.want.window.last = GiB - 1;
        assert_int_equal(world_ask(&world, a, low, 1, &refusal), 0);
        assert_false(world.cancelled[0]);
        world_serve(&world);
        assert_int_equal(world.answers[0].r, 0);
        world_stop(&world);
}

static void test_permanent_is_what_no_growth_can_change(void **unused)
{
        struct refusal refusal;
        struct client *a;

        (void)unused;
        init(2, 4);
        world_start(&world);
        world.supply = 0;
        a = world_client(&world, 1000, "a");
        assert_int_equal(world_ask(&world, a, world_request(4 * PAGE), 1, &refusal), 0);
        world_serve(&world);
        /* The system has none, but that may change. */
        assert_false(world.answers[0].refusal.permanent);
        assert_int_equal(world_refused(&world, a, world_request(5 * PAGE), &refusal),
                         PAR_REFUSED_NEVER_FITS);
        assert_true(refusal.permanent && !refusal.growing);
        assert_string_equal(refusal.sentence, "10 MiB in one piece anywhere can never be had: no "
                                              "pool there may hold more than 8 MiB");
        /* What it has itself does not come by waiting. */
        world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(world_refused(&world, a, world_request(4 * PAGE), &refusal),
                         PAR_REFUSED_NEVER_FITS);
        world_stop(&world);
}

/* ---- ahead of demand, and back -------------------------------------------------------------- */

static void test_spare_is_kept_ahead(void **unused)
{
        struct client *a;

        (void)unused;
        init(2, 6);
        world.pools[0].spare_bytes = 2 * PAGE;
        world_start(&world);
        assert_int_equal(held(), 2);
        a = world_client(&world, 1000, "a");
        for (unsigned i = 0; i < 6; i++) {
                world_alloc(&world, a, world_request(PAGE));
                world_serve(&world);
                assert_int_equal(held(), i + 3 < 6 ? i + 3 : 6);
        }
        world_stop(&world);
}

static void test_spare_that_cannot_be_had_is_not_asked_for_all_the_time(void **unused)
{
        struct client *a;
        unsigned takes;

        (void)unused;
        init(8, 64);
        world_start(&world);
        world.supply = 0;
        world.pools[0].spare_bytes = 8 * PAGE;
        a = world_client(&world, 1000, "a");
        takes = world.n_takes;
        for (unsigned i = 0; i < 8; i++) {
                world_alloc(&world, a, world_request(PAGE));
                world_serve(&world);
        }
        assert_int_equal(world.n_takes - takes, 1);
        for (unsigned i = 0; i < 400; i++) {
                world_pass(&world, NS_PER_S);
                world_serve(&world);
        }
        assert_in_range(world.n_takes - takes, 8, 13); /* 1, 2, 4 ... 60 s */
        world_stop(&world);
}

static void test_shrink_when_idle(void **unused)
{
        struct buffer *buffers[6];
        struct client *a;

        (void)unused;
        init(2, 8);
        world.pools[0].spare_bytes = PAGE;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        for (unsigned i = 0; i < 6; i++) {
                buffers[i] = world_alloc(&world, a, world_request(PAGE));
                world_serve(&world);
        }
        assert_int_equal(held(), 7);
        for (unsigned i = 0; i < 6; i++)
                state_release(world.state, a, world_id(buffers[i]), world.now_ns);
        world_let_leave(&world);
        world_pass(&world, 30 * NS_PER_S - 1);
        assert_int_equal(held(), 7);
        world_pass(&world, 30 * NS_PER_S / 4 + 1);
        assert_int_equal(held(), 2);
        world_stop(&world);
}

static void test_shrink_keeps_what_was_needed_meanwhile(void **unused)
{
        struct buffer *buffer;
        struct client *a;

        (void)unused;
        init(8, 8);
        world_start(&world);
        world.pools[0].size_min_bytes = PAGE;
        state_reconfigure(world.state, &world.settings, world.now_ns);
        a = world_client(&world, 1000, "a");
        world_pass(&world, 10 * NS_PER_S);
        buffer = world_alloc(&world, a, world_request(5 * PAGE)); /* for a moment */
        state_release(world.state, a, world_id(buffer), world.now_ns);
        world_let_leave(&world);
        world_pass(&world, 20 * NS_PER_S);
        assert_int_equal(held(), 5);
        world_pass(&world, 20 * NS_PER_S);
        assert_int_equal(held(), 1);
        world_stop(&world);
}

static void test_shrink_leaves_the_long_runs(void **unused)
{
        struct refusal refusal;
        struct client *a;

        (void)unused;
        a = start(4, 64);
        /* Single frames, a run, single frames. */
        world.scatter = 1;
        assert_int_equal(state_resize(world.state, world_client(&world, 0, "root"), "any",
                                      12 * PAGE, world.now_ns, &refusal),
                         0);
        world_serve(&world);
        world.scatter = 0;
        assert_int_equal(world_ask(&world, a, world_request(6 * PAGE), 1, &refusal), 0);
        world_serve(&world);
        assert_int_equal(state_release(world.state, a, world.answers[0].buffer, world.now_ns), 0);
        world_let_leave(&world);
        assert_int_equal(held(), 18);
        assert_int_equal(state_resize(world.state, world_client(&world, 0, "root"), "any", 8 * PAGE,
                                      world.now_ns, &refusal),
                         0);
        world_pass(&world, NS_PER_S);
        assert_int_equal(held(), 8);
        assert_true(world_pool(&world, 0).largest_run_bytes >= 6 * PAGE);
        world_stop(&world);
}

static void test_runs_only(void **unused)
{
        struct refusal refusal;
        struct client *a;

        (void)unused;
        init(8, 32);
        world.pools[0].run_min_bytes = 4 * PAGE;
        world_start(&world);
        assert_int_equal(world.wishes[0].run_bytes, 4 * PAGE);
        a = world_client(&world, 1000, "a");
        world_alloc(&world, a, world_request(8 * PAGE));
        assert_int_equal(world_ask(&world, a, world_request(4096), 1, &refusal), 0);
        assert_int_equal(world.want[0], 4); /* no part of a run */
        world_serve(&world);
        assert_int_equal(world.answers[0].r, 0);
        assert_int_equal(held(), 12);
        world_pass(&world, 60 * NS_PER_S);
        assert_int_equal(held(), 12);
        world_stop(&world);
}

/* ---- the beginning -------------------------------------------------------------------------- */

static void test_filled_is_told_after_5_s(void **unused)
{
        (void)unused;
        init(2, 2);
        world_add_pool(&world, "low", 0, GiB - 1, 2);
        world_new(&world);
        assert_int_equal(state_start(world.state, world.now_ns), 0);
        world_serve_take(&world, 0, 2, 0);
        state_taking(world.state, 1, 1, GiB, world.now_ns);
        assert_string_equal(world_pool(&world, 1).state, "harvesting");
        assert_int_equal(world.n_filled, 0);
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(world.n_filled, 1);
        assert_string_equal(world_pool(&world, 1).state, "harvesting");
        world_pass(&world, 60 * NS_PER_S);
        assert_int_equal(world.n_filled, 1);
        world_serve_take(&world, 1, 2, 0);
        assert_int_equal(world.n_filled, 2);
        assert_string_equal(world_pool(&world, 1).state, "ready");
        world_stop(&world);
}

static const struct {
        const char *name;
        struct take_result result;
        const char *note;
} note_cases[] = {
        { "all of it", { .got = 16, .seen = { 1, 0 } }, "" },
        { "the system has none",
          { .got = 8, .r = -ENOMEM, .seen = { 1, 0 } },
          "16 MiB of 32 MiB: the system has no more 2 MiB pages" },
        { "none there",
          { .got = 8, .r = -ENOMEM, .seen = { 5 * GiB, 6 * GiB - 1 } },
          "16 MiB of 32 MiB: the other 2 MiB pages that the system has lie between 0x140000000 and "
          "0x17fffffff" },
        { "all that was seen is there",
          { .got = 8, .r = -ENOMEM, .seen = { 2 * GiB, 3 * GiB - 1 } },
          "16 MiB of 32 MiB: the system has no more 2 MiB pages" },
        { "a harvest that found the end of the system",
          { .got = 8, .r = -ENOMEM, .seen = { GiB, 9 * GiB - 1 }, .held_bytes = 8 * GiB },
          "16 MiB of 32 MiB: held 8 GiB and found no more below 4 GiB" },
        { "harvest_max",
          { .got = 8, .r = -EFBIG, .seen = { GiB, 9 * GiB - 1 }, .held_bytes = 8 * GiB },
          "16 MiB of 32 MiB: held 8 GiB (harvest_max) and found no more below 4 GiB" },
        { "no harvest allowed",
          { .got = 8, .r = -EFBIG, .seen = { 1, 0 } },
          "16 MiB of 32 MiB: no more is to be found below 4 GiB without a harvest, and harvest_max "
          "is 0 B" },
        { "keep_free",
          { .got = 8, .r = -EDQUOT, .seen = { 1, 0 } },
          "16 MiB of 32 MiB: keep_free forbids taking more from the system" },
        { "keep_free in a harvest",
          { .got = 8, .r = -EDQUOT, .seen = { 1, 0 }, .held_bytes = GiB },
          "16 MiB of 32 MiB: held 1 GiB and found no more below 4 GiB; keep_free forbids taking "
          "more" },
        { "a limit",
          { .got = 8, .r = -EUSERS, .seen = { 1, 0 } },
          "16 MiB of 32 MiB: the system has more 2 MiB pages, but not for pard: the hugetlb limit "
          "of "
          "its cgroup" },
        { "no pins",
          { .got = 0, .r = -EPERM, .seen = { 1, 0 } },
          "0 B of 32 MiB: pages cannot be pinned here; pin = \"optional\" takes them all the "
          "same" },
        { "something else",
          { .got = 8, .r = -EIO, .seen = { 1, 0 } },
          "16 MiB of 32 MiB: Input/output error" },
};

static void test_notes(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(note_cases); i++) {
                struct take_result result = note_cases[i].result;
                struct status_report status;
                struct pool_report report;

                init(16, 16);
                world.pools[0].window.last = 4 * GiB - 1;
                world.pools[0].limited = true;
                world_new(&world);
                assert_int_equal(state_start(world.state, world.now_ns), 0);
                assert_string_equal(world_pool(&world, 0).state, "filling");
                world_arrive(&world, 0, result.got);
                world.want[0] = 0;
                state_taken(world.state, 0, &result, world.now_ns);
                report = world_pool(&world, 0);
                if (strcmp(report.note, note_cases[i].note) != 0 ||
                    strcmp(report.state, note_cases[i].note[0] ? "short" : "ready") != 0)
                        fail_msg("%s: %s: %s", note_cases[i].name, report.state, report.note);
                /* An empty pool once said that all of it is pinned. */
                state_report(world.state, world.now_ns, &status);
                assert_true(report.pinned == (result.r != -EPERM));
                assert_true(status.pinned == (result.r != -EPERM));
                world_stop(&world);
        }
}

static void test_a_short_pool_is_filled_when_the_system_has_more(void **unused)
{
        (void)unused;
        init(4, 4);
        world.supply = 1;
        world_start(&world);
        assert_string_equal(world_pool(&world, 0).state, "short");
        world.supply = 8;
        world_pass(&world, 3 * NS_PER_S);
        assert_int_equal(world.want[0], 3);
        assert_string_equal(world_pool(&world, 0).state, "growing");
        world_serve(&world);
        assert_int_equal(held(), 4);
        assert_string_equal(world_pool(&world, 0).note, "");
        world_stop(&world);
}

static void test_a_harvest_in_vain_is_not_repeated_soon(void **unused)
{
        struct take_result result = {
                .got = 2, .r = -EFBIG, .seen = { 1, 0 }, .held_bytes = GiB, .harvested = true
        };
        struct refusal refusal;

        (void)unused;
        init(4, 4);
        world_new(&world);
        assert_int_equal(state_start(world.state, world.now_ns), 0);
        world_arrive(&world, 0, 2);
        world.want[0] = 0;
        state_taken(world.state, 0, &result, world.now_ns);
        world_pass(&world, 600 * NS_PER_S - 1);
        assert_int_equal(world.want[0], 0);
        world_pass(&world, 1);
        assert_int_equal(world.want[0], 2);
        world.want[0] = 0;
        state_taken(world.state, 0, &result, world.now_ns);
        /* Unless an administrator wants it. */
        assert_int_equal(state_resize(world.state, world_client(&world, 0, "root"), "any", 4 * PAGE,
                                      world.now_ns, &refusal),
                         0);
        assert_int_equal(world.want[0], 2);
        world_stop(&world);
}

/* ---- an administrator's size ---------------------------------------------------------------- */

static void test_resize(void **unused)
{
        struct client *a, *root;
        struct refusal refusal;

        (void)unused;
        a = start(2, 8);
        root = world_client(&world, 0, "root");
        assert_int_equal(
                state_resize(world.state, root, "any", 5 * PAGE + 1, world.now_ns, &refusal), 0);
        world_serve(&world);
        assert_int_equal(held(), 6);
        world_pass(&world, 3600 * NS_PER_S);
        assert_int_equal(held(), 6);
        world_alloc(&world, a, world_request(PAGE));
        world.supply = 1;
        assert_int_equal(state_resize(world.state, root, "any", 8 * PAGE, world.now_ns, &refusal),
                         0);
        world_serve(&world);
        assert_string_equal(world_pool(&world, 0).note,
                            "14 MiB of 16 MiB: the system has no more 2 MiB pages");
        assert_int_equal(state_resize(world.state, root, "any", 2 * PAGE, world.now_ns, &refusal),
                         0);
        assert_string_equal(world_pool(&world, 0).note, "");
        world_pass(&world, 0); /* not after shrink_delay: he wants it now */
        assert_int_equal(held(), 2);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        world_stop(&world);
}

static void test_resize_ends_a_take(void **unused)
{
        struct refusal refusal;
        struct client *root;

        (void)unused;
        init(2, 16);
        world_start(&world);
        root = world_client(&world, 0, "root");
        assert_int_equal(state_resize(world.state, root, "any", 16 * PAGE, world.now_ns, &refusal),
                         0);
        assert_int_equal(world.want[0], 14);
        /* Less, but more than there is: the take goes on. */
        assert_int_equal(state_resize(world.state, root, "any", 8 * PAGE, world.now_ns, &refusal),
                         0);
        assert_false(world.cancelled[0]);
        assert_int_equal(state_resize(world.state, root, "any", 2 * PAGE, world.now_ns, &refusal),
                         0);
        assert_true(world.cancelled[0]);
        /* What had been found by then goes back at once, and nothing more is asked for. */
        assert_int_equal(world_serve_take(&world, 0, 5, -ECANCELED), 5);
        world_pass(&world, 0);
        assert_int_equal(held(), 2);
        assert_int_equal(world.want[0], 0);
        assert_string_equal(world_pool(&world, 0).note, "");
        world_stop(&world);
}

static const struct {
        const char *name, *pool;
        uint64_t bytes;
        uint32_t uid;
        int result;
        const char *sentence;
} resize_cases[] = {
        { "a user", "any", 4 * PAGE, 1000, PAR_REFUSED_DENIED, "for administrators only" },
        { "a pool that is not there", "nope", 4 * PAGE, 0, PAR_REFUSED_INVALID,
          "there is no pool nope" },
        { "no pool", NULL, 4 * PAGE, 0, PAR_REFUSED_INVALID, "there is no pool" },
        { "below size_min", "any", PAGE, 0, PAR_REFUSED_INVALID,
          "2 MiB is not between size_min (4 MiB) and size_max (16 MiB) of pool any" },
        { "above size_max", "any", 9 * PAGE, 0, PAR_REFUSED_INVALID, "18 MiB is not between" },
        { "out of this world", "any", UINT64_MAX, 0, PAR_REFUSED_INVALID, "is not between" },
};

static void test_resize_refused(void **unused)
{
        (void)unused;
        init(2, 8);
        world_start(&world);
        for (size_t i = 0; i < ARRAY_SIZE(resize_cases); i++) {
                struct client *client = world_client(&world, resize_cases[i].uid, "c");
                struct refusal refusal = { 0 };
                int r;

                r = state_resize(world.state, client, resize_cases[i].pool, resize_cases[i].bytes,
                                 world.now_ns, &refusal);
                if (r != resize_cases[i].result || r != refusal.result ||
                    !strstr(refusal.sentence, resize_cases[i].sentence))
                        fail_msg("%s: %d: %s", resize_cases[i].name, r, refusal.sentence);
                client_end(world.state, client, true, world.now_ns);
        }
        world_pass(&world, NS_PER_S);
        assert_int_equal(held(), 2);
        assert_int_equal(world.want[0], 0);
        world_stop(&world);
}

/* ---- other settings ------------------------------------------------------------------------- */

static void test_reconfigure_sizes(void **unused)
{
        struct pool_settings pools[1];
        struct state_settings settings;
        struct buffer *buffer;
        struct client *a;

        (void)unused;
        a = start(4, 8);
        buffer = world_alloc(&world, a, world_request(3 * PAGE));
        pools[0] = world.pools[0];
        settings = world.settings;
        settings.pools = pools;
        pools[0].size_min_bytes = pools[0].size_max_bytes = 6 * PAGE;
        state_reconfigure(world.state, &settings, world.now_ns);
        world_serve(&world);
        assert_int_equal(held(), 6);

        /* Less than is in use: what is free goes at once, the rest when it is freed. */
        world.pools[0].size_min_bytes = world.pools[0].size_max_bytes = 2 * PAGE;
        state_reconfigure(world.state, &world.settings, world.now_ns);
        world_pass(&world, 0);
        assert_int_equal(held(), 3);
        assert_int_equal(world_bytes(&world).granted, 3 * PAGE);
        state_release(world.state, a, world_id(buffer), world.now_ns);
        world_let_leave(&world);
        assert_int_equal(held(), 2);
        world_stop(&world);
}

static void test_reconfigure_keeps_a_size_that_was_set(void **unused)
{
        struct refusal refusal;

        (void)unused;
        init(2, 8);
        world_start(&world);
        assert_int_equal(state_resize(world.state, world_client(&world, 0, "root"), "any", 5 * PAGE,
                                      world.now_ns, &refusal),
                         0);
        world_serve(&world);
        world.pools[0].size_min_bytes = 3 * PAGE;
        state_reconfigure(world.state, &world.settings, world.now_ns);
        world_pass(&world, 100 * NS_PER_S);
        assert_int_equal(held(), 5);
        world.pools[0].size_max_bytes = 4 * PAGE;
        state_reconfigure(world.state, &world.settings, world.now_ns);
        world_pass(&world, 0);
        assert_int_equal(held(), 4);
        world_stop(&world);
}

static void test_reconfigure_permissions(void **unused)
{
        struct principal allow[] = { { .id = 1001 } };
        struct request want = world_request(2 * PAGE);
        struct refusal refusal;
        struct client *a, *b;
        struct buffer *buffer;

        (void)unused;
        a = start(2, 2);
        b = world_client(&world, 1001, "b");
        buffer = world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(state_wait(world.state, a, &want, UINT64_MAX, 1, world.now_ns, &refusal),
                         0);
        assert_int_equal(state_wait(world.state, b, &want, UINT64_MAX, 2, world.now_ns, &refusal),
                         0);
        world.pools[0].allow = allow;
        world.pools[0].n_allow = 1;
        world.settings.admin_group = 1001;
        state_reconfigure(world.state, &world.settings, world.now_ns);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 1);
        assert_int_equal(world.answers[0].r, PAR_REFUSED_DENIED);
        assert_true(client_is_admin(world.state, b));
        assert_false(client_is_admin(world.state, a));
        assert_int_equal(world_refused(&world, a, world_request(4096), &refusal),
                         PAR_REFUSED_DENIED);
        /* What it has it keeps, and may free. */
        assert_int_equal(state_release(world.state, a, world_id(buffer), world.now_ns), 0);
        world_let_leave(&world);
        assert_int_equal(world.n_answers, 2);
        assert_int_equal(world.answers[1].r, 0);
        world_stop(&world);
}

static void test_reconfigure_devices(void **unused)
{
        struct request want = world_request(2 * PAGE);
        struct device_settings devices[2];
        struct state_settings settings;
        struct refusal refusal;
        struct client *a, *b;

        (void)unused;
        init(2, 2);
        world.devices[0] = (struct device_settings){
                .name = (char *)(uintptr_t) "dev",
                .limits = { .window = { 0, UINT64_MAX }, .align_bytes = 1 },
        };
        world.settings.n_devices = 1;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        world_alloc(&world, b, world_request(PAGE));
        want.device = "dev";
        assert_int_equal(state_wait(world.state, a, &want, UINT64_MAX, 1, world.now_ns, &refusal),
                         0);
        settings = world.settings;
        devices[0] = world.devices[0];
        devices[0].name = (char *)(uintptr_t) "other";
        settings.devices = devices;
        state_reconfigure(world.state, &settings, world.now_ns);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, PAR_REFUSED_INVALID);
        assert_null(state_device(world.state, "dev"));
        assert_non_null(state_device(world.state, "other"));
        world_stop(&world);
}

static void test_reconfigure_lets_waiters_grow(void **unused)
{
        struct request want = world_request(3 * PAGE);
        struct refusal refusal;
        struct client *a, *b;

        (void)unused;
        a = start(3, 3);
        b = world_client(&world, 1001, "b");
        world_alloc(&world, b, world_request(PAGE));
        assert_int_equal(state_wait(world.state, a, &want, UINT64_MAX, 1, world.now_ns, &refusal),
                         0);
        assert_int_equal(world.want[0], 0);
        world.pools[0].size_max_bytes = 8 * PAGE;
        state_reconfigure(world.state, &world.settings, world.now_ns);
        assert_int_equal(world.want[0], 3);
        world_serve(&world);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, 0);
        world_stop(&world);
}

/* One that was to come back can be gone and replaced, and arrive all the same. */
static void test_what_arrives_beyond_size_max_goes_back(void **unused)
{
        struct client *a;

        (void)unused;
        init(2, 3);
        world_start(&world);
        world_arrive_at(&world, 0, GiB);
        assert_int_equal(held(), 3);
        assert_int_equal(world_bytes(&world).leaving, 0);
        world_arrive_at(&world, 0, GiB + PAGE);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        world_let_leave(&world);
        assert_int_equal(held(), 3);
        a = world_client(&world, 1000, "a");
        world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(world_bytes(&world).free, 2 * PAGE);
        world_stop(&world);
}

/* What comes for a frame that is leaving is there before that frame is gone, and is not too much.
 */
static void test_what_comes_back_is_not_beyond_size_max(void **unused)
{
        struct buffer *buffer;
        struct client *a;

        (void)unused;
        init(2, 2);
        world.clumsy = true;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, a, world_request(PAGE));
        state_release(world.state, a, world_id(buffer), world.now_ns);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        world_arrive_at(&world, 0, GiB);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        world_stop(&world);
}

static void test_counters(void **unused)
{
        struct pool_counters counters;
        struct refusal refusal;
        struct client *a;

        (void)unused;
        a = start(2, 4);
        assert_int_equal(world_ask(&world, a, world_request(3 * PAGE), 1, &refusal), 0);
        world_arrive(&world, 0, 2);
        world.want[0] = 0;
        state_taken(world.state, 0,
                    &(struct take_result){ .got = 2, .seen = { 1, 0 }, .harvested = true },
                    world.now_ns);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(state_release(world.state, a, world.answers[0].buffer, world.now_ns), 0);
        world_let_leave(&world);
        world_pass(&world, 40 * NS_PER_S);
        state_pool_counters(world.state, 0, &counters);
        assert_int_equal(counters.grants, 1);
        assert_int_equal(counters.frees, 1);
        assert_int_equal(counters.grown_frames, 4);
        assert_int_equal(counters.shrunk_frames, 2);
        assert_int_equal(counters.harvests, 1);
        assert_int_equal(counters.lost_to_system, 0);
        assert_int_equal(counters.waits, 0); /* growing is not waiting */
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_grow_on_demand),
                cmocka_unit_test(test_grow_serves_as_frames_arrive),
                cmocka_unit_test(test_grow_wishes),
                cmocka_unit_test(test_grow_in_vain),
                cmocka_unit_test(test_grow_in_vain_tells_that_runs_were_wanted),
                cmocka_unit_test(test_what_is_easier_is_still_asked_for),
                cmocka_unit_test(test_many_failures_end_the_asking),
                cmocka_unit_test(test_growth_that_does_not_help_ends),
                cmocka_unit_test(test_growing_is_waited_for_2_s_at_most),
                cmocka_unit_test(test_who_waits_for_others_asks_too),
                cmocka_unit_test(test_what_is_asked_for_ahead_gives_way),
                cmocka_unit_test(test_a_harvest_is_not_given_up_for_one),
                cmocka_unit_test(test_permanent_is_what_no_growth_can_change),
                cmocka_unit_test(test_spare_is_kept_ahead),
                cmocka_unit_test(test_spare_that_cannot_be_had_is_not_asked_for_all_the_time),
                cmocka_unit_test(test_shrink_when_idle),
                cmocka_unit_test(test_shrink_keeps_what_was_needed_meanwhile),
                cmocka_unit_test(test_shrink_leaves_the_long_runs),
                cmocka_unit_test(test_runs_only),
                cmocka_unit_test(test_filled_is_told_after_5_s),
                cmocka_unit_test(test_notes),
                cmocka_unit_test(test_a_short_pool_is_filled_when_the_system_has_more),
                cmocka_unit_test(test_a_harvest_in_vain_is_not_repeated_soon),
                cmocka_unit_test(test_resize),
                cmocka_unit_test(test_resize_ends_a_take),
                cmocka_unit_test(test_resize_refused),
                cmocka_unit_test(test_reconfigure_sizes),
                cmocka_unit_test(test_reconfigure_keeps_a_size_that_was_set),
                cmocka_unit_test(test_reconfigure_permissions),
                cmocka_unit_test(test_reconfigure_devices),
                cmocka_unit_test(test_reconfigure_lets_waiters_grow),
                cmocka_unit_test(test_what_arrives_beyond_size_max_goes_back),
                cmocka_unit_test(test_what_comes_back_is_not_beyond_size_max),
                cmocka_unit_test(test_counters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
