/* SPDX-License-Identifier: MIT */
/*
 * Who is served when: nobody is starved, and nobody holds up a pool for ever.
 */
#include "macros.h"
#include "random.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)
#define MS   NS_PER_MS

static struct world world;
static struct client *a, *b, *c;

/* Three clients and so many frames, all of which @a has in single buffers. */
static void begin(unsigned frames, struct buffer **ret_held)
{
        world_init(&world, frames);
        world.settings.max_waiting = 100;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        c = world_client(&world, 1002, "c");
        for (unsigned i = 0; i < frames; i++)
                ret_held[i] = world_alloc(&world, a, world_request(PAGE));
}

static void wait_for(struct client *client, uint64_t pages, uint64_t ticket)
{
        struct request request = world_request(pages * PAGE);
        struct refusal refusal;

        assert_int_equal(state_wait(world.state, client, &request, UINT64_MAX, ticket, world.now_ns,
                                    &refusal),
                         0);
}

static void give(struct buffer *buffer)
{
        assert_int_equal(state_release(world.state, a, world_id(buffer), world.now_ns), 0);
        world_let_leave(&world);
}

/* Whether one that does not wait gets a page now; it gives it straight back. */
static bool gets(struct client *client, struct request request)
{
        struct refusal refusal = { 0 };
        struct buffer *buffer;

        if (state_alloc(world.state, client, &request, world.now_ns, &buffer, &refusal))
                return false;
        assert_int_equal(state_release(world.state, client, world_id(buffer), world.now_ns), 0);
        world_let_leave(&world);
        return true;
}

static void test_the_young_can_be_overtaken(void **unused)
{
        struct buffer *held[4];
        struct refusal refusal;

        (void)unused;
        begin(4, held);
        wait_for(b, 2, 1);
        give(held[0]);
        world_pass(&world, 100 * MS - 1);
        assert_true(gets(c, world_request(PAGE)));
        world_pass(&world, 1);
        assert_int_equal(world_refused(&world, c, world_request(PAGE), &refusal),
                         PAR_REFUSED_EXHAUSTED);
        assert_false(refusal.permanent);
        assert_string_equal(refusal.sentence,
                            "2 MiB in one piece anywhere: 2 MiB are free there, the largest run is "
                            "2 MiB; others wait for it already");
        give(held[1]);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, 0);
        world_stop(&world);
}

static void test_own_memory_stays_usable(void **unused)
{
        struct buffer *held[4];

        (void)unused;
        begin(4, held);
        give(held[0]);
        world_alloc(&world, c, world_request(4096));
        wait_for(b, 2, 1);
        world_pass(&world, NS_PER_S);
        assert_true(gets(c, world_request(4096))); /* beside what it has */
        assert_false(gets(c, world_request(PAGE)));
        world_stop(&world);
}

static void test_a_turn_ends(void **unused)
{
        struct buffer *held[4];

        (void)unused;
        begin(4, held);
        wait_for(b, 3, 1);
        world_pass(&world, 100 * MS);
        give(held[0]);
        world_pass(&world, 10 * NS_PER_S - 1);
        assert_false(gets(c, world_request(PAGE)));
        world_pass(&world, 1);
        assert_true(gets(c, world_request(PAGE)));
        /* It rests as long as it held, and then it is its turn again. */
        world_pass(&world, 10 * NS_PER_S - 1);
        assert_true(gets(c, world_request(PAGE)));
        world_pass(&world, 1);
        assert_false(gets(c, world_request(PAGE)));
        give(held[1]);
        give(held[2]);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, 0);
        world_stop(&world);
}

static void test_rests_become_longer(void **unused)
{
        struct buffer *held[4];
        unsigned got = 0, tries = 3600;

        (void)unused;
        begin(4, held);
        wait_for(b, 3, 1);
        give(held[0]);
        for (unsigned i = 0; i < tries; i++) {
                world_pass(&world, NS_PER_S);
                got += gets(c, world_request(PAGE));
        }
        assert_true(got > tries * 9 / 10);
        assert_int_equal(world.n_answers, 0);
        world_stop(&world);
}

static void test_the_end_of_the_line(void **unused)
{
        struct buffer *held[4];

        (void)unused;
        begin(4, held);
        wait_for(b, 4, 1);
        wait_for(c, 2, 2);
        world_pass(&world, 100 * MS);
        give(held[0]);
        world_pass(&world, 9 * NS_PER_S);
        assert_int_equal(world.n_answers, 0);
        give(held[1]); /* enough for the second, but it is the first's turn */
        assert_int_equal(world.n_answers, 0);
        world_pass(&world, NS_PER_S);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 2);
        world_stop(&world);
}

static void test_who_had_his_turn_comes_after_the_others(void **unused)
{
        struct buffer *buffer;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        c = world_client(&world, 1002, "c");
        buffer = world_alloc(&world, a, world_request(4 * PAGE));
        wait_for(b, 4, 1);
        wait_for(c, 4, 2);
        world_pass(&world, 11 * NS_PER_S);
        give(buffer);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 2);
        world_stop(&world);
}

static void test_only_what_would_do_is_held_up(void **unused)
{
        struct request low = world_request(PAGE), high = world_request(PAGE);
        struct refusal refusal;

        (void)unused;
        world_init(&world, 8); /* 4 GiB - 16 MiB to 4 GiB */
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        c = world_client(&world, 1002, "c");
        low.want.window.last = 4 * GiB - 8 * MiB - 1;
        for (unsigned i = 0; i < 4; i++)
                world_alloc(&world, a, low);
        assert_int_equal(state_wait(world.state, b, &low, UINT64_MAX, 1, world.now_ns, &refusal),
                         0);
        world_pass(&world, NS_PER_S);
        assert_true(gets(c, world_request(PAGE))); /* above */
        high.want.window.first = 4 * GiB - 8 * MiB;
        assert_true(gets(c, high));
        assert_false(gets(c, low));
        world_stop(&world);
}

static void test_other_pools_are_not_held_up(void **unused)
{
        struct request low = world_request(PAGE), large = world_request(3 * PAGE);
        struct refusal refusal;
        struct buffer *held;

        (void)unused;
        world_init(&world, 4);
        world_add_pool(&world, "low", 0, GiB - 1, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        low.pool = large.pool = "low";
        held = world_alloc(&world, a, large);
        assert_int_equal(state_wait(world.state, b, &large, UINT64_MAX, 1, world.now_ns, &refusal),
                         0);
        world_pass(&world, NS_PER_S);
        assert_true(gets(a, world_request(PAGE)));
        assert_false(gets(a, low));
        give(held);
        assert_int_equal(world.n_answers, 1);
        assert_true(gets(a, low));
        world_stop(&world);
}

/* How many of so many tries of @client's, one every 100 ms, are served. */
static unsigned served_of(unsigned tries, struct client *client)
{
        unsigned n = 0;

        for (unsigned i = 0; i < tries; i++) {
                n += gets(client, world_request(PAGE));
                world_pass(&world, 100 * MS);
        }
        return n;
}

/* In however many sessions. */
static void test_a_uid_holds_a_pool_up_half_of_the_time(void **unused)
{
        struct buffer *held[4];

        (void)unused;
        begin(4, held);
        give(held[0]);
        for (uint64_t i = 0; i < 20; i++)
                wait_for(world_client(&world, 2000, "greedy"), 4, i);
        assert_in_range(served_of(3000, c), 1450, 3000);
        world_stop(&world);
}

static void test_asking_anew_is_no_new_turn(void **unused)
{
        struct buffer *held[4];
        unsigned n = 0;

        (void)unused;
        begin(4, held);
        give(held[0]);
        for (uint64_t i = 0; i < 100; i++) {
                struct client *greedy = world_client(&world, 2000, "greedy");

                wait_for(greedy, 4, i);
                n += served_of(99, c);
                client_end(world.state, greedy, true, world.now_ns);
        }
        assert_in_range(n, 4500, 9900);
        world_stop(&world);
}

/* Two that take turns leave the others their second, too. */
static void test_who_gives_up_leaves_a_pool_open(void **unused)
{
        struct client *greedy[2];
        struct buffer *held[4];
        unsigned n = 0;

        (void)unused;
        begin(4, held);
        give(held[0]);
        greedy[0] = world_client(&world, 2000, "greedy");
        greedy[1] = world_client(&world, 2001, "greedy");
        for (uint64_t i = 0; i < 50; i++) {
                wait_for(greedy[i % 2], 4, i);
                world_pass(&world, 9900 * MS);
                assert_int_equal(state_cancel(world.state, greedy[i % 2], i, world.now_ns), 0);
                n += served_of(11, c);
        }
        assert_in_range(n, 10 * 50, 11 * 50);
        world_stop(&world);
}

/* How somebody's turn ends before his time. */
static void cancel(uint64_t ticket)
{
        assert_int_equal(state_cancel(world.state, b, ticket, world.now_ns), 0);
}

static void hang_up(uint64_t ticket)
{
        (void)ticket;
        client_end(world.state, b, true, world.now_ns);
}

static const struct {
        const char *name;
        void (*give_up)(uint64_t ticket);
        uint64_t waited_ns; /* by the next in the line */
} given_up[] = {
        { "cancelled, and the next has just come", cancel, 0 },
        { "cancelled, and the next has waited long enough for a turn", cancel, NS_PER_S },
        { "hung up, and the next has just come", hang_up, 0 },
        { "hung up, and the next has waited long enough for a turn", hang_up, NS_PER_S },
};

static void test_who_gives_up_lets_the_next_have_it_at_once(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(given_up); i++) {
                struct buffer *held[4];

                begin(4, held);
                wait_for(b, 3, 1);
                world_pass(&world, 100 * MS);
                give(held[0]); /* kept for @b */
                wait_for(c, 1, 2);
                world_pass(&world, given_up[i].waited_ns);
                assert_int_equal(world.n_answers, 0);
                given_up[i].give_up(1);
                state_check(world.state);
                if (world.n_answers != 1 || world.answers[0].ticket != 2 || world.answers[0].r)
                        fail_msg("%s", given_up[i].name);
                world_stop(&world);
        }
}

static void test_many_of_one_uid_do_not_starve_another(void **unused)
{
        struct buffer *held[4];

        (void)unused;
        begin(4, held);
        give(held[0]);
        for (uint64_t i = 0; i < 50; i++)
                wait_for(world_client(&world, 2000, "greedy"), 4, i);
        wait_for(b, 2, 99);
        (void)served_of(115, c);
        give(held[1]); /* in the turn of the other uid */
        world_pass(&world, 0);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 99);
        assert_int_equal(world.answers[0].r, 0);
        world_stop(&world);
}

static void test_a_uid_has_a_share_of_the_line(void **unused)
{
        struct request want = world_request(PAGE);
        struct client *clients[9], *admin;
        struct refusal refusal;
        struct buffer *held[1];

        (void)unused;
        begin(1, held);
        world.settings.max_waiting = 2;
        for (uint64_t i = 0; i < ARRAY_SIZE(clients); i++)
                clients[i] = world_client(&world, 2000, "greedy");
        for (uint64_t i = 0; i < 16; i++)
                wait_for(clients[i / 2], 1, i);
        assert_int_equal(
                state_wait(world.state, clients[8], &want, UINT64_MAX, 16, world.now_ns, &refusal),
                PAR_REFUSED_QUOTA);
        assert_string_equal(refusal.sentence,
                            "16 requests of uid 2000 wait already, and 8 times max_waiting (2) is "
                            "the most of one uid");
        wait_for(b, 1, 17);
        assert_int_equal(state_cancel(world.state, clients[0], 0, world.now_ns), 0);
        wait_for(clients[8], 1, 18);
        admin = world_client(&world, 0, "admin");
        for (uint64_t i = 0; i < 16; i++) {
                wait_for(admin, 1, 100 + i);
                admin = i % 2 ? world_client(&world, 0, "admin") : admin;
        }
        wait_for(admin, 1, 200);
        world_stop(&world);
}

/* Who waits without a deadline hears of it when the last of what he waits for has left. */
static void test_nobody_waits_for_what_a_smaller_pool_cannot_hold(void **unused)
{
        struct state_settings settings;
        struct pool_settings pools[1];
        struct buffer *held[4];

        (void)unused;
        begin(4, held);
        wait_for(b, 4, 1);
        give(held[0]);
        give(held[1]);
        pools[0] = world.pools[0];
        pools[0].size_min_bytes = pools[0].size_max_bytes = 2 * PAGE;
        settings = world.settings;
        settings.pools = pools;
        world.clumsy = true;
        state_reconfigure(world.state, &settings, world.now_ns);
        world_pass(&world, 0);
        assert_int_equal(world.n_answers, 0);
        world_let_leave(&world);
        world_pass(&world, 0);
        assert_int_equal(world_bytes(&world).held, 2 * PAGE);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, PAR_REFUSED_NEVER_FITS);
        assert_true(world.answers[0].refusal.permanent);
        world_stop(&world);
}

static void test_who_waits_is_counted(void **unused)
{
        struct pool_counters counters;
        struct status_report report;
        struct buffer *held[2];
        struct request want = world_request(PAGE);
        struct refusal refusal;

        (void)unused;
        begin(2, held);
        wait_for(b, 1, 1);
        wait_for(b, 2, 2);
        assert_int_equal(world_pool(&world, 0).waiting, 2);
        assert_int_equal(state_cancel(world.state, b, 2, world.now_ns), 0);
        assert_int_equal(world_pool(&world, 0).waiting, 1);
        want.patient = true;
        assert_int_equal(world_refused(&world, c, want, &refusal), PAR_REFUSED_EXHAUSTED);
        state_pool_counters(world.state, 0, &counters);
        assert_int_equal(counters.waits, 2);
        give(held[0]);
        assert_int_equal(world_pool(&world, 0).waiting, 0);
        state_report(world.state, world.now_ns, &report);
        assert_int_equal(report.refusals, 0); /* nobody heard no */
        world_stop(&world);
}

static void test_growing_beyond_max_waiting_is_the_plain_refusal(void **unused)
{
        struct request want = world_request(2 * PAGE);
        struct status_report report;
        struct refusal refusal;

        (void)unused;
        world_init(&world, 1);
        world.pools[0].size_max_bytes = 8 * PAGE;
        world.settings.max_waiting = 1;
        world.late = true;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        assert_int_equal(world_ask(&world, a, want, 1, &refusal), 0);
        assert_int_equal(state_wait(world.state, a, &want, UINT64_MAX, 2, world.now_ns, &refusal),
                         PAR_REFUSED_QUOTA);
        assert_int_equal(world_ask(&world, a, want, 3, &refusal), PAR_REFUSED_EXHAUSTED);
        state_report(world.state, world.now_ns, &report);
        assert_int_equal(report.refusals, 2);
        world_serve(&world);
        assert_int_equal(world.n_answers, 1);
        world_stop(&world);
}

static void test_a_long_line_is_served_in_steps(void **unused)
{
        struct buffer *all;
        struct client *clients[4];

        (void)unused;
        world_init(&world, 250);
        world.settings.max_waiting = 100;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        all = world_alloc(&world, a, world_request(250 * PAGE));
        for (unsigned i = 0; i < 4; i++) {
                clients[i] = world_client(&world, 2000 + i, "c");
                for (unsigned n = 0; n < 50; n++)
                        wait_for(clients[i], 1, i * 50 + n);
        }
        world_pass(&world, NS_PER_S);
        world.clumsy = true;
        give(all);
        world_pass(&world, 0);
        assert_int_equal(world.n_answers, 200);
        for (size_t i = 0; i < 200; i++) {
                assert_int_equal(world.answers[i].r, 0);
                assert_int_equal(world.answers[i].ticket, i); /* in the order of arrival */
        }
        world_stop(&world);
}

/* A search costs the same however many pieces there are, so as many are tried in one go. */
static void test_a_line_goes_on_as_fast_where_memory_is_in_pieces(void **unused)
{
        struct buffer *held[2000];

        (void)unused;
        world_init(&world, ARRAY_SIZE(held));
        world.settings.max_waiting = 100;
        world.settings.max_buffers = ARRAY_SIZE(held);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        for (size_t i = 0; i < ARRAY_SIZE(held); i++)
                held[i] = world_alloc(&world, a, world_request(PAGE));
        for (size_t i = 0; i < ARRAY_SIZE(held); i += 2)
                give(held[i]);
        for (uint64_t i = 0; i < 20; i++)
                wait_for(b, 4, i);
        wait_for(b, 3, 20);
        give(held[1]);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 20);
        world_stop(&world);
}

/* Whoever is next in the line may go before his turn comes. */
static void test_a_long_line_may_change_between_steps(void **unused)
{
        struct buffer *held[2];

        (void)unused;
        begin(2, held);
        for (uint64_t i = 0; i < 80; i++)
                wait_for(i % 2 ? c : b, 1, i);
        give(held[0]);
        assert_int_equal(world.n_answers, 1); /* and 31 that found nothing */
        assert_int_equal(state_cancel(world.state, b, 32, world.now_ns), 0);
        assert_int_equal(state_cancel(world.state, c, 33, world.now_ns), 0);
        client_end(world.state, b, true, world.now_ns); /* what it got comes back with it */
        world_let_leave(&world);
        give(held[1]);
        world_pass(&world, 0);
        assert_int_equal(world.n_answers, 3);
        assert_int_equal(world_pool(&world, 0).waiting, 37);
        world_stop(&world);
}

/* ---- a model -------------------------------------------------------------------------------- */

#define MODEL_FRAMES  24
#define MODEL_CLIENTS 12
#define MODEL_STEP_NS (20 * MS)

/* Clients that take single pages for short times, asking again and again, and do not wait. */
struct busy {
        struct client *client;
        uint64_t buffer, until_ns;
};

static void be_busy(struct busy *busy, struct random *random, uint64_t lifetime_ns)
{
        struct request request = world_request(PAGE);
        struct refusal refusal = { 0 };
        struct buffer *buffer;

        if (busy->buffer && world.now_ns >= busy->until_ns) {
                assert_int_equal(
                        state_release(world.state, busy->client, busy->buffer, world.now_ns), 0);
                world_let_leave(&world);
                busy->buffer = 0;
        }
        if (busy->buffer ||
            state_alloc(world.state, busy->client, &request, world.now_ns, &buffer, &refusal))
                return;
        busy->buffer = world_id(buffer);
        busy->until_ns = world.now_ns + 1 + random_below(random, lifetime_ns);
}

/* More demand than there is memory, all the time; who waits for half of it is served all the same.
 */
static void test_the_large_are_not_starved(void **unused)
{
        struct busy busy[MODEL_FRAMES + 8] = { 0 };
        struct random random = { 7 };
        uint64_t longest_ns = 0;

        (void)unused;
        world_init(&world, MODEL_FRAMES);
        world_start(&world);
        for (size_t i = 0; i < ARRAY_SIZE(busy); i++)
                busy[i].client = world_client(&world, 1000 + (uint32_t)i, "busy");
        b = world_client(&world, 999, "large");
        for (unsigned life = 0; life < 20; life++) {
                uint64_t began_ns = world.now_ns;

                world.n_answers = 0;
                wait_for(b, MODEL_FRAMES / 2, life);
                while (!world.n_answers && world.now_ns - began_ns < 60 * NS_PER_S) {
                        for (size_t i = 0; i < ARRAY_SIZE(busy); i++)
                                be_busy(&busy[i], &random, 4 * NS_PER_S);
                        world_pass(&world, MODEL_STEP_NS);
                }
                assert_int_equal(world.n_answers, 1);
                assert_int_equal(world.answers[0].r, 0);
                if (world.now_ns - began_ns > longest_ns)
                        longest_ns = world.now_ns - began_ns;
                assert_int_equal(
                        state_release(world.state, b, world.answers[0].buffer, world.now_ns), 0);
                world_let_leave(&world);
                world_pass(&world, NS_PER_S);
        }
        print_message("longest wait: %u ms\n", (unsigned)(longest_ns / MS));
        assert_true(longest_ns < 5 * NS_PER_S);
        world_stop(&world);
}

/* Waiters that nobody can serve come and go; one who polls is never put off for longer than a turn,
 * although what it wants is free all the time. */
static void test_nobody_holds_up_a_pool_for_ever(void **unused)
{
        struct random random = { 3 };
        uint64_t since_ns, longest_ns = 0;
        struct client *clients[MODEL_CLIENTS];
        unsigned got = 0;

        (void)unused;
        world_init(&world, MODEL_FRAMES);
        world.settings.max_waiting = 100;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
                clients[i] = world_client(&world, 2000 + (uint32_t)i, "greedy");
        world_alloc(&world, a, world_request(MODEL_FRAMES / 2 * PAGE)); /* and keeps it */
        c = world_client(&world, 999, "poll");
        since_ns = world.now_ns;
        for (unsigned i = 0; i < 20000; i++) {
                if (random_one_in(&random, 20)) {
                        uint64_t who = random_below(&random, MODEL_CLIENTS);

                        if (random_one_in(&random, 2))
                                (void)state_cancel(world.state, clients[who], who, world.now_ns);
                        else if (state_cancel(world.state, clients[who], who, world.now_ns))
                                wait_for(clients[who], MODEL_FRAMES * 3 / 4, who);
                }
                if (gets(c, world_request(PAGE))) {
                        since_ns = world.now_ns;
                        got++;
                } else if (world.now_ns - since_ns > longest_ns) {
                        longest_ns = world.now_ns - since_ns;
                }
                world_pass(&world, MODEL_STEP_NS);
        }
        print_message("put off for %u ms at most, served %u of 20000 times\n",
                      (unsigned)(longest_ns / MS), got);
        assert_true(longest_ns > 2 * NS_PER_S); /* or nobody waited */
        assert_true(longest_ns <= 10 * NS_PER_S + 2 * MODEL_STEP_NS);
        world_stop(&world);
}

/* Many that wait for what fits: each is served before long, in spite of those who wait for more. */
static void test_the_small_who_wait_are_not_starved(void **unused)
{
        struct buffer *buffer;

        (void)unused;
        world_init(&world, MODEL_FRAMES);
        world.settings.max_waiting = 100;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        c = world_client(&world, 1002, "c");
        world_alloc(&world, a, world_request(MODEL_FRAMES / 2 * PAGE));
        buffer = world_alloc(&world, a, world_request(MODEL_FRAMES / 2 * PAGE));
        for (uint64_t i = 0; i < 5; i++)
                wait_for(b, MODEL_FRAMES, 100 + i);
        wait_for(c, 2, 1);
        world_pass(&world, 50 * MS);
        for (uint64_t i = 0; i < 5; i++)
                wait_for(b, MODEL_FRAMES, 200 + i);
        world_pass(&world, NS_PER_S);
        give(buffer);
        world_pass(&world, 11 * NS_PER_S);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 1);
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_young_can_be_overtaken),
                cmocka_unit_test(test_own_memory_stays_usable),
                cmocka_unit_test(test_a_turn_ends),
                cmocka_unit_test(test_rests_become_longer),
                cmocka_unit_test(test_the_end_of_the_line),
                cmocka_unit_test(test_who_had_his_turn_comes_after_the_others),
                cmocka_unit_test(test_only_what_would_do_is_held_up),
                cmocka_unit_test(test_other_pools_are_not_held_up),
                cmocka_unit_test(test_a_uid_holds_a_pool_up_half_of_the_time),
                cmocka_unit_test(test_asking_anew_is_no_new_turn),
                cmocka_unit_test(test_who_gives_up_leaves_a_pool_open),
                cmocka_unit_test(test_who_gives_up_lets_the_next_have_it_at_once),
                cmocka_unit_test(test_many_of_one_uid_do_not_starve_another),
                cmocka_unit_test(test_a_uid_has_a_share_of_the_line),
                cmocka_unit_test(test_nobody_waits_for_what_a_smaller_pool_cannot_hold),
                cmocka_unit_test(test_who_waits_is_counted),
                cmocka_unit_test(test_growing_beyond_max_waiting_is_the_plain_refusal),
                cmocka_unit_test(test_a_long_line_is_served_in_steps),
                cmocka_unit_test(test_a_line_goes_on_as_fast_where_memory_is_in_pieces),
                cmocka_unit_test(test_a_long_line_may_change_between_steps),
                cmocka_unit_test(test_the_large_are_not_starved),
                cmocka_unit_test(test_nobody_holds_up_a_pool_for_ever),
                cmocka_unit_test(test_the_small_who_wait_are_not_starved),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
