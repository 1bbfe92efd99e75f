/* SPDX-License-Identifier: MIT */
/*
 * Quotas of users and groups, and what is kept for those who claimed it.
 */
#include "macros.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

#define RADIO 100 /* a group */

static struct world world;

static struct quota_settings quotas[4];
static struct claim_settings claims[4];

static struct quota_settings *add_quota(const char *name, bool is_group, uint32_t id)
{
        struct pool_settings *pool = &world.pools[0];
        struct quota_settings *quota = &quotas[pool->n_quotas++];

        *quota = (struct quota_settings){
                .name = (char *)(uintptr_t)name,
                .who = { is_group, id },
                .bytes = QUOTA_NONE,
                .frames = QUOTA_NONE,
                .buffers = QUOTA_NONE,
        };
        pool->quotas = quotas;
        return quota;
}

static void add_claim(const char *name, bool is_group, uint32_t id, uint64_t bytes)
{
        struct pool_settings *pool = &world.pools[0];

        claims[pool->n_claims++] = (struct claim_settings){
                .name = (char *)(uintptr_t)name,
                .who = { is_group, id },
                .bytes = bytes,
        };
        pool->claims = claims;
}

/* A client of uid that is in a group as well. */
static struct client *member(uint32_t uid, uint32_t group)
{
        const struct identity identity = {
                .uid = uid, .gid = uid, .pid = 1, .groups = { uid, group }, .n_groups = 2
        };
        struct client *client;

        assert_int_equal(client_new(world.state, &identity, "member", ++world.last_token, &world,
                                    world.now_ns, &client),
                         0);
        return client;
}

static void release(struct client *client, struct buffer *buffer)
{
        assert_int_equal(state_release(world.state, client, world_id(buffer), world.now_ns), 0);
}

static int refused(struct client *client, uint64_t bytes, struct refusal *refusal)
{
        return world_refused(&world, client, world_request(bytes), refusal);
}

/* ---- quotas --------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        uint64_t bytes, frames, buffers;
        uint64_t size;     /* of each buffer */
        unsigned granted;  /* how many of them are */
        const char *words; /* in the refusal of the next */
} quota_cases[] = {
        { "bytes", 3 * PAGE, QUOTA_NONE, QUOTA_NONE, PAGE, 3,
          "quota \"user:anna\" of pool any allows 6 MiB, of which 6 MiB are in use" },
        { "bytes of which a part is left", 3 * PAGE + 4096, QUOTA_NONE, QUOTA_NONE, PAGE, 3,
          "allows 6148 KiB, of which 6 MiB are in use" },
        { "frames", QUOTA_NONE, 2, QUOTA_NONE, PAGE, 2,
          "quota \"user:anna\" of pool any allows 2 frames, of which 2 frames are in use" },
        { "frames of larger buffers", QUOTA_NONE, 5, QUOTA_NONE, 2 * PAGE, 2,
          "allows 5 frames, of which 4 frames are in use; it takes 2 frames" },
        { "buffers", QUOTA_NONE, QUOTA_NONE, 4, 4096, 4, "allows 4 buffers, of which 4 buffers" },
        { "one buffer", QUOTA_NONE, QUOTA_NONE, 1, 4096, 1,
          "allows 1 buffer, of which 1 buffer is" },
        { "the first that is reached", 4 * PAGE, 3, 2, PAGE, 2, "allows 2 buffers" },
};

static void test_a_quota_is_reached_and_not_exceeded(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(quota_cases); i++) {
                struct quota_settings *quota;
                struct refusal refusal;
                struct client *clients[2];

                print_message("%s\n", quota_cases[i].name);
                world_init(&world, 16);
                quota = add_quota("user:anna", false, 1000);
                quota->bytes = quota_cases[i].bytes;
                quota->frames = quota_cases[i].frames;
                quota->buffers = quota_cases[i].buffers;
                world_start(&world);
                clients[0] = world_client(&world, 1000, "a");
                clients[1] = world_client(&world, 1000, "b");
                /* Small buffers of one session: those of another are in a frame of their own. */
                for (unsigned j = 0; j < quota_cases[i].granted; j++)
                        world_alloc(&world, clients[quota_cases[i].size < PAGE ? 0 : j % 2],
                                    world_request(quota_cases[i].size));
                assert_int_equal(refused(clients[0], quota_cases[i].size, &refusal),
                                 PAR_REFUSED_QUOTA);
                assert_false(refusal.permanent);
                if (!strstr(refusal.sentence, quota_cases[i].words))
                        fail_msg("%s", refusal.sentence);
                assert_string_equal(refusal.limit_set_by, "quota \"user:anna\" of pool any");
                /* It is nobody else's. */
                world_alloc(&world, world_client(&world, 1001, "c"),
                            world_request(quota_cases[i].size));
                world_stop(&world);
        }
}

static void test_more_than_a_quota_can_never_be_had(void **unused)
{
        struct refusal refusal;

        (void)unused;
        world_init(&world, 16);
        add_quota("user:anna", false, 1000)->bytes = 4 * PAGE;
        world_start(&world);
        assert_int_equal(refused(world_client(&world, 1000, "a"), 5 * PAGE, &refusal),
                         PAR_REFUSED_NEVER_FITS);
        assert_true(refusal.permanent);
        assert_non_null(strstr(refusal.sentence, "it takes 10 MiB and can never be had"));
        assert_int_equal(refusal.free_in_window_bytes, 4 * PAGE);
        /* What the pool could not hold either is not the quota's fault. */
        assert_int_equal(refused(world_client(&world, 1000, "a"), 17 * PAGE, &refusal),
                         PAR_REFUSED_NEVER_FITS);
        world_stop(&world);
}

static void test_a_groups_quota_counts_all_its_members(void **unused)
{
        struct client *a, *b, *c;
        struct refusal refusal;
        struct buffer *buffer;

        (void)unused;
        world_init(&world, 16);
        add_quota("group:radio", true, RADIO)->frames = 4;
        add_quota("user:anna", false, 1000)->frames = 3;
        world_start(&world);
        a = member(1000, RADIO);
        b = member(1001, RADIO);
        c = member(1002, 200);
        buffer = world_alloc(&world, a, world_request(3 * PAGE));
        assert_int_equal(refused(a, PAGE, &refusal), PAR_REFUSED_QUOTA);
        assert_string_equal(refusal.limit_set_by, "quota \"user:anna\" of pool any");
        world_alloc(&world, b, world_request(PAGE));
        assert_int_equal(refused(b, PAGE, &refusal), PAR_REFUSED_QUOTA);
        assert_string_equal(refusal.limit_set_by, "quota \"group:radio\" of pool any");
        world_alloc(&world, c, world_request(12 * PAGE));
        release(a, buffer);
        world_let_leave(&world);
        world_alloc(&world, b, world_request(PAGE));
        world_stop(&world);
}

static void test_each_user_has_a_quota_of_his_own(void **unused)
{
        struct refusal refusal;

        (void)unused;
        world_init(&world, 16);
        add_quota("user:*", false, 0)->frames = 2;
        quotas[0].each = true;
        add_quota("user:anna", false, 1000)->frames = 5;
        world_start(&world);
        world_alloc(&world, world_client(&world, 1001, "b"), world_request(2 * PAGE));
        assert_int_equal(refused(world_client(&world, 1001, "b2"), PAGE, &refusal),
                         PAR_REFUSED_QUOTA);
        world_alloc(&world, world_client(&world, 1002, "c"), world_request(2 * PAGE));
        world_alloc(&world, world_client(&world, 1000, "a"), world_request(5 * PAGE));
        assert_int_equal(refused(world_client(&world, 1000, "a2"), PAGE, &refusal),
                         PAR_REFUSED_QUOTA);
        world_stop(&world);
}

static void test_what_is_not_gone_counts(void **unused)
{
        struct refusal refusal;
        struct client *a, *b;
        struct buffer *buffer;

        (void)unused;
        world_init(&world, 16);
        add_quota("user:anna", false, 1000)->frames = 3;
        world.clumsy = true;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1000, "b");
        buffer = world_alloc(&world, a, world_request(2 * PAGE));
        release(a, buffer); /* on its way */
        assert_int_equal(refused(b, 2 * PAGE, &refusal), PAR_REFUSED_QUOTA);
        assert_true(refusal.growing); /* whichever session gave it back */
        world_alloc(&world, b, world_request(PAGE));
        world_let_leave(&world);
        world_alloc(&world, b, world_request(2 * PAGE));
        client_end(world.state, b, false, world.now_ns); /* in quarantine */
        assert_int_equal(refused(a, PAGE, &refusal), PAR_REFUSED_QUOTA);
        world_pass(&world, 10 * NS_PER_S);
        world_let_leave(&world);
        world_alloc(&world, a, world_request(3 * PAGE));
        world_stop(&world);
}

static void test_what_comes_back_is_waited_for(void **unused)
{
        struct refusal refusal;
        struct client *a;
        struct buffer *buffer;

        (void)unused;
        world_init(&world, 16);
        add_quota("user:anna", false, 1000)->frames = 4;
        world.clumsy = true;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, a, world_request(3 * PAGE));
        world_show(&world, a, buffer); /* so that one is kept for reuse */
        release(a, buffer);
        assert_int_equal(world_ask(&world, a, world_request(4 * PAGE), 7, &refusal), 0);
        assert_int_equal(world.n_answers, 0);
        world_let_leave(&world);
        world_pass(&world, 0);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, 0);
        world_stop(&world);
}

/* Whichever session it is kept for, and however long. */
static void test_what_is_kept_for_another_session_is_waited_for(void **unused)
{
        static const struct {
                const char *name;
                bool is_group;
                uint32_t whose, first, second; /* uids */
        } cases[] = {
                { "of the same user", false, 1000, 1000, 1000 },
                { "of the same group", true, RADIO, 1000, 1001 },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct client *a, *b, *other;
                struct refusal refusal;
                struct buffer *buffer;

                print_message("%s\n", cases[i].name);
                world_init(&world, 16);
                world.pools[0].reuse_delay_ns = 3600 * NS_PER_S;
                add_quota("ours", cases[i].is_group, cases[i].whose)->frames = 4;
                world.clumsy = true;
                world_start(&world);
                a = member(cases[i].first, RADIO);
                b = member(cases[i].second, RADIO);
                other = world_client(&world, 1002, "other");
                buffer = world_alloc(&world, a, world_request(4 * PAGE));
                world_show(&world, a, buffer);
                release(a, buffer);
                buffer = world_alloc(&world, other, world_request(PAGE));
                world_show(&world, other, buffer);
                release(other, buffer);
                assert_int_equal(world_bytes(&world).reusable, 2 * PAGE);
                assert_int_equal(world_ask(&world, b, world_request(4 * PAGE), 7, &refusal), 0);
                assert_int_equal(world.n_answers, 0);
                world_let_leave(&world);
                world_pass(&world, 0);
                assert_int_equal(world.n_answers, 1);
                assert_int_equal(world.answers[0].r, 0);
                assert_int_equal(world_bytes(&world).reusable, PAGE); /* the other one's */
                world_stop(&world);
        }
}

/* What is kept stays, where what leaves already is enough. */
static void test_what_is_kept_stays_where_it_is_not_wanted(void **unused)
{
        struct client *a, *b;
        struct refusal refusal;
        struct buffer *buffer;

        (void)unused;
        world_init(&world, 16);
        world.pools[0].reuse_delay_ns = 3600 * NS_PER_S;
        add_quota("user:anna", false, 1000)->frames = 4;
        world.clumsy = true;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1000, "b");
        buffer = world_alloc(&world, a, world_request(4 * PAGE));
        world_show(&world, a, buffer);
        release(a, buffer);
        assert_int_equal(world_ask(&world, b, world_request(3 * PAGE), 7, &refusal), 0);
        world_let_leave(&world);
        world_pass(&world, 0);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, 0);
        assert_int_equal(world_bytes(&world).reusable, PAGE);
        world_stop(&world);
}

static int wait_for(struct client *client, uint64_t bytes, uint64_t ticket)
{
        struct request request = world_request(bytes);
        struct refusal refusal;

        return state_wait(world.state, client, &request, UINT64_MAX, ticket, world.now_ns,
                          &refusal);
}

static void test_who_waits_for_his_quota_holds_up_nobody(void **unused)
{
        struct client *a, *b, *other;
        struct buffer *buffer;

        (void)unused;
        world_init(&world, 16);
        add_quota("user:anna", false, 1000)->frames = 4;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1000, "b");
        other = world_client(&world, 1001, "other");
        buffer = world_alloc(&world, a, world_request(4 * PAGE));
        assert_int_equal(wait_for(b, 2 * PAGE, 1), 0);
        world_pass(&world, NS_PER_S); /* its turn would have come */
        for (unsigned i = 0; i < 10; i++)
                world_alloc(&world, other, world_request(PAGE));
        release(a, buffer);
        world_let_leave(&world);
        world_pass(&world, 0);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, 0);
        world_stop(&world);
}

static void test_nobody_waits_for_himself(void **unused)
{
        struct client *a;

        (void)unused;
        world_init(&world, 16);
        add_quota("user:anna", false, 1000)->frames = 4;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        world_alloc(&world, a, world_request(4 * PAGE));
        assert_int_equal(wait_for(a, PAGE, 1), PAR_REFUSED_QUOTA);
        assert_int_equal(wait_for(world_client(&world, 1000, "b"), 5 * PAGE, 2),
                         PAR_REFUSED_NEVER_FITS);
        world_stop(&world);
}

static void test_another_pool_will_do(void **unused)
{
        struct refusal refusal;
        struct client *a;

        (void)unused;
        world_init(&world, 4);
        add_quota("user:anna", false, 1000)->frames = 2;
        world_add_pool(&world, "second", 0, 2 * GiB - 1, 2);
        world.pools[1].spill = true;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        world_alloc(&world, a, world_request(2 * PAGE));
        world_alloc(&world, a, world_request(2 * PAGE));
        assert_int_equal(world_pool(&world, 1).bytes.granted, 2 * PAGE);
        /* Waiting for the second would help: it is exhausted, and the quota is named as well. */
        assert_int_equal(refused(world_client(&world, 1000, "b"), PAGE, &refusal),
                         PAR_REFUSED_EXHAUSTED);
        assert_non_null(
                strstr(refusal.sentence, "; quota \"user:anna\" of pool any allows 2 frames"));
        world_stop(&world);
}

/* ---- sessions of one uid that share ---------------------------------------------------------- */

static const struct identity of_radio_alone = { .uid = 1000, .gid = RADIO, .pid = 1 };
static const struct identity of_radio_too = {
        .uid = 1000, .gid = 1000, .pid = 2, .groups = { 1000, RADIO }, .n_groups = 2
};
static const struct identity of_no_group = { .uid = 1000, .gid = 1000, .pid = 3 };
static const struct identity of_another = {
        .uid = 1000, .gid = 1000, .pid = 4, .groups = { 1000, 200 }, .n_groups = 2
};

static struct client *session_of(const struct identity *identity)
{
        struct client *client;

        assert_int_equal(client_new(world.state, identity, "session", ++world.last_token, &world,
                                    world.now_ns, &client),
                         0);
        return client;
}

static const struct {
        const char *name;
        const struct identity *first, *second;
} union_cases[] = {
        { "a primary group alone, then none", &of_radio_alone, &of_no_group },
        { "a primary group alone, then others", &of_radio_alone, &of_another },
        { "several groups, then none", &of_radio_too, &of_no_group },
        { "several groups, then others", &of_radio_too, &of_another },
        { "none, then a primary group alone", &of_no_group, &of_radio_alone },
        { "others, then several", &of_another, &of_radio_too },
};

static void start_shared_by_uid(void)
{
        world_init(&world, 16);
        world.pools[0].isolation = ISOLATE_UID;
        add_quota("group:radio", true, RADIO)->frames = 4;
        world_start(&world);
}

/* A group of one session does not end for what they share when another one lacks it. */
static void test_a_uid_has_the_groups_of_all_its_sessions(void **unused)
{
        struct client *clients[2];
        struct refusal refusal;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(union_cases); i++) {
                print_message("%s\n", union_cases[i].name);
                start_shared_by_uid();
                clients[0] = session_of(union_cases[i].first);
                world_alloc(&world, clients[0], world_request(3 * PAGE));
                clients[1] = session_of(union_cases[i].second);
                for (size_t j = 0; j < ARRAY_SIZE(clients); j++)
                        assert_int_equal(refused(clients[j], 2 * PAGE, &refusal),
                                         PAR_REFUSED_QUOTA);
                assert_int_equal(refused(member(1001, RADIO), 2 * PAGE, &refusal),
                                 PAR_REFUSED_QUOTA);
                world_alloc(&world, clients[1], world_request(PAGE));
                assert_int_equal(refused(clients[0], PAGE, &refusal), PAR_REFUSED_QUOTA);
                world_stop(&world);
        }
}

/* What is on its way out has no session in the ledger, only a uid. */
static void test_the_next_worker_knows_the_groups_of_a_uid(void **unused)
{
        struct refusal refusal;
        struct buffer *buffer;
        struct client *a;
        uint64_t token;

        (void)unused;
        start_shared_by_uid();
        a = session_of(&of_radio_alone);
        token = world.last_token;
        world_alloc(&world, a, world_request(2 * PAGE));
        buffer = world_alloc(&world, a, world_request(PAGE));
        world.clumsy = true;
        release(a, buffer);
        world_restart(&world);
        assert_int_equal(refused(member(1001, RADIO), 2 * PAGE, &refusal), PAR_REFUSED_QUOTA);
        assert_int_equal(
                client_resume(world.state, &of_radio_alone, token, &world, world.now_ns, &a), 0);
        assert_int_equal(refused(a, 2 * PAGE, &refusal), PAR_REFUSED_QUOTA);
        world_let_leave(&world);
        world_alloc(&world, a, world_request(2 * PAGE));
        assert_int_equal(refused(a, PAGE, &refusal), PAR_REFUSED_QUOTA);
        world_stop(&world);
}

/* ---- claims --------------------------------------------------------------------------------- */

static void test_what_is_claimed_is_never_given_to_others(void **unused)
{
        struct client *anna, *other;
        struct refusal refusal;

        (void)unused;
        world_init(&world, 16);
        add_claim("user:anna", false, 1000, 6 * PAGE);
        world_start(&world);
        anna = world_client(&world, 1000, "anna");
        other = world_client(&world, 1001, "other");
        world_alloc(&world, world_client(&world, 1001, "first"), world_request(9 * PAGE));
        assert_int_equal(refused(other, 2 * PAGE, &refusal), PAR_REFUSED_EXHAUSTED);
        assert_int_equal(refusal.free_in_window_bytes, PAGE);
        assert_int_equal(refusal.largest_run_bytes, PAGE);
        assert_non_null(strstr(refusal.sentence, "2 MiB are free there, the largest run is 2 MiB; "
                                                 "12 MiB more are kept for others"));
        world_alloc(&world, other, world_request(PAGE));
        assert_int_equal(refused(other, 4096, &refusal), PAR_REFUSED_EXHAUSTED);
        world_alloc(&world, anna, world_request(2 * PAGE));
        assert_int_equal(refused(other, PAGE, &refusal), PAR_REFUSED_EXHAUSTED);
        world_alloc(&world, world_client(&world, 1000, "anna2"), world_request(4 * PAGE));
        world_stop(&world);
}

static void test_beyond_his_claim_one_is_like_others(void **unused)
{
        struct client *anna;
        struct refusal refusal;
        struct buffer *buffer;

        (void)unused;
        world_init(&world, 16);
        add_claim("user:anna", false, 1000, 6 * PAGE);
        add_claim("group:radio", true, RADIO, 4 * PAGE);
        world_start(&world);
        anna = member(1000, RADIO); /* draws on her own claim */
        buffer = world_alloc(&world, anna, world_request(12 * PAGE));
        assert_int_equal(refused(member(1000, RADIO), PAGE, &refusal), PAR_REFUSED_EXHAUSTED);
        world_alloc(&world, member(1001, RADIO), world_request(4 * PAGE));
        release(anna, buffer);
        world_let_leave(&world);
        /* Her six are hers again. */
        world_alloc(&world, member(1002, RADIO), world_request(6 * PAGE));
        assert_int_equal(refused(member(1002, RADIO), PAGE, &refusal), PAR_REFUSED_EXHAUSTED);
        world_alloc(&world, anna, world_request(6 * PAGE));
        world_stop(&world);
}

static void test_what_others_claimed_is_out_of_reach_for_ever(void **unused)
{
        struct client *other;
        struct refusal refusal;

        (void)unused;
        world_init(&world, 16);
        add_claim("user:anna", false, 1000, 6 * PAGE);
        world_start(&world);
        other = world_client(&world, 1001, "other");
        assert_int_equal(refused(other, 11 * PAGE, &refusal), PAR_REFUSED_NEVER_FITS);
        assert_true(refusal.permanent);
        assert_non_null(strstr(refusal.sentence, "beside the 12 MiB that others have claimed, no "
                                                 "pool there may hold more than 20 MiB"));
        world_alloc(&world, other, world_request(10 * PAGE));
        world_stop(&world);
}

static void test_a_pool_grows_around_claims(void **unused)
{
        struct client *other;
        struct refusal refusal;

        (void)unused;
        world_init(&world, 4);
        world.pools[0].size_max_bytes = 12 * PAGE;
        add_claim("user:anna", false, 1000, 4 * PAGE);
        world_start(&world);
        other = world_client(&world, 1001, "other");
        assert_int_equal(world_ask(&world, other, world_request(2 * PAGE), 1, &refusal), 0);
        world_serve(&world);
        world_pass(&world, 0);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, 0);
        assert_in_range(world_pool(&world, 0).bytes.free, 4 * PAGE, UINT64_MAX);
        /* Nor does what is claimed go back to the system when nobody needs it. */
        world_pass(&world, 60 * NS_PER_S);
        world_let_leave(&world);
        assert_int_equal(world_pool(&world, 0).bytes.free, 4 * PAGE);
        world_alloc(&world, world_client(&world, 1000, "anna"), world_request(4 * PAGE));
        world_stop(&world);
}

static void test_who_has_part_of_a_frame_may_have_the_rest(void **unused)
{
        struct client *other;
        struct refusal refusal;

        (void)unused;
        world_init(&world, 2);
        add_claim("user:anna", false, 1000, PAGE);
        add_quota("user:other", false, 1001)->frames = 1;
        world_start(&world);
        other = world_client(&world, 1001, "other");
        world_alloc(&world, other, world_request(4096));
        world_alloc(&world, other, world_request(PAGE - 4096));
        assert_int_equal(refused(other, 4096, &refusal), PAR_REFUSED_QUOTA);
        world_stop(&world);
}

/* ---- other settings, and another worker ----------------------------------------------------- */

static void test_settings_that_change_count_what_is_there(void **unused)
{
        struct pool_settings pools[1];
        struct state_settings settings;
        struct refusal refusal;
        struct client *a, *other;

        (void)unused;
        world_init(&world, 16);
        world_start(&world);
        a = member(1000, RADIO);
        other = world_client(&world, 1001, "other");
        world_alloc(&world, a, world_request(3 * PAGE));
        world_alloc(&world, other, world_request(6 * PAGE));

        pools[0] = world.pools[0];
        settings = world.settings;
        settings.pools = pools;
        world.pools[0].n_quotas = 0;
        add_quota("group:radio", true, RADIO)->frames = 2; /* less than there is */
        add_claim("user:anna", false, 1000, 5 * PAGE);
        pools[0].quotas = quotas;
        pools[0].n_quotas = 1;
        pools[0].claims = claims;
        pools[0].n_claims = 1;
        state_reconfigure(world.state, &settings, world.now_ns);
        assert_int_equal(refused(a, PAGE, &refusal), PAR_REFUSED_QUOTA);
        assert_non_null(strstr(refusal.sentence, "allows 2 frames, of which 3 frames are in use"));
        world_alloc(&world, other, world_request(5 * PAGE)); /* of 7, 2 are claimed */
        assert_int_equal(refused(world_client(&world, 1001, "more"), PAGE, &refusal),
                         PAR_REFUSED_EXHAUSTED);

        quotas[0].frames = 5;
        state_reconfigure(world.state, &settings, world.now_ns);
        world_alloc(&world, a, world_request(2 * PAGE));
        world_stop(&world);
}

static const struct {
        const char *name;
        uint64_t before, after; /* the quota, in frames */
        uint64_t claim;         /* of somebody else's, from then on, in frames */
        int result;             /* -1: none */
} change_cases[] = {
        { "a quota that allows it", 4, 6, 0, 0 },
        { "a quota that allows less than it", 4, 1, 0, PAR_REFUSED_NEVER_FITS },
        { "a quota that allows no more", 4, 5, 0, -1 },
        { "no quota", 4, QUOTA_NONE, 0, 0 },
        { "no quota, and what is left is claimed", 4, QUOTA_NONE, 15, PAR_REFUSED_NEVER_FITS },
        { "a quota for one who waits for memory", QUOTA_NONE, 5, 0, -1 },
        { "a claim on what one waits for", QUOTA_NONE, QUOTA_NONE, 15, PAR_REFUSED_NEVER_FITS },
};

static void test_who_waits_goes_by_the_new_settings(void **unused)
{
        struct pool_settings pools[1];
        struct state_settings settings;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(change_cases); i++) {
                const bool short_of_memory = change_cases[i].before == QUOTA_NONE;
                struct client *a, *b;

                print_message("%s\n", change_cases[i].name);
                world_init(&world, 16);
                world.pools[0].size_max_bytes = world.pools[0].size_min_bytes;
                add_quota("user:anna", false, 1000)->frames = change_cases[i].before;
                world_start(&world);
                a = world_client(&world, 1000, "a");
                b = world_client(&world, 1000, "b");
                world_alloc(&world, a, world_request(4 * PAGE));
                if (short_of_memory)
                        world_alloc(&world, world_client(&world, 1001, "other"),
                                    world_request(12 * PAGE));
                assert_int_equal(wait_for(b, 2 * PAGE, 1), 0);
                world_pass(&world, 200 * NS_PER_MS);
                assert_int_equal(world.n_answers, 0);

                pools[0] = world.pools[0];
                settings = world.settings;
                settings.pools = pools;
                quotas[1] = quotas[0];
                quotas[1].frames = change_cases[i].after;
                pools[0].quotas = &quotas[1];
                add_claim("user:carl", false, 1002, change_cases[i].claim * PAGE);
                pools[0].claims = claims;
                pools[0].n_claims = 1;
                state_reconfigure(world.state, &settings, world.now_ns);
                assert_int_equal(world.n_answers, change_cases[i].result >= 0);
                if (world.n_answers && world.answers[0].r != change_cases[i].result)
                        fail_msg("%d: %s", world.answers[0].r, world.answers[0].refusal.sentence);
                if (world.n_answers && world.answers[0].r)
                        print_message("  %s\n", world.answers[0].refusal.sentence);
                world_stop(&world);
        }
}

static void test_the_next_worker_counts_the_same(void **unused)
{
        struct refusal refusal;
        uint64_t token;
        struct client *a;

        (void)unused;
        world_init(&world, 16);
        add_quota("group:radio", true, RADIO)->frames = 4;
        add_claim("group:radio", true, RADIO, 6 * PAGE);
        world_start(&world);
        a = member(1000, RADIO);
        token = world.last_token;
        world_alloc(&world, a, world_request(3 * PAGE));
        world_restart(&world);
        /* Before it comes back. */
        assert_int_equal(refused(member(1001, RADIO), 2 * PAGE, &refusal), PAR_REFUSED_QUOTA);
        world_alloc(&world, member(1001, RADIO), world_request(PAGE));
        world_alloc(&world, world_client(&world, 1002, "other"), world_request(10 * PAGE));
        assert_int_equal(refused(world_client(&world, 1002, "other"), PAGE, &refusal),
                         PAR_REFUSED_EXHAUSTED);
        assert_non_null(world_resume(&world, 1000, token));
        world_stop(&world);
}

/* ---- sessions, and the list of it all ------------------------------------------------------- */

static int try_client(uint32_t uid, struct client **ret)
{
        const struct identity identity = { .uid = uid, .gid = uid };

        return client_new(world.state, &identity, "more", ++world.last_token, &world, world.now_ns,
                          ret);
}

static void test_one_user_has_not_all_sessions(void **unused)
{
        const struct identity anna = { .uid = 1000, .gid = 1000 }, other = { .uid = 1, .gid = 1 };
        struct client *clients[8];
        char why[160];

        (void)unused;
        world_init(&world, 1);
        world.settings.max_clients = 6;
        world.settings.max_clients_per_user = 2;
        world_start(&world);
        assert_int_equal(try_client(1000, &clients[0]), 0);
        assert_int_equal(try_client(1000, &clients[1]), 0);
        assert_int_equal(try_client(1000, &clients[2]), PAR_REFUSED_QUOTA);
        client_refusal_words(world.state, &anna, why, sizeof(why));
        assert_string_equal(why,
                            "2 sessions of uid 1000 are connected, and max_clients_per_user is 2");
        client_end(world.state, clients[1], true, world.now_ns);
        assert_int_equal(try_client(1000, &clients[1]), 0);
        /* Administrators may have all that are left. */
        for (size_t i = 2; i < 6; i++)
                assert_int_equal(try_client(0, &clients[i]), 0);
        assert_int_equal(try_client(1, &clients[6]), PAR_REFUSED_QUOTA);
        client_refusal_words(world.state, &other, why, sizeof(why));
        assert_string_equal(why, "6 clients are connected, and max_clients is 6");
        world_stop(&world);
}

/* Two users with half of the sessions each do not keep an administrator from seeing who they are.
 */
static void test_users_together_keep_no_administrator_out(void **unused)
{
        const struct identity root = { 0 };
        struct client *client;
        char why[160];

        (void)unused;
        world_init(&world, 1);
        world.settings.max_clients = 4;
        world.settings.max_clients_per_user = 2;
        world_start(&world);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(try_client(i < 2 ? 1000 : 1001, &client), 0);
        assert_int_equal(try_client(1002, &client), PAR_REFUSED_QUOTA);
        for (size_t i = 0; i < CLIENTS_FOR_ADMINS; i++)
                assert_int_equal(try_client(0, &client), 0);
        assert_int_equal(try_client(0, &client), PAR_REFUSED_QUOTA);
        client_refusal_words(world.state, &root, why, sizeof(why));
        assert_string_equal(why, "12 clients are connected, and max_clients is 4");
        world_stop(&world);
}

static const struct {
        const char *whom, *pool, *limit, *set_by;
        uint64_t used, most;
        bool of_anna;
} limit_rows[] = {
        { "everybody", NULL, "sessions", "max_clients", 3, 100, true },
        { "group:radio", "any", "bytes", "quota", 3 * PAGE, 5 * PAGE, true },
        { "group:radio", "any", "buffers", "quota", 2, 7, true },
        { "user:bob", "any", "frames", "quota", 1, 4, false },
        { "user:carl", "any", "buffers", "quota", 0, 0, false },
        { "group:radio", "any", "claim", "claim", 3 * PAGE, 2 * PAGE, true },
        { "user:bob", "any", "claim", "claim", 0, PAGE, false },
        { "uid 0", "any", "frames", "quota", 0, 9, false },
        { "uid 1000", NULL, "sessions", "max_clients_per_user", 1, 50, true },
        { "uid 1000", NULL, "waiting", "max_waiting", 0, 64, true },
        { "uid 1000", "any", "frames", "quota", 2, 9, true },
        { "uid 1001", NULL, "sessions", "max_clients_per_user", 1, 50, false },
        { "uid 1001", NULL, "waiting", "max_waiting", 0, 64, false },
};

static void check_list(const struct client *asker, bool all)
{
        struct limit_report row;
        uint64_t cursor = 0;

        for (size_t i = 0; i < ARRAY_SIZE(limit_rows); i++) {
                if (!all && !limit_rows[i].of_anna)
                        continue;
                assert_true(state_next_limit(world.state, asker, &cursor, &row));
                assert_string_equal(row.whom, limit_rows[i].whom);
                assert_string_equal(row.pool ? row.pool : "-",
                                    limit_rows[i].pool ? limit_rows[i].pool : "-");
                assert_string_equal(row.limit, limit_rows[i].limit);
                assert_string_equal(row.set_by, limit_rows[i].set_by);
                assert_int_equal(row.used, limit_rows[i].used);
                assert_int_equal(row.most, limit_rows[i].most);
        }
        assert_false(state_next_limit(world.state, asker, &cursor, &row));
}

static void test_limits_are_listed(void **unused)
{
        struct client *anna, *bob, *root;

        (void)unused;
        world_init(&world, 16);
        world.settings.max_clients = 100;
        world.settings.max_clients_per_user = 50;
        add_quota("user:*", false, 0)->frames = 9;
        quotas[0].each = true;
        add_quota("group:radio", true, RADIO)->bytes = 5 * PAGE;
        quotas[1].buffers = 7;
        add_quota("user:bob", false, 1001)->frames = 4;
        add_quota("user:carl", false, 1002)->buffers = 0;
        add_claim("group:radio", true, RADIO, 2 * PAGE);
        add_claim("user:bob", false, 1001, PAGE);
        claims[1].who.id = 1003; /* of one who is not here */
        world_start(&world);
        anna = member(1000, RADIO);
        bob = member(1001, RADIO);
        root = world_client(&world, 0, "root");
        world_alloc(&world, anna, world_request(2 * PAGE));
        world_alloc(&world, bob, world_request(4096));
        check_list(root, true);
        check_list(NULL, true);
        check_list(anna, false);
        world_stop(&world);
}

/* ---- how much is used, for metrics ---------------------------------------------------------- */

static void expect_use(size_t quota, uint64_t bytes, uint64_t buffers, uint64_t peak_bytes,
                       uint64_t peak_buffers)
{
        struct quota_use use;

        state_quota_use(world.state, 0, quota, &use);
        assert_int_equal(use.bytes, bytes);
        assert_int_equal(use.buffers, buffers);
        assert_int_equal(use.peak_bytes, peak_bytes);
        assert_int_equal(use.peak_buffers, peak_buffers);
}

static void free_now(struct client *client, struct buffer *buffer)
{
        assert_int_equal(state_release(world.state, client, world_id(buffer), world.now_ns), 0);
        world_let_leave(&world);
}

/* A user, a group, and each user: now, and the most that there was. */
static void test_what_is_used_of_quotas_is_told(void **unused)
{
        struct client *named, *group, *each, *other;
        struct buffer *buffer;
        struct quota_use use;

        (void)unused;
        world_init(&world, 32);
        add_quota("user:1000", false, 1000)->bytes = 16 * PAGE;
        add_quota("group:radio", true, RADIO)->bytes = 16 * PAGE;
        add_quota("user:*", false, 0)->bytes = 16 * PAGE;
        quotas[2].each = true;
        add_claim("user:1000", false, 1000, PAGE);
        world_start(&world);
        named = world_client(&world, 1000, "named");
        group = member(1001, RADIO);
        each = world_client(&world, 1002, "each");
        other = world_client(&world, 1003, "other");

        world_alloc(&world, named, world_request(PAGE));
        free_now(named, world_alloc(&world, named, world_request(3 * PAGE)));
        expect_use(0, PAGE, 1, 4 * PAGE, 2);
        free_now(group, world_alloc(&world, group, world_request(2 * PAGE)));
        expect_use(1, 0, 0, 2 * PAGE, 1);
        world_alloc(&world, each, world_request(3 * PAGE));
        buffer = world_alloc(&world, other, world_request(5 * PAGE));
        free_now(other, buffer);
        expect_use(2, 0, 0, 5 * PAGE, 1); /* of one of them, and not of all */
        state_claim_use(world.state, 0, 0, &use);
        assert_int_equal(use.bytes, PAGE);
        assert_int_equal(use.peak_bytes, 4 * PAGE);

        /* Other settings: what there was counts no longer, what is there does. */
        state_reconfigure(world.state, &world.settings, world.now_ns);
        expect_use(0, PAGE, 1, PAGE, 1);
        expect_use(1, 0, 0, 0, 0);
        expect_use(2, 0, 0, 3 * PAGE, 1);
        world_stop(&world);
}

static const struct {
        const char *name;
        uint64_t bytes, frames, buffers; /* 0: no such limit */
        uint32_t users[QUOTA_SHARES]; /* whose users have 4, 7, 8, 9 and 10 frames, one a buffer */
} share_cases[] = {
        { "bytes", 10 * PAGE, 0, 0, { 4, 3, 2, 1 } },
        { "frames", 0, 10, 0, { 4, 3, 2, 1 } },
        { "buffers", 0, 0, 10, { 4, 3, 2, 1 } },
        { "the tighter one of two", 20 * PAGE, 10, 0, { 4, 3, 2, 1 } },
        { "the tighter one of three", 20 * PAGE, 40, 10, { 4, 3, 2, 1 } },
        { "far from it", 100 * PAGE, 0, 0, { 0, 0, 0, 0 } },
        { "what is no whole number is rounded up", 0, 11, 0, { 4, 2, 1, 0 } },
};

static void expect_users(const uint32_t users[QUOTA_SHARES])
{
        for (unsigned i = 0; i < QUOTA_SHARES; i++)
                assert_int_equal(state_quota_users(world.state, 0, i), users[i]);
}

static uint64_t limit_of(uint64_t most)
{
        return most ? most : QUOTA_NONE;
}

/* How many come near to what each may have; who has a quota of his own is not among them. */
static void test_who_comes_near_to_his_quota_is_counted(void **unused)
{
        static const uint32_t has[] = { 4, 7, 8, 9, 10 }, nobody[QUOTA_SHARES] = { 0 };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(share_cases); i++) {
                struct client *clients[ARRAY_SIZE(has)];
                struct quota_settings *each;

                print_message("%s\n", share_cases[i].name);
                world_init(&world, 64);
                add_quota("user:2000", false, 2000);
                each = add_quota("user:*", false, 0);
                each->each = true;
                each->bytes = limit_of(share_cases[i].bytes);
                each->frames = limit_of(share_cases[i].frames);
                each->buffers = limit_of(share_cases[i].buffers);
                world_start(&world);
                for (uint32_t j = 0; j < 10; j++)
                        world_alloc(&world, world_client(&world, 2000, "own"), world_request(PAGE));
                expect_users(nobody);
                for (uint32_t j = 0; j < ARRAY_SIZE(has); j++) {
                        clients[j] = world_client(&world, 1000 + j, "each");
                        for (uint32_t k = 0; k < has[j]; k++)
                                world_alloc(&world, clients[j], world_request(PAGE));
                }
                expect_users(share_cases[i].users);

                /* What it is now: when the settings are read again, and when all have gone. */
                state_reconfigure(world.state, &world.settings, world.now_ns);
                expect_users(share_cases[i].users);
                each->each = false;
                each->who.id = 3000;
                state_reconfigure(world.state, &world.settings, world.now_ns);
                expect_users(nobody);
                each->each = true;
                state_reconfigure(world.state, &world.settings, world.now_ns);
                expect_users(share_cases[i].users);
                world_restart(&world);
                expect_users(share_cases[i].users);
                for (uint32_t j = 0; j < ARRAY_SIZE(has); j++)
                        client_end(world.state, world_resume(&world, 1000 + j, 11 + j), true,
                                   world.now_ns);
                world_let_leave(&world);
                expect_users(nobody);
                world_stop(&world);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_quota_is_reached_and_not_exceeded),
                cmocka_unit_test(test_more_than_a_quota_can_never_be_had),
                cmocka_unit_test(test_a_groups_quota_counts_all_its_members),
                cmocka_unit_test(test_each_user_has_a_quota_of_his_own),
                cmocka_unit_test(test_what_is_not_gone_counts),
                cmocka_unit_test(test_what_comes_back_is_waited_for),
                cmocka_unit_test(test_what_is_kept_for_another_session_is_waited_for),
                cmocka_unit_test(test_what_is_kept_stays_where_it_is_not_wanted),
                cmocka_unit_test(test_who_waits_for_his_quota_holds_up_nobody),
                cmocka_unit_test(test_nobody_waits_for_himself),
                cmocka_unit_test(test_another_pool_will_do),
                cmocka_unit_test(test_a_uid_has_the_groups_of_all_its_sessions),
                cmocka_unit_test(test_the_next_worker_knows_the_groups_of_a_uid),
                cmocka_unit_test(test_what_is_claimed_is_never_given_to_others),
                cmocka_unit_test(test_beyond_his_claim_one_is_like_others),
                cmocka_unit_test(test_what_others_claimed_is_out_of_reach_for_ever),
                cmocka_unit_test(test_a_pool_grows_around_claims),
                cmocka_unit_test(test_who_has_part_of_a_frame_may_have_the_rest),
                cmocka_unit_test(test_settings_that_change_count_what_is_there),
                cmocka_unit_test(test_who_waits_goes_by_the_new_settings),
                cmocka_unit_test(test_the_next_worker_counts_the_same),
                cmocka_unit_test(test_one_user_has_not_all_sessions),
                cmocka_unit_test(test_users_together_keep_no_administrator_out),
                cmocka_unit_test(test_limits_are_listed),
                cmocka_unit_test(test_what_is_used_of_quotas_is_told),
                cmocka_unit_test(test_who_comes_near_to_his_quota_is_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
