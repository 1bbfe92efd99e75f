/* SPDX-License-Identifier: MIT */
/*
 * What each user may have of a pool, in all his sessions, dead ones included; and what a refusal
 * says of memory that is in quarantine.
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
#define FRAMES 16u

static struct world world;
static struct quota_settings each = { .name = (char *)(uintptr_t) "user:*",
                                      .each = true,
                                      .frames = QUOTA_NONE,
                                      .buffers = QUOTA_NONE };

static void set_quota(uint64_t bytes)
{
        each.bytes = bytes;
        world.pools[0].quotas = &each;
        world.pools[0].n_quotas = 1;
}

/* @quota: bytes; 0: there is none. */
static void begin(uint64_t quota)
{
        world_init(&world, FRAMES);
        if (quota)
                set_quota(quota);
        world_start(&world);
}

static int test_teardown(void **data)
{
        (void)data;
        world_stop(&world);
        return 0;
}

static struct buffer *get(struct client *client, uint64_t bytes)
{
        struct request request = world_request(bytes);

        request.want.max_segments = SEGMENTS_ANY;
        return world_alloc(&world, client, request);
}

static int refused(struct client *client, uint64_t bytes, struct refusal *ret)
{
        struct request request = world_request(bytes);

        request.want.max_segments = SEGMENTS_ANY;
        return world_refused(&world, client, request, ret);
}

static void die(struct client *client)
{
        client_end(world.state, client, false, world.now_ns);
        world_pass(&world, 0);
}

/* ---- who may have how much ------------------------------------------------------------------- */

/* What happens in order; the result of each request. All sizes are in pages of 2 MiB. */
enum step { END, TAKE_A, TAKE_B, TAKE_STRANGER, KILL_A, FREE_A, TIME };

static const struct {
        const char *name;
        unsigned quota;
        struct {
                enum step what;
                unsigned pages;
                int result;
        } steps[6];
} cases[] = {
        { "no quota", 0, { { TAKE_A, 16, 0 } } },
        { "up to the quota, and no page more",
          4,
          { { TAKE_A, 3, 0 }, { TAKE_A, 1, 0 }, { TAKE_A, 1, PAR_REFUSED_QUOTA } } },
        { "two sessions of a uid have one quota",
          4,
          { { TAKE_A, 3, 0 }, { TAKE_B, 2, PAR_REFUSED_QUOTA }, { TAKE_B, 1, 0 } } },
        { "another uid has its own", 4, { { TAKE_A, 4, 0 }, { TAKE_STRANGER, 4, 0 } } },
        { "what a dead client left counts",
          4,
          { { TAKE_A, 3, 0 },
            { KILL_A, 0, 0 },
            { TAKE_B, 2, PAR_REFUSED_QUOTA },
            { TIME, 0, 0 },
            { TAKE_B, 4, 0 } } },
        { "what was given back does not",
          4,
          { { TAKE_A, 4, 0 }, { FREE_A, 0, 0 }, { TAKE_B, 4, 0 } } },
        { "more than the quota is refused for ever", 4, { { TAKE_A, 5, PAR_REFUSED_NEVER_FITS } } },
};

static void take(struct client *client, unsigned pages, int result)
{
        struct refusal refusal;

        if (!result)
                (void)get(client, pages * PAGE);
        else
                assert_int_equal(refused(client, pages * PAGE, &refusal), result);
}

static void test_quota_is_one_for_a_uid(void **data)
{
        (void)data;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct client *a, *b, *stranger;

                print_message("%s\n", cases[i].name);
                begin(cases[i].quota * PAGE);
                a = world_client(&world, 1000, "a");
                b = world_client(&world, 1000, "b");
                stranger = world_client(&world, 1001, "stranger");
                for (size_t j = 0; j < ARRAY_SIZE(cases[i].steps); j++) {
                        unsigned pages = cases[i].steps[j].pages;
                        int result = cases[i].steps[j].result;

                        switch (cases[i].steps[j].what) {
                        case END: break;
                        case TAKE_A: take(a, pages, result); break;
                        case TAKE_B: take(b, pages, result); break;
                        case TAKE_STRANGER: take(stranger, pages, result); break;
                        case KILL_A: die(a); break;
                        case FREE_A:
                                client_end(world.state, a, true, world.now_ns);
                                world_pass(&world, 0);
                                break;
                        case TIME: world_pass(&world, 6 * NS_PER_S); break;
                        }
                }
                state_check(world.state);
                world_stop(&world);
        }
        begin(0);
}

/* A part of a frame that is the client's already costs no further page. */
static void test_quota_leaves_own_frames(void **data)
{
        struct refusal refusal;
        struct client *client;

        (void)data;
        begin(PAGE);
        client = world_client(&world, 1000, "client");
        (void)get(client, 4096);
        (void)get(client, PAGE / 2);
        assert_int_equal(refused(client, PAGE, &refusal), PAR_REFUSED_QUOTA);
        assert_non_null(strstr(refusal.sentence,
                               "quota \"user:*\" of pool any allows 2 MiB, of which 2 MiB are in "
                               "use"));
        assert_false(refusal.permanent);
}

/* Who is beyond his quota holds nobody up. */
static void test_quota_does_not_wait(void **data)
{
        struct request request = world_request(PAGE);
        struct refusal refusal;
        struct client *client;

        (void)data;
        begin(PAGE);
        client = world_client(&world, 1000, "client");
        (void)get(client, PAGE);
        assert_int_equal(
                state_wait(world.state, client, &request, UINT64_MAX, 1, world.now_ns, &refusal),
                PAR_REFUSED_QUOTA);
}

/* Another pool does where one's quota is reached. */
static void test_quota_is_of_one_pool(void **data)
{
        struct client *client;
        struct buffer *buffer;

        (void)data;
        world_init(&world, FRAMES);
        world_add_pool(&world, "low", GiB, 2 * GiB - 1, 4);
        set_quota(PAGE);
        world.pools[1].spill = true;
        world_start(&world);
        client = world_client(&world, 1000, "client");
        (void)get(client, PAGE);
        buffer = get(client, PAGE);
        assert_true(world_first(buffer) < 2 * GiB);
}

/* Who holds what the quota allows: not what strangers have, however much that is. */
static void test_explain_tells_what_counts(void **data)
{
        static struct explanation explanation;
        struct request request = world_request(PAGE);
        struct client *a, *b;
        uint64_t large, small;

        (void)data;
        begin(4 * PAGE);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1000, "b");
        (void)get(world_client(&world, 1001, "stranger"), 4 * PAGE);
        small = world_id(get(b, PAGE));
        large = world_id(get(a, 3 * PAGE));
        assert_int_equal(state_explain(world.state, b, &request, world.now_ns, &explanation), 0);
        assert_int_equal(explanation.result, PAR_REFUSED_QUOTA);
        assert_int_equal(explanation.n_blockers, 2);
        assert_int_equal(explanation.blockers[0].buffer, large);
        assert_int_equal(explanation.blockers[0].holder.uid, 1000);
        assert_int_equal(explanation.blockers[1].buffer, small);
        assert_true(explanation.blockers[1].holder.mine);
}

/* Sums by uid are there again after the worker's death. */
static void test_quota_outlives_the_worker(void **data)
{
        struct refusal refusal;
        struct client *client;

        (void)data;
        begin(4 * PAGE);
        client = world_client(&world, 1000, "client");
        (void)get(client, 3 * PAGE);
        die(client);
        world_restart(&world);
        client = world_client(&world, 1000, "client");
        assert_int_equal(refused(client, 2 * PAGE, &refusal), PAR_REFUSED_QUOTA);
        assert_non_null(strstr(refusal.sentence, "6 MiB of it in quarantine: parctl release"));
        world_pass(&world, 6 * NS_PER_S);
        (void)get(client, 4 * PAGE);
}

/* ---- what a refusal says of quarantine ------------------------------------------------------- */

static void test_refusal_names_the_quarantine(void **data)
{
        struct client *driver, *next;
        struct refusal refusal;

        (void)data;
        begin(0);
        driver = world_client(&world, 1000, "driver");
        next = world_client(&world, 1000, "driver");
        (void)get(driver, FRAMES * PAGE);
        die(driver);
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(refused(next, PAGE, &refusal), PAR_REFUSED_EXHAUSTED);
        assert_false(refusal.permanent);
        assert_non_null(strstr(refusal.sentence,
                               "32 MiB are in quarantine, some of that for another 3 s; parctl "
                               "release would free that"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_quota_is_one_for_a_uid, test_teardown),
                cmocka_unit_test_teardown(test_quota_leaves_own_frames, test_teardown),
                cmocka_unit_test_teardown(test_quota_does_not_wait, test_teardown),
                cmocka_unit_test_teardown(test_quota_is_of_one_pool, test_teardown),
                cmocka_unit_test_teardown(test_explain_tells_what_counts, test_teardown),
                cmocka_unit_test_teardown(test_quota_outlives_the_worker, test_teardown),
                cmocka_unit_test_teardown(test_refusal_names_the_quarantine, test_teardown),
        };

        return cmocka_run_group_tests_name("state_quota", tests, NULL, NULL);
}
