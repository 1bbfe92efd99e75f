/* SPDX-License-Identifier: MIT */
/*
 * Buffers that several sessions have, over the wire; those of other users by a fake of the kernel's
 * dma-bufs, and without.
 */
#include "worker_fixture.h"

#include "fake_udmabuf.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE WORKER_PAGE_BYTES

static struct worker worker;
static struct caller maker, other;

static void begin(bool udmabuf)
{
        const struct worker_options options = {
                .udmabuf_fd = udmabuf ? open("/dev/null", O_RDWR | O_CLOEXEC) : 0,
                .pages = 64,
        };

        fake_udmabuf_reset();
        worker_start(&worker, &options);
        caller_open_as(&worker, CALLER_USER, "maker", &maker);
        caller_open_as(&worker, CALLER_USER, "other", &other);
}

static void end(void)
{
        caller_close(&maker);
        caller_close(&other);
        assert_int_equal(worker_stop(&worker), 0);
}

/* Return: the reply to an Alloc of one that can be shared. */
static const Wire__Reply *ask_alloc(struct caller *caller, uint64_t size, const char *name,
                                    bool lasting)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc body = WIRE__ALLOC__INIT;

        body.size = size;
        body.pool = (char *)(uintptr_t) "any";
        body.name = (char *)(uintptr_t)name;
        body.shared = true;
        body.lasting = lasting;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &body;
        return caller_ask(caller, &request);
}

static uint64_t make(struct caller *caller, uint64_t size, const char *name, bool lasting)
{
        const Wire__Reply *reply = ask_alloc(caller, size, name, lasting);

        assert_int_equal(reply->result, 0);
        return reply->alloc->buffer;
}

static const Wire__Reply *ask_open(struct caller *caller, const char *name, const void *token,
                                   size_t token_bytes)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Open body = WIRE__OPEN__INIT;

        body.name = (char *)(uintptr_t)name;
        body.token.data = (uint8_t *)(uintptr_t)token;
        body.token.len = token_bytes;
        request.body_case = WIRE__REQUEST__BODY_OPEN;
        request.open = &body;
        return caller_ask(caller, &request);
}

static const Wire__Reply *ask_share(struct caller *caller, uint64_t buffer, bool ends)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Share body = WIRE__SHARE__INIT;

        body.buffer = buffer;
        body.end = ends;
        request.body_case = WIRE__REQUEST__BODY_SHARE;
        request.share = &body;
        return caller_ask(caller, &request);
}

static uint32_t ask_remove(struct caller *caller, const char *name)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Remove body = WIRE__REMOVE__INIT;

        body.name = (char *)(uintptr_t)name;
        request.body_case = WIRE__REQUEST__BODY_REMOVE;
        request.remove = &body;
        return caller_ask(caller, &request)->result;
}

/* A copy of the token of a buffer. */
static void get_token(struct caller *caller, uint64_t buffer, uint8_t ret[16])
{
        const Wire__Reply *reply = ask_share(caller, buffer, false);

        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->share->token.len, 16);
        memcpy(ret, reply->share->token.data, 16);
}

/* ---- the same user -------------------------------------------------------------------------- */

/* Each session is given each frame's descriptor, and is told that nothing is to be zeroed. */
static void test_another_session_gets_the_frames(void **state)
{
        const Wire__Reply *reply;
        uint64_t buffer, first;

        (void)state;
        begin(true);
        reply = ask_alloc(&maker, 2 * PAGE, "ring", true);
        assert_int_equal(reply->result, 0);
        buffer = reply->alloc->buffer;
        first = reply->alloc->extents->segments[0]->phys;
        assert_int_equal(maker.got.count, 2);
        reply = ask_open(&other, "ring", NULL, 0);
        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->body_case, WIRE__REPLY__BODY_ALLOC);
        assert_int_equal(reply->alloc->buffer, buffer);
        assert_int_equal(reply->alloc->extents->segments[0]->phys, first);
        assert_false(reply->alloc->dmabuf);
        assert_int_equal(other.got.count, 2);
        for (size_t i = 0; i < 2; i++) {
                assert_true(reply->alloc->extents->pieces[i]->has_fd);
                assert_true(reply->alloc->extents->pieces[i]->zeroed);
                assert_false(reply->alloc->extents->pieces[i]->keep);
        }
        assert_int_equal(fake_udmabuf_last().made, 0);
        assert_int_equal(ask_open(&other, "ring", NULL, 0)->result, PAR_REFUSED_BUSY);
        assert_int_equal(caller_free(&other, buffer)->result, 0);
        assert_int_equal(caller_free(&other, buffer)->result, PAR_REFUSED_GONE);
        assert_int_equal(ask_open(&other, "ring", NULL, 0)->result, 0);
        end();
}

/* The rest of a description is asked for by each who has it. */
static void test_what_is_opened_is_described_in_pages(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Extents body = WIRE__EXTENTS__INIT;
        const Wire__Reply *reply;
        size_t pieces;

        (void)state;
        begin(true);
        make(&maker, 64 * PAGE, "ring", false);
        reply = ask_open(&other, "ring", NULL, 0);
        assert_int_equal(reply->result, 0);
        pieces = reply->alloc->extents->n_pieces;
        body.buffer = reply->alloc->buffer;
        request.body_case = WIRE__REQUEST__BODY_EXTENTS;
        request.extents = &body;
        for (body.cursor = reply->alloc->extents->next_cursor; body.cursor;
             body.cursor = reply->extents->next_cursor) {
                reply = caller_ask(&other, &request);
                assert_int_equal(reply->result, 0);
                pieces += reply->extents->n_pieces;
        }
        assert_int_equal(pieces, 64);
        end();
}

static void test_a_buffer_outlives_its_session(void **state)
{
        uint64_t buffer;

        (void)state;
        begin(false);
        worker_set_quarantine(&worker, 1000000);
        buffer = make(&maker, PAGE, "ring", true);
        caller_close(&maker);
        caller_await(&other, status_clients, 1);
        assert_int_equal(status_granted(caller_status(&other)), PAGE);
        assert_int_equal(ask_open(&other, "ring", NULL, 0)->alloc->buffer, buffer);
        assert_int_equal(ask_remove(&other, "ring"), 0);
        assert_int_equal(ask_open(&other, "ring", NULL, 0)->result, PAR_REFUSED_GONE);
        assert_int_equal(caller_free(&other, buffer)->result, 0);
        caller_await(&other, status_quarantined, PAGE);
        caller_open_as(&worker, CALLER_USER, "maker", &maker);
        end();
}

static void test_lists_tell_of_sharing(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List body = WIRE__LIST__INIT;
        const Wire__Buffer *row;

        (void)state;
        begin(false);
        make(&maker, PAGE, "ring", true);
        assert_int_equal(ask_open(&other, "ring", NULL, 0)->result, 0);
        request.body_case = WIRE__REQUEST__BODY_BUFFERS;
        request.buffers = &body;
        row = caller_ask(&other, &request)->buffers->buffers[0];
        assert_string_equal(row->name, "ring");
        assert_true(row->shared && row->lasting && row->mine);
        assert_int_equal(row->holders, 2);
        end();
}

/* ---- what cannot be ------------------------------------------------------------------------- */

static const uint8_t zeroes[16], some[17] = { 1, 2, 3 };

static const struct {
        const char *what, *name;
        const uint8_t *token;
        size_t token_bytes;
        uint32_t result;
} open_cases[] = {
        { "no name", "", NULL, 0, PAR_REFUSED_INVALID },
        { "a name that is not there", "king", NULL, 0, PAR_REFUSED_GONE },
        { "a user who has none", "4242/ring", NULL, 0, PAR_REFUSED_GONE },
        { "a user beyond all numbers", "4294967296/ring", NULL, 0, PAR_REFUSED_INVALID },
        { "a user with a sign", "-1/ring", NULL, 0, PAR_REFUSED_INVALID },
        { "a user in words", "root/ring", NULL, 0, PAR_REFUSED_INVALID },
        { "a user and no name", "4242/", NULL, 0, PAR_REFUSED_INVALID },
        { "no user", "/ring", NULL, 0, PAR_REFUSED_INVALID },
        { "two slashes", "4242/ring/x", NULL, 0, PAR_REFUSED_INVALID },
        { "no UTF-8", "\xff", NULL, 0, PAR_REFUSED_INVALID },
        { "64 bytes", "0123456789012345678901234567890123456789012345678901234567890123", NULL, 0,
          PAR_REFUSED_INVALID },
        { "a token that nobody has", "", some, 16, PAR_REFUSED_GONE },
        { "a token and a name: the token counts", "ring", some, 16, PAR_REFUSED_GONE },
        { "a short token", "", some, 15, PAR_REFUSED_INVALID },
        { "a long token", "", some, 17, PAR_REFUSED_INVALID },
        { "no token", "", zeroes, 16, PAR_REFUSED_INVALID },
};

static void test_what_cannot_be_opened(void **state)
{
        (void)state;
        begin(false);
        make(&maker, PAGE, "ring", true);
        for (size_t i = 0; i < ARRAY_SIZE(open_cases); i++) {
                const Wire__Reply *reply = ask_open(&other, open_cases[i].name, open_cases[i].token,
                                                    open_cases[i].token_bytes);

                if (reply->result != open_cases[i].result || !reply->refusal->sentence[0])
                        fail_msg("%s: %u", open_cases[i].what, reply->result);
        }
        assert_int_equal(ask_open(&other, "ring", NULL, 0)->result, 0);
        end();
}

static void test_what_cannot_be_made(void **state)
{
        Wire__Principal one = WIRE__PRINCIPAL__INIT, *many[9];
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc body = WIRE__ALLOC__INIT;
        char name[] = "0123456789012345678901234567890123456789012345678901234567890123";

        (void)state;
        begin(false);
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = &one;
        body.size = PAGE;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &body;
        body.name = name;
        assert_int_equal(caller_ask(&maker, &request)->result, PAR_REFUSED_INVALID);
        body.name = name + 1;
        body.allow = many;
        body.n_allow = 9;
        assert_int_equal(caller_ask(&maker, &request)->result, PAR_REFUSED_INVALID);
        body.n_allow = 8;
        assert_int_equal(caller_ask(&maker, &request)->result, 0);
        assert_int_equal(ask_alloc(&maker, PAGE, "", true)->result, PAR_REFUSED_INVALID);
        assert_int_equal(ask_alloc(&maker, PAGE, name + 1, true)->result, PAR_REFUSED_BUSY);
        assert_int_equal(ask_remove(&maker, "king"), PAR_REFUSED_GONE);
        assert_int_equal(ask_remove(&maker, "a/b"), PAR_REFUSED_INVALID);
        end();
}

/* ---- tokens --------------------------------------------------------------------------------- */

static void test_a_token_is_taken_back(void **state)
{
        uint8_t first[16], second[16];
        const Wire__Reply *reply;
        uint64_t buffer;

        (void)state;
        begin(false);
        buffer = make(&maker, PAGE, "", false);
        get_token(&maker, buffer, first);
        get_token(&maker, buffer, second);
        assert_memory_equal(first, second, 16);
        assert_memory_not_equal(first, zeroes, 16);
        assert_int_equal(ask_open(&other, "", first, 16)->alloc->buffer, buffer);
        assert_int_equal(caller_free(&other, buffer)->result, 0);
        reply = ask_share(&maker, buffer, true);
        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->share->token.len, 0);
        assert_int_equal(ask_open(&other, "", first, 16)->result, PAR_REFUSED_GONE);
        get_token(&maker, buffer, second);
        assert_memory_not_equal(first, second, 16);
        assert_int_equal(ask_share(&other, buffer, false)->result, PAR_REFUSED_GONE);
        assert_int_equal(
                ask_share(&maker, caller_alloc(&maker, PAGE, "any")->alloc->buffer, false)->result,
                PAR_REFUSED_INVALID);
        end();
}

/* ---- another user --------------------------------------------------------------------------- */

/* What he is given, with the kernel's dma-bufs and without. */
static const struct {
        const char *name;
        bool udmabuf;
} kernels[] = {
        { "a dma-buf", true },
        { "the frame, where there are no dma-bufs", false },
};

static void test_another_user_is_given(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
                struct caller stranger;
                const Wire__Reply *reply;
                uint8_t token[16];
                uint64_t buffer;

                begin(kernels[i].udmabuf);
                if (!caller_can_be(&worker, CALLER_STRANGER)) {
                        end();
                        skip();
                }
                caller_open_as(&worker, CALLER_STRANGER, "stranger", &stranger);
                buffer = make(&maker, 12 * KiB, "", false);
                get_token(&maker, buffer, token);
                reply = ask_open(&stranger, "", token, 16);
                assert_int_equal(reply->result, 0);
                if (reply->alloc->dmabuf != kernels[i].udmabuf || stranger.got.count != 1 ||
                    reply->alloc->extents->pieces[0]->has_fd == kernels[i].udmabuf ||
                    fake_udmabuf_last().made != kernels[i].udmabuf)
                        fail_msg("%s", kernels[i].name);
                assert_int_equal(lseek(stranger.got.descriptors[0], 0, SEEK_END),
                                 kernels[i].udmabuf ? 12 * KiB : PAGE);
                /* His own is in nobody's hands but his. */
                assert_int_equal(ask_share(&stranger, buffer, false)->result, PAR_REFUSED_DENIED);
                caller_close(&stranger);
                end();
        }
}

/* Where his dma-buf cannot be made he has nothing, and the others keep it. */
static void test_a_dmabuf_for_another_user_that_fails(void **state)
{
        struct caller stranger;
        uint8_t token[16];
        uint64_t buffer;

        (void)state;
        begin(true);
        if (!caller_can_be(&worker, CALLER_STRANGER)) {
                end();
                skip();
        }
        caller_open_as(&worker, CALLER_STRANGER, "stranger", &stranger);
        buffer = make(&maker, PAGE, "", false);
        get_token(&maker, buffer, token);
        fake_udmabuf_fail(EINVAL);
        assert_int_equal(ask_open(&stranger, "", token, 16)->result, ENOTSUP);
        assert_int_equal(stranger.got.count, 0);
        fake_udmabuf_fail(0);
        assert_int_equal(ask_open(&stranger, "", token, 16)->result, 0);
        assert_int_equal(caller_free(&maker, buffer)->result, 0);
        assert_int_equal(status_granted(caller_status(&stranger)), PAGE);
        caller_close(&stranger);
        end();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_another_session_gets_the_frames),
                cmocka_unit_test(test_what_is_opened_is_described_in_pages),
                cmocka_unit_test(test_a_buffer_outlives_its_session),
                cmocka_unit_test(test_lists_tell_of_sharing),
                cmocka_unit_test(test_what_cannot_be_opened),
                cmocka_unit_test(test_what_cannot_be_made),
                cmocka_unit_test(test_a_token_is_taken_back),
                cmocka_unit_test(test_another_user_is_given),
                cmocka_unit_test(test_a_dmabuf_for_another_user_that_fails),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
