/* SPDX-License-Identifier: MIT */
/*
 * Buffers that several sessions have, by name and by token, and that outlive them.
 */
#include "macros.h"
#include "world.h"

#include "ledger_private.h"
#include "result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

static const struct share_token token_of_7 = { { 7, 7 } };

static struct world world;
static struct client *driver, *other, *stranger;

static void begin(void)
{
        world_init(&world, 8);
        world.pools[0].reuse_delay_ns = NS_PER_S;
        world_start(&world);
        driver = world_client(&world, 1000, "driver");
        other = world_client(&world, 1000, "other");
        stranger = world_client(&world, 1001, "stranger");
}

static struct request named(uint64_t size, const char *name, bool lasting)
{
        struct request request = world_request(size);

        request.share = (struct share_request){ .wanted = true, .lasting = lasting, .name = name };
        return request;
}

static int open_with(struct client *client, struct open_request request, struct buffer **ret)
{
        struct refusal refusal = { 0 };
        int r;

        *ret = NULL;
        r = state_open(world.state, client, &request, world.now_ns, ret, &refusal);
        if (r)
                assert_true(refusal.sentence[0] && refusal.result == r && !*ret);
        return r;
}

static int open_named(struct client *client, uint32_t uid, const char *name, struct buffer **ret)
{
        return open_with(client, (struct open_request){ .uid = uid, .name = name }, ret);
}

static int open_token(struct client *client, const struct share_token *token, struct buffer **ret)
{
        return open_with(client, (struct open_request){ .token = *token, .name = "" }, ret);
}

/* By the name "ring" of uid 1000. */
static struct buffer *reopen(struct client *client)
{
        struct buffer *buffer;

        assert_int_equal(open_named(client, 1000, "ring", &buffer), 0);
        return buffer;
}

static void release(struct client *client, uint64_t id)
{
        assert_int_equal(state_release(world.state, client, id, world.now_ns), 0);
}

static void die(struct client *client)
{
        client_end(world.state, client, false, world.now_ns);
}

static int remove_name(struct client *client, uint32_t uid, const char *name)
{
        struct refusal refusal = { 0 };
        int r = state_remove(world.state, client, uid, name, world.now_ns, &refusal);

        if (r)
                assert_true(refusal.sentence[0] && refusal.result == r);
        return r;
}

static bool find_row(uint64_t id, const struct client *asker, struct buffer_report *ret)
{
        unsigned steps = 1000;
        uint64_t cursor = 0;

        while (state_next_buffer(world.state, asker, RANGE_ALL, NULL, world.now_ns, &cursor, &steps,
                                 ret))
                if (ret->id == id)
                        return true;
        return false;
}

/* ---- the same memory ------------------------------------------------------------------------ */

static void test_another_session_gets_the_same_memory(void **state)
{
        struct buffer *made, *opened;
        uint64_t id, first;

        (void)state;
        begin();
        made = world_alloc(&world, driver, named(3 * PAGE, "ring", false));
        id = world_id(made);
        first = world_first(made);
        opened = reopen(other);
        assert_int_equal(world_id(opened), id);
        assert_int_equal(world_first(opened), first);
        assert_ptr_equal(client_buffer(other, id), opened);
        assert_null(client_buffer(stranger, id));
        release(driver, id);
        assert_null(client_buffer(driver, id));
        assert_ptr_equal(client_buffer(other, id), opened);
        assert_int_equal(world_bytes(&world).granted, 3 * PAGE);
        release(other, id);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 8 * PAGE);
        world_stop(&world);
}

/* Whoever opens it must not zero it, nor find it kept for somebody else. */
static void test_what_is_opened_is_not_zeroed(void **state)
{
        struct piece piece;

        (void)state;
        begin();
        world_alloc(&world, driver, named(64 * KiB, "ring", false));
        buffer_piece(reopen(other), 0, &piece);
        assert_true(piece.zeroed && !piece.keep);
        world_restart(&world);
        driver = world_client(&world, 1000, "late");
        buffer_piece(reopen(driver), 0, &piece);
        assert_true(piece.zeroed && !piece.keep);
        world_stop(&world);
}

/* ---- isolation ------------------------------------------------------------------------------ */

static uint64_t frame_of(const struct buffer *buffer)
{
        return align_down(world_first(buffer), PAGE);
}

static void test_what_is_shared_shares_no_frame(void **state)
{
        struct buffer *small, *shared, *beside;

        (void)state;
        begin();
        small = world_alloc(&world, driver, world_request(16 * KiB));
        shared = world_alloc(&world, driver, named(16 * KiB, "ring", false));
        beside = world_alloc(&world, driver, world_request(16 * KiB));
        assert_int_not_equal(frame_of(shared), frame_of(small));
        assert_int_equal(frame_of(beside), frame_of(small));
        assert_int_not_equal(
                frame_of(world_alloc(&world, driver, named(16 * KiB, "second", false))),
                frame_of(shared));
        assert_int_equal(world_bytes(&world).granted, 3 * PAGE);
        world_stop(&world);
}

/* It may still be mapped in other sessions of its owner, and has his data. */
static void test_what_is_shared_is_not_put_into_a_kept_frame(void **state)
{
        struct buffer *buffer;
        uint64_t frame;

        (void)state;
        begin();
        buffer = world_alloc(&world, driver, world_request(PAGE));
        world_show(&world, driver, buffer);
        frame = frame_of(buffer);
        release(driver, world_id(buffer));
        assert_int_equal(world_bytes(&world).reusable, PAGE);
        assert_int_not_equal(frame_of(world_alloc(&world, driver, named(16 * KiB, "ring", false))),
                             frame);
        assert_int_equal(frame_of(world_alloc(&world, driver, world_request(PAGE))), frame);
        world_stop(&world);
}

/* What is left of his frames is of no use for it: a refusal does not count it. */
static void test_a_refusal_counts_whole_frames_only(void **state)
{
        struct refusal refusal;

        (void)state;
        begin();
        world_alloc(&world, driver, world_request(7 * PAGE));
        world_alloc(&world, driver, world_request(4 * KiB));
        assert_int_equal(world_refused(&world, driver, named(4 * KiB, "ring", false), &refusal) !=
                                 PAR_REFUSED_NEVER_FITS,
                         true);
        assert_int_equal(refusal.free_in_window_bytes, 0);
        assert_int_equal(refusal.largest_run_bytes, 0);
        world_stop(&world);
}

/* ---- names ---------------------------------------------------------------------------------- */

static char long_name[80];

static const struct {
        const char *name, *text;
        bool lasting;
        int result;
} bad_names[] = {
        { "taken", "ring", false, PAR_REFUSED_BUSY },
        { "taken, for one that lasts", "ring", true, PAR_REFUSED_BUSY },
        { "with a slash", "1000/ring", false, PAR_REFUSED_INVALID },
        { "too long", long_name, false, PAR_REFUSED_INVALID },
        { "lasting without a name", "", true, PAR_REFUSED_INVALID },
        { "lasting without any name", NULL, true, PAR_REFUSED_INVALID },
};

static void test_names_that_cannot_be(void **state)
{
        (void)state;
        memset(long_name, 'x', 64);
        begin();
        world_alloc(&world, driver, named(PAGE, "ring", false));
        for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++) {
                struct refusal refusal;

                if (world_refused(&world, other,
                                  named(PAGE, bad_names[i].text, bad_names[i].lasting),
                                  &refusal) != bad_names[i].result)
                        fail_msg("%s: %s", bad_names[i].name, refusal.sentence);
        }
        /* Another uid has names of its own. */
        world_alloc(&world, stranger, named(PAGE, "ring", false));
        /* The longest that may be. */
        world_alloc(&world, driver, named(PAGE, long_name + 1, false));
        world_stop(&world);
}

static void test_a_name_that_was_taken_while_it_waited(void **state)
{
        struct request request = named(PAGE, "ring", false);
        struct refusal refusal;
        struct buffer *all;

        (void)state;
        begin();
        all = world_alloc(&world, stranger, world_request(8 * PAGE));
        assert_int_equal(
                state_wait(world.state, driver, &request, UINT64_MAX, 1, world.now_ns, &refusal),
                0);
        assert_int_equal(
                state_wait(world.state, other, &request, UINT64_MAX, 2, world.now_ns, &refusal), 0);
        release(stranger, world_id(all));
        world_let_leave(&world);
        world_pass(&world, NS_PER_S);
        assert_int_equal(world.n_answers, 2);
        assert_int_equal(world.answers[0].r, 0);
        assert_int_equal(world.answers[1].r, PAR_REFUSED_BUSY);
        assert_non_null(strstr(world.answers[1].refusal.sentence, "\"ring\""));
        world_stop(&world);
}

static void test_a_uid_has_a_bounded_number(void **state)
{
        struct refusal refusal;
        char name[16];

        (void)state;
        world_init(&world, SHARES_PER_UID_MAX + 2);
        world.settings.max_buffers = SHARES_PER_UID_MAX + 8;
        world_start(&world);
        driver = world_client(&world, 1000, "driver");
        for (unsigned i = 0; i < SHARES_PER_UID_MAX; i++) {
                snprintf(name, sizeof(name), "%u", i);
                world_alloc(&world, driver, named(4 * KiB, name, true));
        }
        assert_int_equal(world_refused(&world, driver, named(4 * KiB, "one more", false), &refusal),
                         PAR_REFUSED_QUOTA);
        world_alloc(&world, world_client(&world, 1001, "b"), named(4 * KiB, "0", true));
        assert_int_equal(remove_name(driver, 1000, "7"), 0); /* it is still there */
        assert_int_equal(world_refused(&world, driver, named(4 * KiB, "one more", false), &refusal),
                         PAR_REFUSED_QUOTA);
        client_end(world.state, driver, true, world.now_ns);
        driver = world_client(&world, 1000, "driver");
        world_let_leave(&world);
        world_alloc(&world, driver, named(4 * KiB, "one more", false));
        world_stop(&world);
}

/* ---- who may open it ------------------------------------------------------------------------ */

static const struct {
        const char *name;
        struct principal allow[2];
        size_t n_allow;
        int result;
} rights[] = {
        { "nobody else", { { 0 } }, 0, PAR_REFUSED_GONE },
        { "another user", { { false, 1002 } }, 1, PAR_REFUSED_GONE },
        { "a group that is a user's number", { { true, 1002 } }, 1, PAR_REFUSED_GONE },
        { "the user", { { false, 1001 } }, 1, 0 },
        { "its group", { { false, 1002 }, { true, 1001 } }, 2, 0 },
};

static void test_strangers_need_to_be_named(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rights); i++) {
                struct request request = named(PAGE, "ring", false);
                struct buffer *buffer, *made;

                begin();
                memcpy(request.share.allow, rights[i].allow, sizeof(rights[i].allow));
                request.share.n_allow = rights[i].n_allow;
                made = world_alloc(&world, driver, request);
                if (open_named(stranger, 1000, "ring", &buffer) != rights[i].result)
                        fail_msg("%s", rights[i].name);
                assert_int_equal(open_named(stranger, 1001, "ring", &buffer), PAR_REFUSED_GONE);
                assert_int_equal(open_named(other, 1000, "ring", &buffer), 0);
                assert_false(client_is_stranger(other, made));
                assert_true(client_is_stranger(stranger, made));
                world_stop(&world);
        }
}

/* An answer must not tell whether there is something that one may not have. */
static void test_who_may_not_cannot_find_out(void **state)
{
        const struct open_request there = { .uid = 1000, .name = "ring" };
        const struct open_request nowhere = { .uid = 1000, .name = "king" };
        struct refusal a = { 0 }, b = { 0 };
        struct buffer *buffer;
        char *name;

        (void)state;
        begin();
        world_alloc(&world, driver, named(PAGE, "ring", true));
        assert_int_equal(state_open(world.state, stranger, &there, world.now_ns, &buffer, &a),
                         PAR_REFUSED_GONE);
        assert_int_equal(state_open(world.state, stranger, &nowhere, world.now_ns, &buffer, &b),
                         PAR_REFUSED_GONE);
        name = strstr(b.sentence, "king");
        assert_non_null(name);
        *name = 'r';
        assert_string_equal(a.sentence, b.sentence);
        world_stop(&world);
}

static void test_a_session_has_it_once(void **state)
{
        struct buffer *buffer;

        (void)state;
        begin();
        world_alloc(&world, driver, named(PAGE, "ring", false));
        assert_int_equal(open_named(driver, 1000, "ring", &buffer), PAR_REFUSED_BUSY);
        reopen(other);
        assert_int_equal(open_named(other, 1000, "ring", &buffer), PAR_REFUSED_BUSY);
        world_stop(&world);
}

static void test_strangers_are_bounded(void **state)
{
        struct request request = named(PAGE, "ring", false);
        struct buffer *buffer;

        (void)state;
        begin();
        request.share.allow[0] = (struct principal){ false, 1001 };
        request.share.n_allow = 1;
        world_alloc(&world, driver, request);
        for (unsigned i = 0; i < SHARE_STRANGERS_MAX; i++)
                assert_int_equal(open_named(world_client(&world, 1001, "s"), 1000, "ring", &buffer),
                                 0);
        assert_int_equal(open_named(stranger, 1000, "ring", &buffer), PAR_REFUSED_QUOTA);
        assert_int_equal(open_named(other, 1000, "ring", &buffer), 0);
        world_stop(&world);
}

static void test_openings_count_as_buffers(void **state)
{
        struct buffer *buffer;

        (void)state;
        begin();
        world_alloc(&world, driver, named(PAGE, "ring", false));
        world.settings.max_buffers = 1;
        world_alloc(&world, other, world_request(PAGE));
        assert_int_equal(open_named(other, 1000, "ring", &buffer), PAR_REFUSED_QUOTA);
        world_stop(&world);
}

/* That is a refusal, and no fault of pard's that is logged. */
static void test_openings_beyond_all_account_are_refused(void **state)
{
        struct refusal refusal = { 0 };
        struct open_request request = { .uid = 1000, .name = "ring" };
        struct buffer *buffer;
        uint32_t record;

        (void)state;
        begin();
        world_alloc(&world, driver, named(PAGE, "ring", false));
        while (!ledger_add_holder(world.ledger, 0, 0, 0, &record))
                ;
        assert_int_equal(state_open(world.state, other, &request, world.now_ns, &buffer, &refusal),
                         PAR_REFUSED_QUOTA);
        if (!strstr(refusal.sentence, "of no more can be kept account"))
                fail_msg("%s", refusal.sentence);
        world_stop(&world);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static int share(struct client *client, uint64_t id, uint64_t fresh, struct share_token *ret)
{
        const struct share_token token = { { fresh, fresh } };
        struct refusal refusal = { 0 };
        int r = state_share(world.state, client, id, &token, ret, &refusal);

        if (r > 0)
                assert_true(refusal.sentence[0] && refusal.result == r);
        return r;
}

static void test_a_token_opens_until_it_is_taken_back(void **state)
{
        struct share_token token, again;
        struct refusal refusal;
        struct buffer *made, *buffer;
        uint64_t id;

        (void)state;
        begin();
        made = world_alloc(&world, driver, named(PAGE, NULL, false));
        id = world_id(made);
        assert_int_equal(open_token(stranger, &token_of_7, &buffer), PAR_REFUSED_GONE);
        assert_int_equal(share(driver, id, 7, &token), 0);
        assert_int_equal(share(driver, id, 8, &again), 0); /* it has one */
        assert_memory_equal(&token, &token_of_7, sizeof(token));
        assert_memory_equal(&again, &token, sizeof(token));
        assert_int_equal(open_token(stranger, &token, &buffer), 0);
        assert_ptr_equal(buffer, made);
        assert_int_equal(state_unshare(world.state, driver, id, &refusal), 0);
        assert_int_equal(open_token(other, &token, &buffer), PAR_REFUSED_GONE);
        assert_ptr_equal(client_buffer(stranger, id), made);
        assert_int_equal(share(driver, id, 9, &token), 0);
        assert_int_equal(token.half[0], 9);
        assert_int_equal(open_token(other, &token, &buffer), 0);
        release(driver, id);
        release(other, id);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        release(stranger, id);
        assert_int_equal(open_token(other, &token, &buffer), PAR_REFUSED_GONE);
        world_stop(&world);
}

static void test_only_its_uid_hands_out_tokens(void **state)
{
        struct buffer *made, *plain, *buffer;
        struct share_token token;
        struct refusal refusal;

        (void)state;
        begin();
        made = world_alloc(&world, driver, named(PAGE, NULL, false));
        plain = world_alloc(&world, driver, world_request(PAGE));
        assert_int_equal(share(driver, world_id(plain), 1, &token), PAR_REFUSED_INVALID);
        assert_int_equal(share(stranger, world_id(made), 1, &token), PAR_REFUSED_GONE);
        assert_int_equal(share(driver, world_id(made), 7, &token), 0);
        assert_int_equal(open_token(stranger, &token, &buffer), 0);
        assert_int_equal(share(stranger, world_id(made), 1, &token), PAR_REFUSED_DENIED);
        assert_int_equal(state_unshare(world.state, stranger, world_id(made), &refusal),
                         PAR_REFUSED_DENIED);
        assert_int_equal(state_export(world.state, stranger, world_id(made), &refusal),
                         PAR_REFUSED_DENIED);
        assert_int_equal(state_export(world.state, driver, world_id(made), &refusal), 0);
        world_stop(&world);
}

/* ---- lasting -------------------------------------------------------------------------------- */

static void test_what_lasts_waits_for_the_next_driver(void **state)
{
        struct buffer_report row;
        struct buffer *buffer;
        uint64_t id, first;

        (void)state;
        begin();
        buffer = world_alloc(&world, driver, named(PAGE, "ring", true));
        id = world_id(buffer);
        first = world_first(buffer);
        die(driver);
        world_pass(&world, 3600 * NS_PER_S);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        assert_true(find_row(id, other, &row));
        assert_string_equal(row.state, "granted");
        assert_string_equal(row.name, "ring");
        assert_string_equal(row.holder.client, "driver");
        assert_true(row.shared && row.lasting && !row.holders && !row.holder.mine);
        driver = world_client(&world, 1000, "driver");
        buffer = reopen(driver);
        assert_int_equal(world_id(buffer), id);
        assert_int_equal(world_first(buffer), first);
        assert_true(find_row(id, driver, &row));
        assert_true(row.holders == 1 && row.holder.mine);
        world_stop(&world);
}

static void test_names_are_for_those_who_may_know(void **state)
{
        struct buffer_report row;
        struct buffer *buffer;

        (void)state;
        begin();
        buffer = world_alloc(&world, driver, named(PAGE, "ring", true));
        assert_true(find_row(world_id(buffer), stranger, &row));
        assert_string_equal(row.name, "");
        assert_true(row.shared);
        world_stop(&world);
}

static void test_an_orderly_end_leaves_what_lasts(void **state)
{
        (void)state;
        begin();
        world_alloc(&world, driver, named(PAGE, "ring", true));
        client_end(world.state, driver, true, world.now_ns);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        assert_int_equal(remove_name(other, 1000, "ring"), 0);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 8 * PAGE);
        world_stop(&world);
}

static void test_a_name_is_free_when_it_is_removed(void **state)
{
        struct buffer *buffer;
        uint64_t id;

        (void)state;
        begin();
        buffer = world_alloc(&world, driver, named(PAGE, "ring", true));
        id = world_id(buffer);
        assert_int_equal(remove_name(stranger, 1000, "ring"), PAR_REFUSED_DENIED);
        assert_int_equal(remove_name(other, 1000, "king"), PAR_REFUSED_GONE);
        assert_int_equal(remove_name(other, 1000, "ring"), 0);
        assert_int_equal(remove_name(other, 1000, "ring"), PAR_REFUSED_GONE);
        assert_int_equal(open_named(other, 1000, "ring", &buffer), PAR_REFUSED_GONE);
        assert_non_null(client_buffer(driver, id));
        world_alloc(&world, other, named(PAGE, "ring", true));
        release(driver, id);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        assert_int_equal(remove_name(world_client(&world, 0, "root"), 1000, "ring"), 0);
        world_stop(&world);
}

/* ---- deaths --------------------------------------------------------------------------------- */

/* Two sessions have it; how they end decides what becomes of the memory. */
static const struct {
        const char *name;
        bool first_dies, returns, orderly;
        const char *name_of_next;
        uint64_t quarantined;
} deaths[] = {
        { "all are orderly", false, false, true, NULL, 0 },
        { "one dies, and the other is the last", true, false, true, NULL, PAGE },
        { "the last dies", false, false, false, NULL, PAGE },
        { "one dies and is started again", true, true, true, "driver", 0 },
        { "one dies, and somebody else comes", true, true, true, "viewer", PAGE },
        { "one dies, is started again, and dies again", true, true, false, "driver", PAGE },
};

static void test_deaths_end_in_quarantine(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(deaths); i++) {
                struct buffer *buffer;
                uint64_t id;

                begin();
                buffer = world_alloc(&world, driver, named(PAGE, "ring", true));
                id = world_id(buffer);
                reopen(other);
                client_end(world.state, driver, !deaths[i].first_dies, world.now_ns);
                if (deaths[i].returns) {
                        driver = world_client(&world, 1000, deaths[i].name_of_next);
                        reopen(driver);
                        client_end(world.state, driver, deaths[i].orderly, world.now_ns);
                }
                assert_int_equal(remove_name(other, 1000, "ring"), 0);
                assert_int_equal(world_bytes(&world).granted, PAGE);
                if (deaths[i].orderly || deaths[i].returns)
                        release(other, id);
                else
                        die(other);
                if (world_bytes(&world).quarantined != deaths[i].quarantined)
                        fail_msg("%s: %llu", deaths[i].name,
                                 (unsigned long long)world_bytes(&world).quarantined);
                world_pass(&world, 5 * NS_PER_S);
                world_let_leave(&world);
                assert_int_equal(world_bytes(&world).free, 8 * PAGE);
                world_stop(&world);
        }
}

/* Nobody has it, its device may be writing, and its name is removed. */
static void test_removing_what_a_dead_driver_left_begins_a_quarantine(void **state)
{
        uint64_t bytes;

        (void)state;
        begin();
        world_alloc(&world, driver, named(PAGE, "ring", true));
        die(driver);
        assert_int_equal(remove_name(other, 1000, "ring"), 0);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        state_reclaim(world.state, other, "nobody", world.now_ns, &bytes);
        assert_int_equal(bytes, 0);
        state_reclaim(world.state, other, "driver", world.now_ns, &bytes);
        assert_int_equal(bytes, PAGE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 8 * PAGE);
        world_stop(&world);
}

/* Of several dead ones nobody but an administrator knows that all devices are quiet. */
static void test_the_dead_of_two_uids_are_released_by_an_administrator(void **state)
{
        struct request request = named(PAGE, "ring", false);
        struct selection which = { 0 };
        struct refusal refusal;
        struct buffer *buffer;
        uint64_t bytes;

        (void)state;
        begin();
        request.share.allow[0] = (struct principal){ false, 1001 };
        request.share.n_allow = 1;
        buffer = world_alloc(&world, driver, request);
        which.buffer = world_id(buffer);
        assert_int_equal(open_named(stranger, 1000, "ring", &buffer), 0);
        die(driver);
        die(stranger);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        assert_int_equal(
                state_end_quarantine(world.state, other, &which, world.now_ns, &bytes, &refusal),
                PAR_REFUSED_DENIED);
        assert_int_equal(state_end_quarantine(world.state, world_client(&world, 0, "root"), &which,
                                              world.now_ns, &bytes, &refusal),
                         0);
        assert_int_equal(bytes, PAGE);
        world_stop(&world);
}

static void test_who_made_it_pays_until_it_is_gone(void **state)
{
        struct client_report row;
        uint64_t cursor = 0, id = 0;
        bool found = false;

        (void)state;
        begin();
        id = client_id(driver);
        world_alloc(&world, driver, named(PAGE, "ring", true));
        reopen(other);
        client_end(world.state, driver, true, world.now_ns);
        while (state_next_client(world.state, other, world.now_ns, &cursor, &row))
                if (row.id == id) {
                        assert_int_equal(row.bytes.granted, PAGE);
                        assert_false(row.connected);
                        found = true;
                } else {
                        assert_int_equal(row.bytes.held, 0);
                }
        assert_true(found);
        world_stop(&world);
}

/* ---- news and revocation -------------------------------------------------------------------- */

static void test_all_who_have_it_are_told(void **state)
{
        struct piece piece;

        (void)state;
        begin();
        buffer_piece(world_alloc(&world, driver, named(PAGE, "ring", false)), 0, &piece);
        reopen(other);
        state_frame_moved(world.state, piece.frame, 4 * KiB, world.now_ns);
        assert_int_equal(world.n_of_type[EVENT_MOVED], 2);
        state_frame_poisoned(world.state, piece.frame, world.now_ns);
        assert_int_equal(world.n_of_type[EVENT_POISONED], 2);
        world_stop(&world);
}

static void test_draining_is_told_to_all(void **state)
{
        struct refusal refusal;
        uint64_t bytes;

        (void)state;
        begin();
        world_alloc(&world, driver, named(PAGE, "ring", true));
        reopen(other);
        assert_int_equal(state_drain(world.state, world_client(&world, 0, "root"), "any", RANGE_ALL,
                                     true, world.now_ns, &bytes, &refusal),
                         0);
        world_pass(&world, NS_PER_S);
        assert_int_equal(world.n_of_type[EVENT_DRAINING], 2);
        world_stop(&world);
}

static const struct {
        const char *name;
        struct selection which; /* @buffer 1: that buffer; @client 1: the driver */
        unsigned n_told;
        uint64_t granted; /* afterwards */
} revocations[] = {
        { "the buffer, from all", { .buffer = 1 }, 2, 0 },
        { "a client by number", { .client = 1 }, 1, PAGE },
        { "clients by name", { .name = "other" }, 1, PAGE },
        { "a pool", { .pool = "any" }, 2, 0 },
        { "a client in a pool", { .name = "driver", .pool = "any" }, 1, PAGE },
};

static void test_revoking(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(revocations); i++) {
                struct selection which = revocations[i].which;
                struct refusal refusal = { 0 };
                uint64_t id, bytes;
                int r;

                begin();
                id = world_id(world_alloc(&world, driver, named(PAGE, "ring", true)));
                reopen(other);
                which.buffer = which.buffer ? id : 0;
                which.client = which.client ? client_id(driver) : 0;
                r = state_revoke(world.state, world_client(&world, 0, "root"), &which, world.now_ns,
                                 &bytes, &refusal);
                if (r || bytes != PAGE || world.n_of_type[EVENT_REVOKED] != revocations[i].n_told ||
                    world_bytes(&world).granted != revocations[i].granted ||
                    world_bytes(&world).quarantined != PAGE - revocations[i].granted)
                        fail_msg("%s: %d %s", revocations[i].name, r, refusal.sentence);
                if (!revocations[i].granted)
                        assert_int_equal(remove_name(driver, 1000, "ring"), PAR_REFUSED_GONE);
                world_stop(&world);
        }
}

/* ---- after the worker's death --------------------------------------------------------------- */

static void test_a_restart_keeps_who_has_what(void **state)
{
        struct buffer *buffer;
        struct buffer_report row;
        uint64_t id, first, tokens[3];
        struct share_token token;
        struct request request = named(3 * PAGE, "ring", true);

        (void)state;
        begin();
        tokens[0] = world.last_token - 2;
        tokens[1] = world.last_token - 1;
        tokens[2] = world.last_token;
        request.seq = 5;
        request.share.allow[0] = (struct principal){ false, 1001 };
        request.share.n_allow = 1;
        buffer = world_alloc(&world, driver, request);
        id = world_id(buffer);
        first = world_first(buffer);
        assert_int_equal(share(driver, id, 7, &token), 0);
        assert_int_equal(open_with(stranger,
                                   (struct open_request){ .uid = 1000, .name = "ring", .seq = 6 },
                                   &buffer),
                         0);
        world_restart(&world);
        assert_int_equal(world_bytes(&world).granted, 3 * PAGE);
        driver = world_resume(&world, 1000, tokens[0]);
        other = world_resume(&world, 1000, tokens[1]);
        stranger = world_resume(&world, 1001, tokens[2]);
        assert_non_null(client_restored_buffer(driver, 5));
        assert_non_null(client_restored_buffer(stranger, 6));
        assert_null(client_restored_buffer(other, 5));
        buffer = client_buffer(stranger, id);
        assert_non_null(buffer);
        assert_int_equal(world_first(buffer), first);
        assert_ptr_equal(client_buffer(driver, id), buffer);
        assert_true(client_is_stranger(stranger, buffer));
        assert_true(find_row(id, driver, &row));
        assert_true(row.lasting && row.holders == 2);
        assert_int_equal(open_token(other, &token, &buffer), 0);
        release(other, id);
        assert_int_equal(open_named(other, 1000, "ring", &buffer), 0);
        assert_int_equal(open_named(world_client(&world, 1001, "b"), 1000, "ring", &buffer), 0);
        world_stop(&world);
}

/* Each of those who come back is told what moved while nobody could be told. */
static void test_who_comes_back_is_told_what_moved(void **state)
{
        struct frame_name name = { 0, 0 };
        struct buffer *buffer;
        uint64_t tokens[2], id;

        (void)state;
        begin();
        tokens[0] = world.last_token - 2;
        tokens[1] = world.last_token - 1;
        id = world_id(world_alloc(&world, driver, named(PAGE, "ring", false)));
        assert_int_equal(open_named(other, 1000, "ring", &buffer), 0);
        for (uint32_t i = 0; i < world.n_slots; i++)
                if (world.frames[i].phys == world_first(buffer))
                        name = world.frames[i].name;
        world_restart(&world);
        state_frame_moved(world.state, name, UINT64_MAX, world.now_ns);
        for (size_t i = 0; i < 2; i++) {
                memset(world.n_of_type, 0, sizeof(world.n_of_type));
                assert_non_null(world_resume(&world, 1000, tokens[i]));
                assert_int_equal(world.n_of_type[EVENT_MOVED], 1);
                assert_int_equal(world.last_event.buffer, id);
        }
        world_stop(&world);
}

/* What is in quarantine under a name is so for the next worker, too. */
static void test_a_restart_keeps_whose_quarantine_it_is(void **state)
{
        uint64_t bytes;

        (void)state;
        begin();
        world_alloc(&world, driver, named(PAGE, "ring", true));
        client_end(world.state, driver, false, world.now_ns);
        assert_int_equal(remove_name(other, 1000, "ring"), 0);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        world_restart(&world);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        driver = world_client(&world, 1000, "driver");
        state_reclaim(world.state, driver, "", world.now_ns, &bytes);
        assert_int_equal(bytes, PAGE);
        world_stop(&world);
}

/* One by one, what can have happened before the worker died. */
enum before_restart {
        NOTHING,
        REMOVED,       /* the name */
        DIED,          /* its only session */
        DIED_REMOVED,  /* and then the name was removed */
        RELEASED,      /* by its only session */
        DIED_RETURNED, /* it died, and came back */
        NAME_LOST,     /* its record says that it lasts, of no name, with a right sum */
};

static const struct {
        const char *name;
        enum before_restart what;
        bool lasting;
        uint64_t granted, quarantined; /* after the restart, and when nobody is awaited any more */
        uint64_t later_quarantined;    /* after a removal, where it is granted then */
} restarts[] = {
        { "it lasts", NOTHING, true, PAGE, 0, PAGE },
        { "it does not last, and its session does not come", NOTHING, false, 0, PAGE, 0 },
        { "its name was removed, and its session does not come", REMOVED, true, 0, PAGE, 0 },
        { "its driver had died", DIED, true, PAGE, 0, PAGE },
        { "its driver had died, and it was given up", DIED_REMOVED, true, 0, PAGE, 0 },
        { "its driver had given it back", RELEASED, true, PAGE, 0, 0 },
        { "its driver had died and come back orderly", DIED_RETURNED, true, PAGE, 0, 0 },
        { "its name is lost, and its session does not come", NAME_LOST, true, 0, PAGE, 0 },
};

static void lose_name(void)
{
        struct ledger_share_record *record = ledger_share(world.ledger, 0);

        memset(record->name, 0, sizeof(record->name));
        record->sum = ledger_share_sum(record);
}

static void happen(enum before_restart what, uint64_t id)
{
        switch (what) {
        case REMOVED: assert_int_equal(remove_name(driver, 1000, "ring"), 0); break;
        case DIED: die(driver); break;
        case DIED_REMOVED:
                die(driver);
                assert_int_equal(remove_name(other, 1000, "ring"), 0);
                break;
        case RELEASED: release(driver, id); break;
        case DIED_RETURNED:
                die(driver);
                driver = world_client(&world, 1000, "driver");
                reopen(driver);
                release(driver, id);
                break;
        case NAME_LOST: lose_name(); break;
        case NOTHING: break;
        }
}

static void test_restarts(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(restarts); i++) {
                uint64_t id;

                begin();
                world.pools[0].quarantine_ns = CLIENT_RESUME_NS + 5 * NS_PER_S;
                id = world_id(
                        world_alloc(&world, driver, named(PAGE, "ring", restarts[i].lasting)));
                happen(restarts[i].what, id);
                world_restart(&world);
                world_pass(&world, CLIENT_RESUME_NS);
                if (world_bytes(&world).granted != restarts[i].granted ||
                    world_bytes(&world).quarantined != restarts[i].quarantined)
                        fail_msg("%s", restarts[i].name);
                other = world_client(&world, 1000, "other");
                assert_int_equal(remove_name(other, 1000, "ring"),
                                 restarts[i].granted ? 0 : PAR_REFUSED_GONE);
                if (world_bytes(&world).quarantined !=
                    restarts[i].quarantined + restarts[i].later_quarantined)
                        fail_msg("%s, and the name is removed", restarts[i].name);
                world_pass(&world, 3600 * NS_PER_S);
                world_let_leave(&world);
                assert_int_equal(world_bytes(&world).free, 8 * PAGE);
                world_stop(&world);
        }
}

static void test_a_resumed_session_says_what_it_has_mapped(void **state)
{
        struct buffer *buffer;
        struct piece piece;
        uint64_t token;

        (void)state;
        begin();
        token = world.last_token;
        buffer_piece(world_alloc(&world, driver, named(PAGE, "ring", true)), 0, &piece);
        assert_int_equal(remove_name(driver, 1000, "king"), PAR_REFUSED_GONE);
        stranger = world_resume(&world, 1001, token);
        assert_null(stranger);
        world_restart(&world);
        other = world_resume(&world, 1000, token - 1);
        assert_int_equal(client_has_mapped(other, piece.frame), 0);
        assert_int_equal(client_shown(other, piece.frame), 0); /* it has it not: passed over */
        state_dropped(world.state, other, piece.frame, world.now_ns);
        buffer = reopen(other);
        assert_int_equal(client_has_mapped(other, piece.frame), 0);
        assert_int_equal(client_shown(other, piece.frame), 1);
        release(other, world_id(buffer));
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_another_session_gets_the_same_memory),
                cmocka_unit_test(test_what_is_opened_is_not_zeroed),
                cmocka_unit_test(test_what_is_shared_shares_no_frame),
                cmocka_unit_test(test_what_is_shared_is_not_put_into_a_kept_frame),
                cmocka_unit_test(test_a_refusal_counts_whole_frames_only),
                cmocka_unit_test(test_names_that_cannot_be),
                cmocka_unit_test(test_a_name_that_was_taken_while_it_waited),
                cmocka_unit_test(test_a_uid_has_a_bounded_number),
                cmocka_unit_test(test_strangers_need_to_be_named),
                cmocka_unit_test(test_who_may_not_cannot_find_out),
                cmocka_unit_test(test_a_session_has_it_once),
                cmocka_unit_test(test_strangers_are_bounded),
                cmocka_unit_test(test_openings_count_as_buffers),
                cmocka_unit_test(test_openings_beyond_all_account_are_refused),
                cmocka_unit_test(test_a_token_opens_until_it_is_taken_back),
                cmocka_unit_test(test_only_its_uid_hands_out_tokens),
                cmocka_unit_test(test_what_lasts_waits_for_the_next_driver),
                cmocka_unit_test(test_names_are_for_those_who_may_know),
                cmocka_unit_test(test_an_orderly_end_leaves_what_lasts),
                cmocka_unit_test(test_a_name_is_free_when_it_is_removed),
                cmocka_unit_test(test_deaths_end_in_quarantine),
                cmocka_unit_test(test_removing_what_a_dead_driver_left_begins_a_quarantine),
                cmocka_unit_test(test_the_dead_of_two_uids_are_released_by_an_administrator),
                cmocka_unit_test(test_who_made_it_pays_until_it_is_gone),
                cmocka_unit_test(test_all_who_have_it_are_told),
                cmocka_unit_test(test_draining_is_told_to_all),
                cmocka_unit_test(test_revoking),
                cmocka_unit_test(test_a_restart_keeps_who_has_what),
                cmocka_unit_test(test_who_comes_back_is_told_what_moved),
                cmocka_unit_test(test_a_restart_keeps_whose_quarantine_it_is),
                cmocka_unit_test(test_restarts),
                cmocka_unit_test(test_a_resumed_session_says_what_it_has_mapped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
