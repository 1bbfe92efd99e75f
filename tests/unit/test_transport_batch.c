/* SPDX-License-Identifier: MIT */
/*
 * Batches as they go over the wire: one request, one reply, with all descriptors or with none.
 */
#include "worker_fixture.h"

#include "macros.h"
#include "result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct worker worker;

static int setup(void **state)
{
        const struct worker_options options = { .pages = 100 };

        (void)state;
        worker_start(&worker, &options);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        return worker_stop(&worker);
}

/**
 * struct ask - an AllocBatch in the making
 * @seq: its number; 0: the next one
 */
struct ask {
        uint64_t size;
        uint32_t count, seq;
        int32_t wait_ms;
        const char *name;
        bool again;
};

static uint32_t send_batch(struct caller *caller, const struct ask *ask)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__AllocBatch body = WIRE__ALLOC_BATCH__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const uint32_t last = caller->seq;
        uint32_t seq;

        alloc.size = ask->size;
        alloc.pool = (char *)"any";
        alloc.wait_ms = ask->wait_ms;
        alloc.again = ask->again;
        if (ask->name)
                alloc.name = (char *)(uintptr_t)ask->name;
        body.alloc = &alloc;
        body.count = ask->count;
        request.body_case = WIRE__REQUEST__BODY_ALLOC_BATCH;
        request.alloc_batch = &body;
        if (ask->seq)
                caller->seq = ask->seq - 1;
        seq = caller_send(caller, &request);
        caller->seq = last > caller->seq ? last : caller->seq;
        return seq;
}

static const Wire__Reply *ask_batch(struct caller *caller, struct ask ask)
{
        return caller_reply(caller, send_batch(caller, &ask));
}

static const Wire__GrantBatch *granted(const Wire__Reply *reply)
{
        if (reply->result)
                fail_msg("%s", reply->refusal->sentence);
        assert_int_equal(reply->body_case, WIRE__REPLY__BODY_ALLOC_BATCH);
        return reply->alloc_batch;
}

static const Wire__Reply *free_many(struct caller *caller, uint64_t *buffers, size_t count)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__FreeBatch body = WIRE__FREE_BATCH__INIT;

        body.buffers = buffers;
        body.n_buffers = count;
        request.body_case = WIRE__REQUEST__BODY_FREE_BATCH;
        request.free_batch = &body;
        return caller_ask(caller, &request);
}

static void free_from(struct caller *caller, uint64_t first, size_t count)
{
        uint64_t buffers[64];

        for (size_t i = 0; i < count; i++)
                buffers[i] = first + i;
        assert_int_equal(free_many(caller, buffers, count)->result, 0);
}

/* ---- what is granted ------------------------------------------------------------------------ */

static void test_a_run_tells_of_all_in_it(void **state)
{
        const Wire__GrantBatch *batch;
        struct caller caller;
        uint64_t first;

        (void)state;
        caller_open(&worker, "c", &caller);
        batch = granted(ask_batch(&caller, (struct ask){ .size = 64 * KiB, .count = 40 }));
        first = batch->buffer;
        assert_int_equal(batch->size, 64 * KiB);
        assert_int_equal(batch->n_runs, 2);
        assert_int_equal(batch->runs[0]->count, 32);
        assert_int_equal(batch->runs[1]->count, 8);
        assert_int_equal(caller.got.count, 2);
        for (size_t i = 0; i < 2; i++) {
                const Wire__BatchRun *run = batch->runs[i];

                assert_true(run->has_fd && run->zeroed);
                assert_string_equal(run->pool, "any");
                assert_int_equal(run->page_size, WORKER_PAGE_BYTES);
                assert_int_equal(run->phys, run->dma);
                assert_int_equal(run->phys & (WORKER_PAGE_BYTES - 1), run->frame_offset);
        }
        /* In frames that it has no descriptor comes, and what was used says so. */
        free_from(&caller, first, 32);
        batch = granted(ask_batch(&caller, (struct ask){ .size = 4096, .count = 64 }));
        assert_int_equal(caller.got.count, 0);
        assert_false(batch->runs[0]->has_fd || batch->runs[0]->zeroed);
        free_from(&caller, first + 32, 8);
        free_from(&caller, batch->buffer, 64);
        assert_int_equal(status_granted(caller_status(&caller)), 0);
        caller_close(&caller);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void test_requests_that_are_no_batch(void **state)
{
        static const struct {
                const char *name;
                struct ask ask;
                const char *words;
        } cases[] = {
                { "of none", { .size = 4096 }, "a batch of 0: 1 to 64 are possible" },
                { "of too many", { .size = 4096, .count = 65 }, "a batch of 65" },
                { "of very many", { .size = 4096, .count = UINT32_MAX }, "a batch of 4294967295" },
                { "of nothing", { .count = 2 }, "" },
                { "that waits", { .size = 4096, .count = 2, .wait_ms = 1 }, "does not wait" },
                { "that waits for ever",
                  { .size = 4096, .count = 2, .wait_ms = -1 },
                  "does not wait" },
                { "with a name", { .size = 4096, .count = 2, .name = "ring" }, "to be shared" },
                { "larger than a page",
                  { .size = WORKER_PAGE_BYTES + 1, .count = 2 },
                  "ask for one at a time" },
        };
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__AllocBatch body = WIRE__ALLOC_BATCH__INIT;
        const Wire__Reply *reply;
        struct caller caller;
        uint64_t buffers[65] = { 0 };

        (void)state;
        caller_open(&worker, "c", &caller);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("a batch %s\n", cases[i].name);
                reply = ask_batch(&caller, cases[i].ask);
                assert_int_equal(reply->result, PAR_REFUSED_INVALID);
                if (!strstr(reply->refusal->sentence, cases[i].words))
                        fail_msg("%s", reply->refusal->sentence);
        }
        body.count = 2;
        request.body_case = WIRE__REQUEST__BODY_ALLOC_BATCH;
        request.alloc_batch = &body;
        assert_int_equal(caller_ask(&caller, &request)->result, PAR_REFUSED_INVALID);

        assert_int_equal(free_many(&caller, buffers, 65)->result, PAR_REFUSED_INVALID);
        assert_int_equal(free_many(&caller, buffers, 64)->result, PAR_REFUSED_GONE);
        assert_int_equal(free_many(&caller, buffers, 0)->result, 0);
        assert_int_equal(status_granted(caller_status(&caller)), 0);
        caller_close(&caller);
}

static void test_one_that_is_gone_keeps_no_other(void **state)
{
        struct caller caller;
        uint64_t buffers[4];

        (void)state;
        caller_open(&worker, "c", &caller);
        buffers[0] = granted(ask_batch(&caller, (struct ask){ .size = 4096, .count = 3 }))->buffer;
        buffers[1] = 12345;
        buffers[2] = buffers[0] + 1;
        buffers[3] = buffers[0] + 2;
        assert_int_equal(free_many(&caller, buffers, 4)->result, PAR_REFUSED_GONE);
        assert_int_equal(status_granted(caller_status(&caller)), 0);
        caller_close(&caller);
}

/* Who has not received 40 descriptors is not sent 40 more, and has no buffer of which he was not
 * told. */
static void test_descriptors_on_their_way_are_in_the_way(void **state)
{
        const struct ask pages = { .size = WORKER_PAGE_BYTES, .count = 40 };
        const Wire__GrantBatch *batch;
        const Wire__Reply *reply;
        struct caller caller;
        uint32_t first, second;
        uint64_t buffer;

        (void)state;
        caller_open(&worker, "c", &caller);
        first = send_batch(&caller, &pages);
        second = send_batch(&caller, &pages);
        batch = granted(caller_reply(&caller, first));
        assert_int_equal(batch->n_runs, 40);
        assert_int_equal(caller.got.count, 40);
        buffer = batch->buffer;
        reply = caller_reply(&caller, second);
        if (reply->result) { /* it may have been received in between */
                assert_int_equal(reply->result, PAR_REFUSED_BUSY);
                assert_int_equal(status_granted(caller_status(&caller)), 40 * WORKER_PAGE_BYTES);
                /* What the refused one had taken is on its way back, and a batch does not wait. */
                do {
                        reply = ask_batch(&caller, pages);
                } while (reply->result == PAR_REFUSED_EXHAUSTED);
        }
        assert_int_equal(granted(reply)->n_runs, 40);
        assert_int_equal(caller.got.count, 40);
        free_from(&caller, granted(reply)->buffer, 40);
        free_from(&caller, buffer, 40);
        caller_close(&caller);
}

/* ---- another worker ------------------------------------------------------------------------- */

static uint64_t token_of(struct caller *caller, uint64_t token)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Hello body = WIRE__HELLO__INIT;
        const Wire__Reply *reply;

        body.version = 1;
        body.client_name = (char *)"c";
        body.resume_token = token;
        request.body_case = WIRE__REQUEST__BODY_HELLO;
        request.hello = &body;
        caller_connect(&worker, caller);
        reply = caller_ask(caller, &request);
        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->hello->batch_max, 64);
        assert_int_equal(reply->hello->resumed, token != 0);
        return reply->hello->resume_token;
}

static void test_it_is_answered_whole_and_once(void **state)
{
        const struct ask ask = { .size = 4096, .count = 64, .seq = 20 };
        struct ask again = ask;
        const Wire__GrantBatch *batch;
        struct caller caller;
        uint64_t token, first, phys;

        (void)state;
        again.again = true;
        token = token_of(&caller, 0);
        batch = granted(ask_batch(&caller, ask));
        first = batch->buffer;
        phys = batch->runs[0]->phys;

        worker_restart(&worker);
        caller_close(&caller);
        token_of(&caller, token);
        batch = granted(ask_batch(&caller, again));
        assert_int_equal(batch->buffer, first);
        assert_int_equal(batch->n_runs, 1);
        assert_int_equal(batch->runs[0]->count, 64);
        assert_int_equal(batch->runs[0]->phys, phys);
        assert_int_equal(caller.got.count, 1); /* it said nothing of having that frame */
        assert_int_equal(status_granted(caller_status(&caller)), WORKER_PAGE_BYTES);
        free_from(&caller, first, 64);
        assert_int_equal(status_granted(caller_status(&caller)), 0);
        caller_close(&caller);
}

/* As if it had died while it entered them: some are there, and nobody has heard of those. */
static void test_a_part_of_it_is_not_the_answer(void **state)
{
        const struct ask ask = { .size = WORKER_PAGE_BYTES, .count = 8, .seq = 20 };
        struct ask again = ask;
        struct caller caller;
        uint64_t token, first, other;

        (void)state;
        again.again = true;
        token = token_of(&caller, 0);
        first = granted(ask_batch(&caller, ask))->buffer;
        free_from(&caller, first + 5, 3);

        worker_restart(&worker);
        caller_close(&caller);
        token_of(&caller, token);
        other = granted(ask_batch(&caller, again))->buffer;
        assert_true(other > first + 7);
        assert_int_equal(status_granted(caller_status(&caller)), 8 * WORKER_PAGE_BYTES);
        free_from(&caller, other, 8);
        assert_int_equal(status_granted(caller_status(&caller)), 0);
        caller_close(&caller);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_a_run_tells_of_all_in_it),
                TEST(test_requests_that_are_no_batch),
                TEST(test_one_that_is_gone_keeps_no_other),
                TEST(test_descriptors_on_their_way_are_in_the_way),
                TEST(test_it_is_answered_whole_and_once),
                TEST(test_a_part_of_it_is_not_the_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
