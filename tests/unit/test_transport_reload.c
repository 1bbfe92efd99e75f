/* SPDX-License-Identifier: MIT */
/*
 * A worker whose keeper reads the configuration again: who hears of it, when, and by which settings
 * the worker goes afterwards.
 */
#include "worker_fixture.h"

#include "macros.h"
#include "text.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct worker worker;

/* So many sends of the worker's thread fail, since the kernel is short of buffers. */
static atomic_int short_of_buffers;
static pthread_t caller_thread;

int __real_packet_send(int socket, const void *bytes, size_t size, const int *descriptors,
                       size_t count);
int __wrap_packet_send(int socket, const void *bytes, size_t size, const int *descriptors,
                       size_t count);

int __wrap_packet_send(int socket, const void *bytes, size_t size, const int *descriptors,
                       size_t count)
{
        if (!pthread_equal(pthread_self(), caller_thread) && atomic_load(&short_of_buffers) > 0 &&
            atomic_fetch_sub(&short_of_buffers, 1) > 0)
                return -ENOBUFS;
        return __real_packet_send(socket, bytes, size, descriptors, count);
}

static int setup(void **state)
{
        (void)state;
        worker_start(&worker, &(struct worker_options){ .admin_group = true });
        return 0;
}

static int setup_hasty(void **state)
{
        (void)state;
        worker_start(&worker, &(struct worker_options){ .admin_group = true, .reload_ms = 50 });
        return 0;
}

static int setup_users(void **state)
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

static uint32_t send_reload(struct caller *caller)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Reload reload = WIRE__RELOAD__INIT;

        request.body_case = WIRE__REQUEST__BODY_RELOAD;
        request.reload = &reload;
        return caller_send(caller, &request);
}

/* The size_max of the pool "any", in pages. */
static uint64_t pages_of(struct caller *caller)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;

        request.body_case = WIRE__REQUEST__BODY_POOLS;
        request.pools = &list;
        return caller_ask(caller, &request)->pools->pools[0]->size_max / WORKER_PAGE_BYTES;
}

static const struct fake_reload silent = { .silent = true };
static const struct fake_reload bad = { .result = -EINVAL, .text = "bad" };
static const struct fake_reload pages_80 = { .text = "pages 80" };
static const struct fake_reload pages_90 = { .text = "pages 90" };

/* ---- answers -------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct fake_reload keeper;
        uint32_t result;
        unsigned pages;       /* afterwards */
        const char *sentence; /* a part of it */
        size_t changed;
} answer_cases[] = {
        { "it is good", { .text = "pages 80" }, 0, 80, NULL, 1 },
        { "nothing differs", { .text = "changes 0" }, 0, 64, NULL, 0 },
        { "more differs than is told", { .text = "changes 300" }, 0, 64, NULL, 256 },
        { "it is not good",
          { .result = -EINVAL, .text = "bad" },
          PAR_REFUSED_INVALID,
          64,
          "line 1: \"bad\" means nothing ?",
          0 },
        { "the keeper finds what the worker does not",
          { .result = -EINVAL, .text = "pages 80" },
          PAR_REFUSED_INVALID,
          64,
          "its log tells why",
          0 },
        { "it is not there", { .result = -ENOENT }, ENOENT, 64, "No such file", 0 },
        { "the keeper has no memory for it",
          { .result = -ENOMEM, .text = "pages 80" },
          ENOMEM,
          64,
          "memory",
          0 },
        { "the worker has no memory for what is no good",
          { .result = -EINVAL, .text = "lost" },
          PAR_REFUSED_INVALID,
          64,
          "no memory for it",
          0 },
};

static void test_reload_is_answered(void **state)
{
        struct caller caller;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(answer_cases); i++) {
                const char *name = answer_cases[i].name;
                const Wire__Reply *reply;

                worker_start(&worker, &(struct worker_options){ .admin_group = true });
                fake_keeper_set_reload(worker.keeper, &answer_cases[i].keeper);
                caller_open(&worker, "admin", &caller);
                reply = caller_reply(&caller, send_reload(&caller));
                if (reply->result != answer_cases[i].result)
                        fail_msg("%s: %u", name, reply->result);
                if (reply->result) {
                        const char *sentence = reply->refusal->sentence;

                        if (!strstr(sentence, answer_cases[i].sentence) ||
                            !text_is_good(sentence, SENTENCE_BYTES))
                                fail_msg("%s: %s", name, sentence);
                } else if (!reply->reload || reply->reload->n_changed != answer_cases[i].changed) {
                        fail_msg("%s: not that number of changes", name);
                }
                if (pages_of(&caller) != answer_cases[i].pages)
                        fail_msg("%s: %llu pages", name, (unsigned long long)pages_of(&caller));
                caller_close(&caller);
                assert_int_equal(worker_stop(&worker), 0);
        }
}

/* The operator told the keeper, which nobody here asked for. */
static void test_reload_that_nobody_asked_for(void **state)
{
        struct caller caller;
        uint32_t seq;

        (void)state;
        caller_open(&worker, "admin", &caller);
        fake_keeper_tell_config(worker.keeper, &bad, false);
        fake_keeper_tell_config(worker.keeper, &pages_80, false);
        fake_keeper_ping(worker.keeper);
        assert_int_equal(pages_of(&caller), 80);

        /* It is no answer to one who waits. */
        fake_keeper_set_reload(worker.keeper, &silent);
        seq = send_reload(&caller);
        fake_keeper_await_reloads(worker.keeper, 1);
        fake_keeper_tell_config(worker.keeper, &bad, false);
        fake_keeper_tell_config(worker.keeper, &pages_90, true);
        assert_int_equal(caller_reply(&caller, seq)->result, 0);
        assert_int_equal(pages_of(&caller), 90);
        caller_close(&caller);
}

/* Who asks while the keeper reads may have written the file after it did. */
static void test_reload_of_several(void **state)
{
        struct caller first, second, third;
        uint32_t seqs[3];

        (void)state;
        fake_keeper_set_reload(worker.keeper, &silent);
        caller_open(&worker, "first", &first);
        caller_open(&worker, "second", &second);
        caller_open(&worker, "third", &third);
        seqs[0] = send_reload(&first);
        fake_keeper_await_reloads(worker.keeper, 1);
        seqs[1] = send_reload(&second);
        seqs[2] = send_reload(&third);
        assert_int_equal(caller_status(&second)->clients, 3);
        assert_int_equal(caller_status(&third)->clients, 3);
        fake_keeper_ping(worker.keeper);
        assert_int_equal(fake_keeper_reloads(worker.keeper), 1);

        fake_keeper_tell_config(worker.keeper, &bad, true);
        assert_int_equal(caller_reply(&first, seqs[0])->result, PAR_REFUSED_INVALID);
        fake_keeper_await_reloads(worker.keeper, 2);
        fake_keeper_tell_config(worker.keeper, &pages_80, true);
        assert_int_equal(caller_reply(&second, seqs[1])->result, 0);
        assert_int_equal(caller_reply(&third, seqs[2])->result, 0);
        assert_int_equal(pages_of(&first), 80);
        assert_int_equal(fake_keeper_reloads(worker.keeper), 2);
        caller_close(&first);
        caller_close(&second);
        caller_close(&third);
}

static void test_reload_that_takes_too_long(void **state)
{
        struct caller caller;
        uint32_t seq;

        (void)state;
        fake_keeper_set_reload(worker.keeper, &silent);
        caller_open(&worker, "hasty", &caller);
        assert_int_equal(caller_reply(&caller, send_reload(&caller))->result, ETIMEDOUT);

        /* What comes late counts, and is no answer to the next: that has one of its own. */
        seq = send_reload(&caller);
        fake_keeper_set_reload(worker.keeper, &pages_90);
        fake_keeper_tell_config(worker.keeper, &bad, true);
        assert_int_equal(caller_reply(&caller, seq)->result, 0);
        assert_int_equal(pages_of(&caller), 90);
        assert_int_equal(fake_keeper_reloads(worker.keeper), 2);
        caller_close(&caller);
}

/* The answer comes by itself when there are some again, though its session does nothing more. */
static void test_reload_answered_without_buffers(void **state)
{
        struct caller caller;
        uint32_t seq;

        (void)state;
        fake_keeper_set_reload(worker.keeper, &silent);
        caller_open(&worker, "admin", &caller);
        seq = send_reload(&caller);
        fake_keeper_await_reloads(worker.keeper, 1);
        atomic_store(&short_of_buffers, 3);
        fake_keeper_tell_config(worker.keeper, &pages_80, true);
        assert_int_equal(caller_reply(&caller, seq)->result, 0);
        assert_int_equal(atomic_load(&short_of_buffers), 0);
        caller_close(&caller);
}

static void test_reload_whose_asker_is_gone(void **state)
{
        struct caller gone, beside;

        (void)state;
        fake_keeper_set_reload(worker.keeper, &silent);
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "gone", &gone);
        send_reload(&gone);
        fake_keeper_await_reloads(worker.keeper, 1);
        caller_close(&gone);
        caller_await(&beside, status_clients, 1);
        fake_keeper_tell_config(worker.keeper, &pages_80, true);
        fake_keeper_ping(worker.keeper);
        assert_int_equal(pages_of(&beside), 80);
        caller_close(&beside);
}

static void test_reload_behind_a_bye(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Bye bye = WIRE__BYE__INIT;
        struct caller leaves, beside;

        (void)state;
        fake_keeper_set_reload(worker.keeper, &silent);
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "leaves", &leaves);
        send_reload(&leaves);
        fake_keeper_await_reloads(worker.keeper, 1);
        request.body_case = WIRE__REQUEST__BODY_BYE;
        request.bye = &bye;
        assert_int_equal(caller_ask(&leaves, &request)->result, 0);
        caller_expect_end(&leaves);
        fake_keeper_tell_config(worker.keeper, &pages_80, true);
        fake_keeper_ping(worker.keeper);
        assert_int_equal(pages_of(&beside), 80);
        caller_close(&leaves);
        caller_close(&beside);
}

static void test_reload_one_at_a_time(void **state)
{
        struct caller caller, beside;
        uint32_t seq;

        (void)state;
        fake_keeper_set_reload(worker.keeper, &silent);
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "twice", &caller);
        seq = send_reload(&caller);
        assert_int_equal(caller_reply(&caller, send_reload(&caller))->result, PAR_REFUSED_BUSY);
        fake_keeper_tell_config(worker.keeper, &pages_80, true);
        assert_int_equal(caller_reply(&caller, seq)->result, 0);

        /* Its number is taken while it waits. */
        caller.seq = send_reload(&caller) - 1;
        send_reload(&caller);
        caller_expect_end(&caller);
        caller_await(&beside, status_clients, 1);
        caller_close(&caller);
        caller_close(&beside);
}

static void test_reload_is_not_for_users(void **state)
{
        struct caller user;

        (void)state;
        fake_keeper_set_reload(worker.keeper, &pages_80);
        caller_open_as(&worker, CALLER_USER, "user", &user);
        assert_int_equal(caller_reply(&user, send_reload(&user))->result, PAR_REFUSED_DENIED);
        fake_keeper_ping(worker.keeper);
        assert_int_equal(fake_keeper_reloads(worker.keeper), 0);
        assert_int_equal(pages_of(&user), 64);
        caller_close(&user);
}

/* ---- the worker cannot follow --------------------------------------------------------------- */

static const struct {
        const char *name;
        struct fake_reload keeper;
        bool asked;
        int result;
} beyond_cases[] = {
        { "the worker finds it wrong", { .text = "bad" }, false, -EINVAL },
        { "the worker has no memory for it", { .text = "lost" }, false, -ENOMEM },
        { "with somebody who waits for it", { .text = "bad" }, true, -EINVAL },
};

static void test_worker_ends_where_it_cannot_follow(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(beyond_cases); i++) {
                struct caller caller;

                worker_start(&worker, &(struct worker_options){ .admin_group = true });
                fake_keeper_set_reload(worker.keeper, &beyond_cases[i].keeper);
                caller_open(&worker, "admin", &caller);
                if (beyond_cases[i].asked)
                        send_reload(&caller);
                else
                        fake_keeper_tell_config(worker.keeper, &beyond_cases[i].keeper, false);
                caller_expect_end(&caller);
                caller_close(&caller);
                if (worker_end(&worker) != beyond_cases[i].result)
                        fail_msg("%s: %d", beyond_cases[i].name, worker.result);
                fake_keeper_free(worker.keeper);
        }
}

/* ---- under load ----------------------------------------------------------------------------- */

static void test_reload_a_hundred_times_loses_nothing(void **state)
{
        static const struct fake_reload others[] = {
                { .text = "pages 70" },
                { .text = "quarantine 50" },
                { .result = -EINVAL, .text = "bad" },
                { .result = -ENOENT },
        };
        struct caller admin, busy;

        (void)state;
        caller_open(&worker, "admin", &admin);
        caller_open(&worker, "busy", &busy);
        for (unsigned i = 0; i < 100; i++) {
                const struct fake_reload *other = &others[i % ARRAY_SIZE(others)];
                uint32_t reload, alloc;
                uint64_t buffer;

                fake_keeper_set_reload(worker.keeper, other);
                alloc = caller_send_alloc(&busy, 3 * WORKER_PAGE_BYTES, "any", -1);
                reload = send_reload(&admin);
                buffer = caller_reply(&busy, alloc)->alloc->buffer;
                assert_int_equal(caller_reply(&admin, reload)->result == 0, other->result == 0);
                assert_int_equal(caller_free(&busy, buffer)->result, 0);
        }
        assert_int_equal(fake_keeper_reloads(worker.keeper), 100);
        assert_int_equal(caller_status(&admin)->bytes->granted, 0);
        assert_int_equal(caller_status(&admin)->clients, 2);
        caller_close(&busy);
        caller_close(&admin);
}

/* ---- pings ---------------------------------------------------------------------------------- */

static void test_pings_are_answered_while_others_wait(void **state)
{
        struct caller rich, poor;

        (void)state;
        caller_open(&worker, "rich", &rich);
        caller_open(&worker, "poor", &poor);
        assert_int_equal(caller_alloc(&rich, 64 * WORKER_PAGE_BYTES, "any")->result, 0);
        caller_send_alloc(&poor, WORKER_PAGE_BYTES, "any", -1);
        for (int i = 0; i < 100; i++)
                fake_keeper_ping(worker.keeper);
        caller_close(&poor);
        caller_close(&rich);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define HASTY(name) cmocka_unit_test_setup_teardown(name, setup_hasty, teardown)
#define USERS(name) cmocka_unit_test_setup_teardown(name, setup_users, teardown)
                cmocka_unit_test(test_reload_is_answered),
                TEST(test_reload_that_nobody_asked_for),
                TEST(test_reload_of_several),
                HASTY(test_reload_that_takes_too_long),
                TEST(test_reload_answered_without_buffers),
                TEST(test_reload_whose_asker_is_gone),
                TEST(test_reload_behind_a_bye),
                TEST(test_reload_one_at_a_time),
                USERS(test_reload_is_not_for_users),
                cmocka_unit_test(test_worker_ends_where_it_cannot_follow),
                TEST(test_reload_a_hundred_times_loses_nothing),
                TEST(test_pings_are_answered_while_others_wait),
        };

        caller_thread = pthread_self();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
