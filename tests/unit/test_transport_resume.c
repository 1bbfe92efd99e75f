/* SPDX-License-Identifier: MIT */
/*
 * Sessions over the death of a worker, and its goodbye, as they go over the wire: with clients that
 * do as they should, and with others.
 */
#include "worker_fixture.h"

#include "keeper_protocol.h"
#include "macros.h"
#include "result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct worker worker;

static int setup(void **state)
{
        (void)state;
        worker_start(&worker, NULL);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        return worker_stop(&worker);
}

/* @token: 0: a new session. */
static const Wire__Welcome *hello(struct caller *caller, uint64_t token)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Hello body = WIRE__HELLO__INIT;
        const Wire__Reply *reply;

        body.version = 1;
        body.client_name = (char *)"c";
        body.resume_token = token;
        request.body_case = WIRE__REQUEST__BODY_HELLO;
        request.hello = &body;
        reply = caller_ask(caller, &request);
        assert_int_equal(reply->result, 0);
        return reply->hello;
}

static uint64_t begin(struct caller *caller)
{
        caller_connect(&worker, caller);
        return hello(caller, 0)->resume_token;
}

/* Return: whether the session goes on. */
static bool come_back(struct caller *caller, uint64_t token)
{
        caller_close(caller);
        caller_connect(&worker, caller);
        return hello(caller, token)->resumed;
}

static const Wire__Reply *say_kept(struct caller *caller, uint64_t *frames, size_t count)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Kept body = WIRE__KEPT__INIT;

        body.frames = frames;
        body.n_frames = count;
        request.body_case = WIRE__REQUEST__BODY_KEPT;
        request.kept = &body;
        return caller_ask(caller, &request);
}

/* An Alloc of one page of "any" with any number. */
static const Wire__Reply *alloc_numbered(struct caller *caller, uint32_t seq, bool again)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__Reply *reply;
        const uint32_t last = caller->seq;

        alloc.size = WORKER_PAGE_BYTES;
        alloc.pool = (char *)"any";
        alloc.again = again;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        caller->seq = seq - 1;
        reply = caller_ask(caller, &request);
        caller->seq = last > seq ? last : seq;
        return reply;
}

/* What a granted buffer is. */
struct granted {
        uint64_t buffer, frame, phys;
        bool has_fd;
};

static struct granted granted_of(const Wire__Reply *reply)
{
        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->body_case, WIRE__REPLY__BODY_ALLOC);
        return (struct granted){
                .buffer = reply->alloc->buffer,
                .frame = reply->alloc->extents->pieces[0]->frame,
                .phys = reply->alloc->extents->pieces[0]->phys,
                .has_fd = reply->alloc->extents->pieces[0]->has_fd,
        };
}

static void test_resume_goes_on_with_everything(void **state)
{
        struct granted before, after;
        struct caller caller;
        uint64_t token;

        (void)state;
        token = begin(&caller);
        before = granted_of(alloc_numbered(&caller, 7, false));
        worker_restart(&worker);
        assert_true(come_back(&caller, token));
        assert_int_equal(say_kept(&caller, &before.frame, 1)->result, 0);
        after = granted_of(alloc_numbered(&caller, 7, true));
        assert_int_equal(after.buffer, before.buffer);
        assert_int_equal(after.frame, before.frame);
        assert_int_equal(after.phys, before.phys);
        assert_false(after.has_fd);
        assert_int_equal(status_granted(caller_status(&caller)), WORKER_PAGE_BYTES);
        assert_int_equal(caller_free(&caller, before.buffer)->result, 0);
        assert_int_equal(caller_free(&caller, before.buffer)->result, PAR_REFUSED_GONE);
        caller_close(&caller);
}

/* Who did not hear the answer has not received the descriptor either. */
static void test_resume_sends_what_was_not_kept(void **state)
{
        struct granted before, after;
        struct caller caller;
        uint64_t token;

        (void)state;
        token = begin(&caller);
        before = granted_of(alloc_numbered(&caller, 7, false));
        worker_restart(&worker);
        assert_true(come_back(&caller, token));
        after = granted_of(alloc_numbered(&caller, 7, true));
        assert_int_equal(after.buffer, before.buffer);
        assert_true(after.has_fd);
        assert_int_equal(caller.got.count, 1);
        caller_close(&caller);
}

static const struct {
        const char *name;
        uint32_t seq;
        bool again;
} fresh_cases[] = {
        { "the number of a buffer that lives, but not again", 7, false },
        { "again, but nothing was granted", 8, true },
};

static void test_resume_grants_anew_what_is_new(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(fresh_cases); i++) {
                struct granted before, after;
                struct caller caller;
                uint64_t token = begin(&caller);

                before = granted_of(alloc_numbered(&caller, 7, false));
                worker_restart(&worker);
                assert_true(come_back(&caller, token));
                after = granted_of(
                        alloc_numbered(&caller, fresh_cases[i].seq, fresh_cases[i].again));
                if (after.buffer == before.buffer || after.phys == before.phys)
                        fail_msg("%s: it is the same buffer", fresh_cases[i].name);
                caller_close(&caller);
        }
}

/* A shared buffer that the caller makes. Return: its number. */
static uint64_t make_ring(struct caller *caller)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__Reply *reply;

        alloc.size = WORKER_PAGE_BYTES;
        alloc.name = (char *)"ring";
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        reply = caller_ask(caller, &request);
        assert_int_equal(reply->result, 0);
        return reply->alloc->buffer;
}

static const Wire__Reply *open_numbered(struct caller *caller, uint32_t seq, bool again)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Open body = WIRE__OPEN__INIT;
        const Wire__Reply *reply;
        const uint32_t last = caller->seq;

        body.name = (char *)"ring";
        body.again = again;
        request.body_case = WIRE__REQUEST__BODY_OPEN;
        request.open = &body;
        caller->seq = seq - 1;
        reply = caller_ask(caller, &request);
        caller->seq = last > seq ? last : seq;
        return reply;
}

static const struct {
        const char *name;
        bool opened; /* before the worker's death, as request 8 */
        uint32_t seq;
        bool again;
        uint32_t result;
} open_cases[] = {
        { "the number of another buffer that lives, but not again", false, 7, false, 0 },
        { "again, and it was opened", true, 8, true, 0 },
        { "again, but it was not opened", false, 8, true, 0 },
        { "not again, though it was opened", true, 8, false, PAR_REFUSED_BUSY },
};

static void test_resume_opens_what_is_meant(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(open_cases); i++) {
                struct caller maker, caller;
                uint64_t of_maker = begin(&maker), token = begin(&caller), ring;
                const Wire__Reply *reply;

                print_message("%s\n", open_cases[i].name);
                ring = make_ring(&maker);
                (void)granted_of(alloc_numbered(&caller, 7, false));
                if (open_cases[i].opened)
                        assert_int_equal(open_numbered(&caller, 8, false)->result, 0);
                worker_restart(&worker);
                assert_true(come_back(&maker, of_maker));
                assert_true(come_back(&caller, token));
                reply = open_numbered(&caller, open_cases[i].seq, open_cases[i].again);
                assert_int_equal(reply->result, open_cases[i].result);
                if (!reply->result)
                        assert_int_equal(reply->alloc->buffer, ring);
                caller_close(&caller);
                assert_int_equal(caller_free(&maker, ring)->result, 0);
                caller_close(&maker);
        }
}

static void test_resume_takes_the_token_once(void **state)
{
        struct caller caller, thief;
        uint64_t token;

        (void)state;
        token = begin(&caller);
        caller_connect(&worker, &thief);
        assert_false(hello(&thief, token)->resumed); /* nobody waits for it */
        worker_restart(&worker);
        assert_false(come_back(&thief, token + 1));
        assert_true(come_back(&caller, token));
        assert_false(come_back(&thief, token));
        /* The thief's own session of before is awaited, since this process lives. */
        assert_int_equal(caller_status(&caller)->clients, 3);
        caller_close(&thief);
        caller_close(&caller);
}

static void test_resume_of_another_user(void **state)
{
        struct caller caller, stranger;
        uint64_t token, frame;

        (void)state;
        if (!caller_can_be(&worker, CALLER_STRANGER))
                skip();
        caller_open_as(&worker, CALLER_STRANGER, "stranger", &stranger);
        token = begin(&caller);
        frame = granted_of(alloc_numbered(&caller, 7, false)).frame;
        worker_restart(&worker);
        caller_close(&stranger);
        caller_open_as(&worker, CALLER_STRANGER, "stranger", &stranger);
        /* What he says to have is not his. */
        assert_int_equal(say_kept(&stranger, &frame, 1)->result, 0);
        assert_true(come_back(&caller, token));
        assert_true(granted_of(alloc_numbered(&caller, 7, true)).has_fd);
        caller_close(&stranger);
        caller_close(&caller);
}

static void test_resume_passes_over_frames_that_are_not(void **state)
{
        uint64_t frames[] = { 0, 1, UINT64_MAX, UINT64_C(1) << 32, 77 };
        struct caller caller;
        uint64_t token;

        (void)state;
        token = begin(&caller);
        worker_restart(&worker);
        assert_true(come_back(&caller, token));
        assert_int_equal(say_kept(&caller, frames, ARRAY_SIZE(frames))->result, 0);
        assert_int_equal(say_kept(&caller, NULL, 0)->result, 0);
        caller_close(&caller);
}

static void test_resume_lets_a_request_wait_on(void **state)
{
        struct caller holder, waiter;
        uint64_t holder_token, waiter_token, buffer;
        uint32_t seq;

        (void)state;
        holder_token = begin(&holder);
        waiter_token = begin(&waiter);
        buffer = caller_alloc(&holder, 64 * WORKER_PAGE_BYTES, "any")->alloc->buffer;
        caller_send_alloc(&waiter, WORKER_PAGE_BYTES, "any", -1);
        caller_await(&holder, status_waiting, 1);
        worker_restart(&worker);
        assert_true(come_back(&holder, holder_token));
        assert_true(come_back(&waiter, waiter_token));
        seq = caller_send_alloc(&waiter, WORKER_PAGE_BYTES, "any", -1);
        caller_await(&holder, status_waiting, 1);
        assert_int_equal(caller_free(&holder, buffer)->result, 0);
        assert_int_equal(caller_reply(&waiter, seq)->result, 0);
        caller_close(&waiter);
        caller_close(&holder);
}

static void test_resume_over_many_deaths(void **state)
{
        struct granted before;
        struct caller caller;
        uint64_t token;

        (void)state;
        token = begin(&caller);
        before = granted_of(alloc_numbered(&caller, 7, false));
        for (unsigned i = 0; i < 10; i++) {
                worker_restart(&worker);
                assert_true(come_back(&caller, token));
                assert_int_equal(granted_of(alloc_numbered(&caller, 7, true)).phys, before.phys);
        }
        caller_close(&caller);
}

/* Every session hears it, and its connection ends. */
static void test_goodbye_is_said_to_all(void **state)
{
        const struct keeper_message stop = { .type = KEEPER_STOP, .count = 1234 };
        struct caller callers[5];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
                begin(&callers[i]);
        assert_int_equal(fake_keeper_say(worker.keeper, &stop, -1), 0);
        for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
                const Wire__Packet *packet;

                assert_true(caller_receive(&callers[i]));
                packet = callers[i].packet;
                assert_int_equal(packet->kind_case, WIRE__PACKET__KIND_NOTICE);
                assert_non_null(packet->notice->goodbye);
                assert_int_equal(packet->notice->goodbye->wait_ms, 1234);
                caller_expect_end(&callers[i]);
                caller_close(&callers[i]);
        }
}

/* They may all go on with the next pard, which has the same ledger. */
static void test_goodbye_ends_no_session(void **state)
{
        const struct keeper_message stop = { .type = KEEPER_STOP, .count = 1 };
        struct granted before;
        struct caller caller;
        uint64_t token;

        (void)state;
        token = begin(&caller);
        before = granted_of(alloc_numbered(&caller, 7, false));
        assert_int_equal(fake_keeper_say(worker.keeper, &stop, -1), 0);
        caller_expect_end(&caller);
        worker_restart(&worker);
        assert_true(come_back(&caller, token));
        assert_int_equal(granted_of(alloc_numbered(&caller, 7, true)).buffer, before.buffer);
        caller_close(&caller);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_resume_goes_on_with_everything),
                TEST(test_resume_sends_what_was_not_kept),
                TEST(test_resume_grants_anew_what_is_new),
                TEST(test_resume_opens_what_is_meant),
                TEST(test_resume_takes_the_token_once),
                TEST(test_resume_of_another_user),
                TEST(test_resume_passes_over_frames_that_are_not),
                TEST(test_resume_lets_a_request_wait_on),
                TEST(test_resume_over_many_deaths),
                TEST(test_goodbye_is_said_to_all),
                TEST(test_goodbye_ends_no_session),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
