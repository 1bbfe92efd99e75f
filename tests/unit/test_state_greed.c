/* SPDX-License-Identifier: MIT */
/*
 * Clients for which the system is to pay: whatever they ask for, and however often, pard asks the
 * system for memory only now and then.
 */
#include "macros.h"
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE   (2 * MiB)
#define MINUTE (60 * NS_PER_S)

static struct world world;
static struct client *greedy;
static uint64_t last_ticket;

/* A pool of one frame that may become @max. */
static void begin(unsigned max)
{
        world_init(&world, 1);
        world.pools[0].size_max_bytes = max * PAGE;
        world.pools[0].shrink_delay_ns = 30 * NS_PER_S;
        world.late = true;
        world_start(&world);
        greedy = world_client(&world, 1000, "greedy");
        world.n_takes = 0;
}

/* One page at a place of its own. */
static struct request request_at(uint64_t place)
{
        struct request request = world_request(PAGE);

        request.want.window = range_of(place * PAGE, PAGE);
        return request;
}

/* The answer to a take that had to hold pages. */
static void serve_after_harvest(void)
{
        uint32_t count = world.want[0];

        if (!count)
                return;
        world.want[0] = 0;
        world_arrive(&world, 0, count);
        state_taken(world.state, 0,
                    &(struct take_result){
                            .got = count, .seen = { 1, 0 }, .held_bytes = GiB, .harvested = true },
                    world.now_ns);
}

static void free_everything(void)
{
        for (size_t i = 0; i < world.n_answers; i++)
                if (!world.answers[i].r)
                        (void)state_release(world.state, greedy, world.answers[i].buffer,
                                            world.now_ns);
        world.n_answers = 0;
        world_let_leave(&world);
}

static void ask(struct request request)
{
        struct buffer *buffer;
        struct refusal refusal;
        int r;

        r = state_alloc(world.state, greedy, &request, world.now_ns, &buffer, &refusal);
        if (!r)
                assert_int_equal(state_release(world.state, greedy, world_id(buffer), world.now_ns),
                                 0);
        else if (!refusal.permanent && refusal.growing)
                (void)state_wait(world.state, greedy, &request, WAIT_FOR_GROWTH, ++last_ticket,
                                 world.now_ns, &refusal);
}

/* Ask every 250 ms for something else; @serve answers the takes. */
static void ask_for(uint64_t ns, struct request (*next)(uint64_t i), void (*serve)(void))
{
        uint64_t until = world.now_ns + ns;

        for (uint64_t i = 0; world.now_ns < until; i++) {
                ask(next(i));
                serve();
                (void)state_cancel(world.state, greedy, last_ticket, world.now_ns);
                world_pass(&world, 250 * NS_PER_MS);
                free_everything();
        }
}

static struct request somewhere_else(uint64_t i)
{
        return request_at(4096 + 2 * i);
}

static void serve_nothing(void)
{
        world.supply = 0;
        world_serve(&world);
}

static void test_wishes_in_vain_become_rare(void **unused)
{
        (void)unused;
        begin(64);
        ask_for(10 * MINUTE, somewhere_else, serve_nothing);
        /* Four different ones at a time, of which each is repeated after 1 s, 2 s ... 60 s. */
        assert_in_range(world.n_takes, 4, 4 * (6 + 10));
        /* And others may ask as before when that is long over. */
        world_pass(&world, 20 * MINUTE);
        world.n_takes = 0;
        ask_for(NS_PER_S, somewhere_else, serve_nothing);
        assert_int_equal(world.n_takes, 4);
        ask_for(NS_PER_S, somewhere_else, serve_nothing);
        assert_in_range(world.n_takes, 5, 8);
        world_stop(&world);
}

static void serve_one(void)
{
        if (world.want[0])
                (void)world_serve_take(&world, 0, 1, -EFBIG);
}

static struct request large_somewhere_else(uint64_t i)
{
        struct request request = world_request(8 * PAGE);

        request.want.window = range_of(i % 128 * 16 * PAGE, 16 * PAGE);
        request.want.max_segments = SEGMENTS_ANY;
        return request;
}

/* A page now and then makes no difference. */
static void test_wishes_met_in_part_become_rare_too(void **unused)
{
        (void)unused;
        begin(200);
        ask_for(10 * MINUTE, large_somewhere_else, serve_one);
        assert_in_range(world.n_takes, 4, 4 * (6 + 10));
        world_stop(&world);
}

static void test_harvests_for_clients_become_rare(void **unused)
{
        struct client *admin;
        struct refusal refusal;

        (void)unused;
        begin(8);
        admin = world_client(&world, 0, "admin");
        for (unsigned i = 0; i < 100; i++) {
                ask(world_request(2 * PAGE));
                serve_after_harvest();
                free_everything();
                world_pass(&world, 38 * NS_PER_S); /* the pool shrinks meanwhile */
                free_everything();
        }
        assert_in_range(world.n_takes, 8, 8 + 100 * 38 / 75 + 1);
        /* An administrator is served at once. */
        world.n_takes = 0;
        assert_int_equal(state_resize(world.state, admin, "any", 2 * PAGE, world.now_ns, &refusal),
                         0);
        assert_int_equal(world.n_takes, 1);
        world_stop(&world);
}

/* Its page is the kernel's again, and may come to another frame before anybody has seen that. */
static void test_a_page_that_was_punched_out_comes_again(void **unused)
{
        struct buffer *buffer;
        uint64_t phys;

        (void)unused;
        begin(2);
        buffer = world_alloc(&world, greedy, world_request(2 * 4096));
        phys = align_down(world_first(buffer), PAGE);
        world_arrive_at(&world, 0, phys);
        assert_int_equal(world_bytes(&world).retired, PAGE);
        assert_int_equal(world_bytes(&world).free, PAGE);
        assert_int_equal(world.n_of_type[EVENT_MOVED], 1);
        assert_int_equal(world.last_event.buffer, world_id(buffer));
        buffer = world_alloc(&world, world_client(&world, 1001, "next"), world_request(PAGE));
        assert_int_equal(world_first(buffer), phys);
        free_everything();
        world_stop(&world);
}

/*
 * As above, while it is on its way back, or waits there for its owner's end: it stays charged to
 * him, and the keeper hears of that end.
 */
static void test_a_page_of_a_frame_that_leaves_comes_again(void **unused)
{
        static const struct {
                const char *name;
                bool lingers;
        } cases[] = { { "leaving", false }, { "lingering", true } };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct buffer *buffer;
                struct frame_name name;
                struct piece piece;

                print_message("%s\n", cases[i].name);
                begin(2);
                world.clumsy = true;
                buffer = world_alloc(&world, greedy, world_request(PAGE));
                buffer_piece(buffer, 0, &piece);
                name = piece.frame;
                assert_int_equal(state_release(world.state, greedy, world_id(buffer), world.now_ns),
                                 0);
                if (cases[i].lingers)
                        state_frame_lingers(world.state, name, FRAME_HOLDER_HOLE, world.now_ns);
                world_arrive_at(&world, 0, align_down(piece.phys, PAGE));
                assert_int_equal(world_bytes(&world).free, PAGE);
                assert_int_equal(world_bytes(&world).held, 2 * PAGE);
                if (!cases[i].lingers)
                        state_frame_lingers(world.state, name, FRAME_HOLDER_HOLE, world.now_ns);
                assert_int_equal(world_bytes(&world).lingering, PAGE);
                assert_false(world.frames[name.slot].flags & LEAVE_OWNER_GONE);

                client_end(world.state, greedy, false, world.now_ns);
                assert_true(world.frames[name.slot].flags & LEAVE_OWNER_GONE);
                world.snatch = true;
                world_let_leave(&world);
                assert_int_equal(world_bytes(&world).held, PAGE);
                state_check(world.state);
                world_stop(&world);
        }
}

/* Its owner has a part of the other frame, too: two frames of his lie at one address. */
static void test_a_page_that_comes_again_is_divided_for_the_same_owner(void **unused)
{
        struct buffer *buffer;
        struct piece piece;

        (void)unused;
        begin(2);
        world.clumsy = true;
        buffer = world_alloc(&world, greedy, world_request(PAGE));
        buffer_piece(buffer, 0, &piece);
        assert_int_equal(state_release(world.state, greedy, world_id(buffer), world.now_ns), 0);
        state_frame_lingers(world.state, piece.frame, FRAME_HOLDER_HOLE, world.now_ns);
        world_arrive_at(&world, 0, align_down(piece.phys, PAGE));
        world_alloc(&world, greedy, world_request(4096));
        state_check(world.state);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        assert_int_equal(world_bytes(&world).lingering, PAGE);
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_wishes_in_vain_become_rare),
                cmocka_unit_test(test_wishes_met_in_part_become_rare_too),
                cmocka_unit_test(test_harvests_for_clients_become_rare),
                cmocka_unit_test(test_a_page_that_was_punched_out_comes_again),
                cmocka_unit_test(test_a_page_of_a_frame_that_leaves_comes_again),
                cmocka_unit_test(test_a_page_that_comes_again_is_divided_for_the_same_owner),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
