/* SPDX-License-Identifier: MIT */
/*
 * Windows of a pool that are emptied.
 */
#include "macros.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)
#define TOP  (4 * GiB) /* where frames end */

static struct world world;
static struct client *a, *root;

/* Frames at TOP - n pages and up. */
static void begin(unsigned frames, unsigned max)
{
        world_init(&world, frames);
        world.pools[0].window.last = TOP - 1;
        world.pools[0].size_max_bytes = max * PAGE;
        world.pools[0].shrink_delay_ns = 30 * NS_PER_S;
        world.late = true;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        root = world_client(&world, 0, "root");
}

/* The pages from the @from-th below the top down, @count of them. */
static struct range pages(unsigned from, unsigned count)
{
        return range_of(TOP - (from + count) * PAGE, count * PAGE);
}

static uint64_t drain(struct range window, bool begins)
{
        struct refusal refusal = { 0 };
        uint64_t bytes = UINT64_MAX;
        int r;

        r = state_drain(world.state, root, "any", window, begins, world.now_ns, &bytes, &refusal);
        if (r)
                fail_msg("%s", refusal.sentence);
        return bytes;
}

static bool has_frame_in(struct range window)
{
        for (uint32_t i = 0; i < world.n_slots; i++)
                if (world.frames[i].held &&
                    range_overlaps(window, range_of(world.frames[i].phys, PAGE)))
                        return true;
        return false;
}

static void test_free_frames_go(void **unused)
{
        (void)unused;
        begin(8, 8);
        assert_int_equal(drain(pages(2, 3), true), 3 * PAGE); /* not gone yet */
        assert_string_equal(world_pool(&world, 0).state, "draining");
        assert_int_equal(world_pool(&world, 0).draining_bytes, 3 * PAGE);
        world_let_leave(&world);
        assert_false(has_frame_in(pages(2, 3)));
        assert_int_equal(world_bytes(&world).held, 5 * PAGE);
        assert_int_equal(drain(pages(2, 3), true), 0);
        /* Others come in their place, from elsewhere. */
        world_serve(&world);
        assert_int_equal(world_bytes(&world).held, 8 * PAGE);
        assert_false(has_frame_in(pages(2, 3)));
        assert_string_equal(world_pool(&world, 0).state, "ready");
        world_stop(&world);
}

static void test_what_is_in_use_goes_when_it_is_freed(void **unused)
{
        struct request below = world_request(3 * PAGE);
        struct buffer *one, *many;

        (void)unused;
        begin(8, 8);
        one = world_alloc(&world, a, world_request(4096));
        below.want.window = pages(1, 3);
        many = world_alloc(&world, a, below);
        assert_int_equal(drain(pages(1, 2), true), 2 * PAGE);
        assert_int_equal(world.n_of_type[EVENT_DRAINING], 1);
        assert_int_equal(world.last_event.buffer, world_id(many));
        assert_int_equal(world.last_event.offset, PAGE);
        assert_int_equal(world.last_event.length, 2 * PAGE);
        assert_int_equal(drain(pages(0, 3), true), 3 * PAGE);
        assert_int_equal(world.n_of_type[EVENT_DRAINING], 2);
        assert_int_equal(world.last_event.buffer, world_id(one));
        assert_int_equal(drain(pages(0, 3), true), 3 * PAGE);
        assert_int_equal(world.n_of_type[EVENT_DRAINING], 2); /* once */
        /* The rest of that frame is not for its owner any more. */
        assert_true(world_first(world_alloc(&world, a, world_request(4096))) < pages(3, 1).first);
        state_release(world.state, a, world_id(one), world.now_ns);
        state_release(world.state, a, world_id(many), world.now_ns);
        world_let_leave(&world);
        assert_false(has_frame_in(pages(0, 3)));
        assert_true(has_frame_in(pages(3, 1))); /* the buffer's last frame came back */
        world_stop(&world);
}

static void test_what_is_kept_for_its_owner_goes(void **unused)
{
        struct buffer *buffer;

        (void)unused;
        begin(4, 4);
        world.pools[0].reuse_delay_ns = NS_PER_S;
        buffer = world_alloc(&world, a, world_request(4096));
        world_show(&world, a, buffer);
        state_release(world.state, a, world_id(buffer), world.now_ns);
        assert_int_equal(world_bytes(&world).reusable, PAGE);
        drain(pages(0, 1), true);
        assert_int_equal(world_bytes(&world).reusable, 0);
        world_let_leave(&world);
        assert_false(has_frame_in(pages(0, 1)));
        world_stop(&world);
}

static void test_what_is_on_its_way_stays_away(void **unused)
{
        struct buffer *one, *two;

        (void)unused;
        begin(4, 4);
        one = world_alloc(&world, a, world_request(PAGE));
        two = world_alloc(&world, a, world_request(PAGE));
        state_release(world.state, a, world_id(one), world.now_ns);
        state_release(world.state, a, world_id(two), world.now_ns);
        state_frame_lingers(world.state, world.frames[0].name, FRAME_HOLDER_FILE, world.now_ns);
        drain(pages(0, 2), true);
        assert_false(world.frames[0].flags & LEAVE_RETAKE);
        assert_false(world.frames[1].flags & LEAVE_RETAKE);
        world_let_leave(&world);
        assert_false(has_frame_in(pages(0, 2)));
        world_stop(&world);
}

static void test_quarantine_ends_outside(void **unused)
{
        (void)unused;
        begin(4, 4);
        world_alloc(&world, a, world_request(PAGE));
        client_end(world.state, a, false, world.now_ns);
        drain(pages(0, 1), true);
        assert_int_equal(world.n_of_type[EVENT_DRAINING], 0); /* nobody is there */
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        world_pass(&world, 6 * NS_PER_S);
        assert_int_equal(world_bytes(&world).quarantined, 0);
        assert_false(has_frame_in(pages(0, 1)));
        world_stop(&world);
}

static void test_what_arrives_there_is_given_back(void **unused)
{
        (void)unused;
        begin(4, 8);
        drain(pages(4, 1), true);
        assert_int_equal(state_resize(world.state, root, "any", 6 * PAGE, world.now_ns,
                                      &(struct refusal){ 0 }),
                         0);
        world.wishes[0].window = RANGE_ALL; /* the keeper does not care where */
        world_serve(&world);
        world_let_leave(&world);
        assert_false(has_frame_in(pages(4, 1)));
        world_serve(&world);
        assert_int_equal(world_bytes(&world).held, 6 * PAGE);
        world_stop(&world);
}

static void test_takes_go_beside_it(void **unused)
{
        (void)unused;
        begin(4, 8);
        drain((struct range){ GiB, 2 * GiB - 1 }, true);
        assert_int_equal(state_resize(world.state, root, "any", 8 * PAGE, world.now_ns,
                                      &(struct refusal){ 0 }),
                         0);
        assert_int_equal(world.want[0], 4);
        assert_int_equal(world.wishes[0].window.first, 2 * GiB); /* the longer part */
        world.supply = 0;
        world_serve(&world);
        world.supply = 100;
        world_pass(&world, NS_PER_S);
        assert_int_equal(world.want[0], 4);
        assert_int_equal(world.wishes[0].window.first, 0); /* then the other */
        assert_int_equal(world.wishes[0].window.last, GiB - 1);
        world_serve(&world);
        assert_int_equal(world_bytes(&world).held, 8 * PAGE);
        world_stop(&world);
}

static void test_a_pool_that_is_drained_whole_asks_for_nothing(void **unused)
{
        struct refusal refusal;

        (void)unused;
        begin(4, 8);
        drain(RANGE_ALL, true);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).held, 0);
        assert_int_equal(world.want[0], 0);
        assert_int_equal(world_ask(&world, a, world_request(PAGE), 1, &refusal),
                         PAR_REFUSED_EXHAUSTED);
        assert_false(refusal.permanent);
        assert_string_equal(refusal.sentence,
                            "2 MiB in one piece anywhere: 0 B are free there, the largest run is "
                            "0 B; pool any holds 0 B of 8 MiB: all of its addresses are drained");
        world_pass(&world, 100 * NS_PER_S);
        assert_int_equal(world.want[0], 0);
        drain(RANGE_ALL, false);
        world_serve(&world);
        assert_string_equal(world_pool(&world, 0).note, "");
        drain(pages(0, 1), true);
        assert_int_equal(world_refused(&world, a, world_request(4 * PAGE), &refusal),
                         PAR_REFUSED_EXHAUSTED);
        assert_string_equal(refusal.sentence,
                            "8 MiB in one piece anywhere: 6 MiB are free there, the largest run is "
                            "6 MiB; pool any is drained there; 2 MiB are on their way back");
        world_stop(&world);
}

static void test_the_end_of_a_drain(void **unused)
{
        struct request want = world_request(4 * PAGE);
        struct buffer *buffer;
        struct refusal refusal;

        (void)unused;
        begin(4, 4);
        world.supply = 0;
        drain(pages(0, 4), true);
        world_let_leave(&world);
        assert_int_equal(state_wait(world.state, a, &want, UINT64_MAX, 1, world.now_ns, &refusal),
                         0);
        world_serve(&world);
        world.supply = 4;
        assert_int_equal(drain(pages(0, 4), false), 0);
        assert_int_equal(world.want[0], 4);
        world_serve(&world);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, 0);

        /* A frame that was closed meanwhile comes back when it is freed. */
        buffer = client_buffer(a, world.answers[0].buffer);
        drain(pages(0, 1), true);
        drain(pages(0, 1), false);
        assert_int_equal(world_pool(&world, 0).draining_bytes, 0);
        state_release(world.state, a, world_id(buffer), world.now_ns);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        assert_int_equal(world_first(world_alloc(&world, a, want)), pages(0, 4).first);
        world_stop(&world);
}

/* Steps of pages that are drained, or not any more, and what is drained then. */
static const struct {
        const char *name;
        struct {
                unsigned from, count;
                bool begins;
        } steps[4];
        const char *drained; /* from the top, 8 pages */
} set_cases[] = {
        { "one", { { 1, 2, true } }, ".xx....." },
        { "two apart", { { 1, 1, true }, { 3, 1, true } }, ".x.x...." },
        { "two that touch", { { 1, 1, true }, { 2, 1, true } }, ".xx....." },
        { "two that overlap", { { 1, 3, true }, { 2, 4, true } }, ".xxxxx.." },
        { "one that fills the gap",
          { { 0, 2, true }, { 4, 2, true }, { 2, 2, true } },
          "xxxxxx.." },
        { "one over two", { { 1, 1, true }, { 4, 1, true }, { 0, 6, true } }, "xxxxxx.." },
        { "the same again", { { 1, 2, true }, { 1, 2, true } }, ".xx....." },
        { "begun and ended", { { 1, 2, true }, { 1, 2, false } }, "........" },
        { "ended in the middle", { { 0, 6, true }, { 2, 2, false } }, "xx..xx.." },
        { "ended at one end", { { 0, 6, true }, { 4, 4, false } }, "xxxx...." },
        { "two ended at once", { { 0, 1, true }, { 2, 1, true }, { 0, 8, false } }, "........" },
        { "ended where nothing was", { { 0, 1, true }, { 4, 2, false } }, "x......." },
};

static void test_windows_add_up(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(set_cases); i++) {
                begin(8, 8);
                world.supply = 0;
                for (size_t n = 0; n < 4 && set_cases[i].steps[n].count; n++)
                        drain(pages(set_cases[i].steps[n].from, set_cases[i].steps[n].count),
                              set_cases[i].steps[n].begins);
                world_let_leave(&world);
                for (unsigned page = 0; page < 8; page++)
                        if (!has_frame_in(pages(page, 1)))
                                world_arrive_at(&world, 0, pages(page, 1).first);
                world_let_leave(&world);
                for (unsigned page = 0; page < 8; page++)
                        if (has_frame_in(pages(page, 1)) == (set_cases[i].drained[page] == 'x'))
                                fail_msg("%s: page %u", set_cases[i].name, page);
                world_stop(&world);
        }
}

static const struct {
        const char *name, *pool;
        struct range window;
        uint32_t uid;
        int result;
        const char *sentence;
} refused_cases[] = {
        { "a user", "any", { 0, UINT64_MAX }, 1000, PAR_REFUSED_DENIED, "administrators only" },
        { "no such pool", "nope", { 0, UINT64_MAX }, 0, PAR_REFUSED_INVALID, "no pool nope" },
        { "beside the pool",
          "low",
          { GiB, 2 * GiB - 1 },
          0,
          PAR_REFUSED_INVALID,
          "pool low has no addresses between 0x40000000 and 0x7fffffff" },
        { "backwards", "low", { 4096, 0 }, 0, PAR_REFUSED_INVALID, "has no addresses" },
};

static void test_refused(void **unused)
{
        struct refusal refusal;
        uint64_t bytes;

        (void)unused;
        world_init(&world, 4);
        world_add_pool(&world, "low", 0, GiB - 1, 4);
        world_start(&world);
        root = world_client(&world, 0, "root");
        for (size_t i = 0; i < ARRAY_SIZE(refused_cases); i++) {
                int r;

                r = state_drain(world.state, world_client(&world, refused_cases[i].uid, "c"),
                                refused_cases[i].pool, refused_cases[i].window, true, world.now_ns,
                                &bytes, &refusal);
                if (r != refused_cases[i].result ||
                    !strstr(refusal.sentence, refused_cases[i].sentence))
                        fail_msg("%s: %d: %s", refused_cases[i].name, r, refusal.sentence);
        }
        assert_int_equal(world_bytes(&world).free, 8 * PAGE);
        /* So many windows and no more; one that joins two of them makes room. */
        for (uint64_t i = 0; i < 8; i++)
                drain(range_of(i * 2 * MiB * 2, 4096), true);
        assert_int_equal(state_drain(world.state, root, "any", range_of(GiB, 4096), true,
                                     world.now_ns, &bytes, &refusal),
                         PAR_REFUSED_QUOTA);
        assert_int_equal(state_drain(world.state, root, "any", range_of(0, 6 * MiB), true,
                                     world.now_ns, &bytes, &refusal),
                         0);
        assert_int_equal(state_drain(world.state, root, "any", range_of(GiB, 4096), true,
                                     world.now_ns, &bytes, &refusal),
                         0);
        /* Nor may one be cut in two then. */
        assert_int_equal(state_drain(world.state, root, "any", range_of(2 * MiB, 4096), false,
                                     world.now_ns, &bytes, &refusal),
                         PAR_REFUSED_QUOTA);
        world_stop(&world);
}

static void test_many_frames_take_turns(void **unused)
{
        struct request small = world_request(4096);

        (void)unused;
        begin(2000, 2000);
        drain(RANGE_ALL, true);
        assert_in_range(world_bytes(&world).free, PAGE, 1999 * PAGE);
        /* What has not been seen to may still be granted; it goes in its turn. */
        world_alloc(&world, a, small);
        world.clumsy = true;
        world_pass(&world, 0);
        assert_int_equal(world_bytes(&world).free, 0);
        assert_int_equal(world_bytes(&world).leaving, 1999 * PAGE);
        assert_int_equal(world.n_of_type[EVENT_DRAINING], 1);
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_free_frames_go),
                cmocka_unit_test(test_what_is_in_use_goes_when_it_is_freed),
                cmocka_unit_test(test_what_is_kept_for_its_owner_goes),
                cmocka_unit_test(test_what_is_on_its_way_stays_away),
                cmocka_unit_test(test_quarantine_ends_outside),
                cmocka_unit_test(test_what_arrives_there_is_given_back),
                cmocka_unit_test(test_takes_go_beside_it),
                cmocka_unit_test(test_a_pool_that_is_drained_whole_asks_for_nothing),
                cmocka_unit_test(test_the_end_of_a_drain),
                cmocka_unit_test(test_windows_add_up),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_many_frames_take_turns),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
