/* SPDX-License-Identifier: MIT */
/*
 * What clients are told of their memory: that others want it, that what they freed cannot leave,
 * and after a worker's death all that they may have missed.
 */
#include "macros.h"
#include "result.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PAGE   (2 * MiB)
#define FRAMES 8u

static struct world world;
static struct client *client, *other;

static void begin(void)
{
        world_init(&world, FRAMES);
        world.pools[0].reuse_delay_ns = 0;
        world_start(&world);
        client = world_client(&world, 1000, "client");
        other = world_client(&world, 1001, "other");
}

static int test_teardown(void **data)
{
        (void)data;
        world_stop(&world);
        return 0;
}

static struct buffer *get(struct client *whose, uint64_t bytes)
{
        struct request request = world_request(bytes);

        request.want.max_segments = SEGMENTS_ANY;
        return world_alloc(&world, whose, request);
}

static void wait_for(struct client *whose, uint64_t bytes, uint64_t ticket)
{
        struct request request = world_request(bytes);
        struct refusal refusal;

        request.want.max_segments = SEGMENTS_ANY;
        assert_int_equal(state_wait(world.state, whose, &request, UINT64_MAX, ticket, world.now_ns,
                                    &refusal),
                         0);
}

/* ---- wanted --------------------------------------------------------------------------------- */

/* Whoever waits is overtaken at first; then the holders of what is in his way are asked. */
static void test_wanted_is_told_when_a_turn_comes(void **data)
{
        struct buffer *buffer;

        (void)data;
        begin();
        buffer = get(client, FRAMES * PAGE);
        wait_for(other, PAGE, 1);
        assert_int_equal(world.n_of_type[EVENT_WANTED], 0);
        world_pass(&world, 200 * NS_PER_MS);
        assert_int_equal(world.n_of_type[EVENT_WANTED], 1);
        assert_int_equal(world.last_event.buffer, world_id(buffer));
        assert_int_equal(world.last_event.offset, 0);
        assert_int_equal(world.last_event.length, FRAMES * PAGE);
}

/* However many wait, and however long: once a minute. */
static void test_wanted_is_told_seldom(void **data)
{
        (void)data;
        begin();
        (void)get(client, FRAMES * PAGE);
        for (uint64_t i = 1; i < 4; i++)
                wait_for(other, PAGE, i);
        for (unsigned i = 0; i < 50; i++)
                world_pass(&world, NS_PER_S);
        assert_int_equal(world.n_of_type[EVENT_WANTED], 1);
        for (unsigned i = 0; i < 100; i++)
                world_pass(&world, NS_PER_S);
        assert_in_range(world.n_of_type[EVENT_WANTED], 2, 3);
}

/* Nobody is asked for what he waits for himself. */
static void test_wanted_is_not_told_to_who_waits(void **data)
{
        (void)data;
        begin();
        (void)get(client, (FRAMES - 1) * PAGE);
        wait_for(client, 2 * PAGE, 1);
        world_pass(&world, NS_PER_S);
        assert_int_equal(world.n_of_type[EVENT_WANTED], 0);
}

/* Who need not lie there is asked before who must. */
static void test_wanted_spares_who_needs_the_place(void **data)
{
        struct request narrow = world_request((FRAMES - 1) * PAGE);
        struct buffer *movable;

        (void)data;
        begin();
        narrow.want.max_segments = SEGMENTS_ANY;
        narrow.want.window.last = 4 * GiB - 1;
        (void)world_alloc(&world, client, narrow);
        movable = get(client, PAGE);
        narrow.want.size_bytes = PAGE;
        assert_int_equal(state_wait(world.state, other, &narrow, UINT64_MAX, 1, world.now_ns,
                                    &(struct refusal){ 0 }),
                         0);
        world_pass(&world, 200 * NS_PER_MS);
        assert_int_equal(world.n_of_type[EVENT_WANTED], 1);
        assert_int_equal(world.last_event.buffer, world_id(movable));
}

/* ---- lingering ------------------------------------------------------------------------------ */

static struct frame_name leaving_frame(void)
{
        for (uint32_t i = 0; i < world.n_slots; i++)
                if (world.frames[i].leaving)
                        return world.frames[i].name;
        fail_msg("no frame leaves");
        return (struct frame_name){ 0, 0 };
}

/* A frame that the client freed cannot leave. */
static struct frame_name let_linger(bool dropped)
{
        struct buffer *buffer;
        struct frame_name name;

        world.clumsy = true;
        buffer = get(client, PAGE);
        world_show(&world, client, buffer);
        assert_int_equal(state_release(world.state, client, world_id(buffer), world.now_ns), 0);
        name = leaving_frame();
        state_frame_lingers(world.state, name, FRAME_HOLDER_FILE, world.now_ns);
        if (dropped)
                state_dropped(world.state, client, name, world.now_ns);
        return name;
}

static void test_lingering_is_told_after_a_while(void **data)
{
        (void)data;
        begin();
        (void)let_linger(true);
        world_pass(&world, 900 * NS_PER_MS);
        assert_int_equal(world.n_of_type[EVENT_LINGERING], 0);
        world_pass(&world, 200 * NS_PER_MS);
        assert_int_equal(world.n_of_type[EVENT_LINGERING], 1);
        assert_int_equal(world.last_event.buffer, 0);
        assert_int_equal(world.last_event.length, PAGE);
        world_pass(&world, 100 * NS_PER_S);
        assert_int_equal(world.n_of_type[EVENT_LINGERING], 1); /* once */
}

/* As long as the library has not said that it unmapped it nothing is wrong. */
static void test_lingering_is_not_told_before_it_was_dropped(void **data)
{
        struct frame_name name;

        (void)data;
        begin();
        name = let_linger(false);
        world_pass(&world, 100 * NS_PER_S);
        assert_int_equal(world.n_of_type[EVENT_LINGERING], 0);
        state_dropped(world.state, client, name, world.now_ns);
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(world.n_of_type[EVENT_LINGERING], 1);
}

static void test_lingering_that_ends_is_not_told(void **data)
{
        (void)data;
        begin();
        (void)let_linger(true);
        world_let_leave(&world);
        world_pass(&world, 100 * NS_PER_S);
        assert_int_equal(world.n_of_type[EVENT_LINGERING], 0);
}

/* However many frames: one event tells of all. */
static void test_lingering_is_told_of_all_at_once(void **data)
{
        (void)data;
        begin();
        for (unsigned i = 0; i < 3; i++) {
                struct frame_name name = let_linger(true);

                world.frames[name.slot].leaving = false; /* the next one is another */
        }
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(world.n_of_type[EVENT_LINGERING], 1);
        assert_int_equal(world.last_event.length, 3 * PAGE);
}

/* ---- after a worker's death ----------------------------------------------------------------- */

static void test_what_was_revoked_meanwhile_is_told(void **data)
{
        struct client *root;
        uint64_t token, bytes, id;
        struct refusal refusal;

        (void)data;
        begin();
        id = world_id(get(other, PAGE));
        token = world.last_token;
        world_restart(&world);
        root = world_client(&world, 0, "root");
        assert_int_equal(state_revoke(world.state, root, &(struct selection){ .buffer = id },
                                      world.now_ns, &bytes, &refusal),
                         0);
        world_pass(&world, 0);
        assert_int_equal(world.n_of_type[EVENT_REVOKED], 0); /* nobody is there */
        assert_non_null(world_resume(&world, 1001, token));
        assert_int_equal(world.n_of_type[EVENT_REVOKED], 1);
        assert_int_equal(world.last_event.buffer, id);
}

static void test_what_moved_meanwhile_is_told(void **data)
{
        struct buffer *buffer;
        struct frame_name name = { 0, 0 };
        uint64_t token, id;

        (void)data;
        begin();
        buffer = get(other, PAGE);
        id = world_id(buffer);
        for (uint32_t i = 0; i < world.n_slots; i++)
                if (world.frames[i].phys == world_first(buffer))
                        name = world.frames[i].name;
        token = world.last_token;
        world_restart(&world);
        state_frame_moved(world.state, name, UINT64_MAX, world.now_ns);
        assert_int_equal(world.n_of_type[EVENT_MOVED], 0);
        assert_non_null(world_resume(&world, 1001, token));
        assert_int_equal(world.n_of_type[EVENT_MOVED], 1);
        assert_int_equal(world.last_event.buffer, id);
        assert_int_equal(world.last_event.length, PAGE);
}

/* The keeper has the frame elsewhere: nothing of the buffer can be restored, but its client has it.
 */
static void test_what_moved_without_a_worker_is_told(void **data)
{
        struct buffer *buffer;
        uint64_t token, id;

        (void)data;
        begin();
        buffer = get(other, PAGE);
        id = world_id(buffer);
        for (uint32_t i = 0; i < world.n_slots; i++)
                if (world.frames[i].phys == world_first(buffer))
                        world.frames[i].phys = 2 * GiB;
        token = world.last_token;
        world_restart(&world);
        assert_non_null(world_resume(&world, 1001, token));
        assert_int_equal(world.n_of_type[EVENT_MOVED], 1);
        assert_int_equal(world.last_event.buffer, id);
        assert_int_equal(world.last_event.length, PAGE);
}

static void test_what_is_drained_meanwhile_is_told(void **data)
{
        struct client *root;
        uint64_t token, bytes, id;
        struct refusal refusal;

        (void)data;
        begin();
        id = world_id(get(other, PAGE));
        token = world.last_token;
        world_restart(&world);
        root = world_client(&world, 0, "root");
        assert_int_equal(state_drain(world.state, root, "any", RANGE_ALL, true, world.now_ns,
                                     &bytes, &refusal),
                         0);
        assert_int_equal(world.n_of_type[EVENT_DRAINING], 0);
        assert_non_null(world_resume(&world, 1001, token));
        assert_int_equal(world.n_of_type[EVENT_DRAINING], 1);
        assert_int_equal(world.last_event.buffer, id);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_wanted_is_told_when_a_turn_comes, test_teardown),
                cmocka_unit_test_teardown(test_wanted_is_told_seldom, test_teardown),
                cmocka_unit_test_teardown(test_wanted_is_not_told_to_who_waits, test_teardown),
                cmocka_unit_test_teardown(test_wanted_spares_who_needs_the_place, test_teardown),
                cmocka_unit_test_teardown(test_lingering_is_told_after_a_while, test_teardown),
                cmocka_unit_test_teardown(test_lingering_is_not_told_before_it_was_dropped,
                                          test_teardown),
                cmocka_unit_test_teardown(test_lingering_that_ends_is_not_told, test_teardown),
                cmocka_unit_test_teardown(test_lingering_is_told_of_all_at_once, test_teardown),
                cmocka_unit_test_teardown(test_what_was_revoked_meanwhile_is_told, test_teardown),
                cmocka_unit_test_teardown(test_what_moved_meanwhile_is_told, test_teardown),
                cmocka_unit_test_teardown(test_what_moved_without_a_worker_is_told, test_teardown),
                cmocka_unit_test_teardown(test_what_is_drained_meanwhile_is_told, test_teardown),
        };

        return cmocka_run_group_tests_name("state_tell", tests, NULL, NULL);
}
