/* SPDX-License-Identifier: MIT */
/*
 * Buffers as dma-bufs, over the wire, by a fake of the kernel's interface.
 */
#include "worker_fixture.h"

#include "descriptors.h"
#include "export.h"
#include "fake_udmabuf.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE WORKER_PAGE_BYTES

/* Of the pool "any". */
#define PAGES 512

static struct worker worker;

static int start(void **state)
{
        const struct worker_options options = {
                .udmabuf_fd = open("/dev/null", O_RDWR | O_CLOEXEC),
                .pages = PAGES,
                .handout_dmabuf = true,
        };

        (void)state;
        fake_udmabuf_reset();
        worker_start(&worker, &options);
        return 0;
}

static int stop(void **state)
{
        (void)state;
        fake_udmabuf_reset();
        return worker_stop(&worker);
}

/* Waits where all frames are on their way. */
static uint64_t alloc(struct caller *caller, uint64_t size)
{
        const Wire__Reply *reply;

        reply = caller_reply(caller, caller_send_alloc(caller, size, "any", 60000));
        assert_int_equal(reply->result, 0);
        return reply->alloc->buffer;
}

static uint32_t send_export(struct caller *caller, uint64_t buffer)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__ExportDmabuf body = WIRE__EXPORT_DMABUF__INIT;

        body.buffer = buffer;
        request.body_case = WIRE__REQUEST__BODY_EXPORT_DMABUF;
        request.export_dmabuf = &body;
        return caller_send(caller, &request);
}

static const Wire__Reply *export(struct caller *caller, uint64_t buffer)
{
        return caller_reply(caller, send_export(caller, buffer));
}

static void expect_export(const struct caller *caller, const Wire__Reply *reply, uint64_t bytes)
{
        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->body_case, WIRE__REPLY__BODY_EXPORT_DMABUF);
        assert_int_equal(reply->export_dmabuf->size, bytes);
        assert_int_equal(caller->got.count, 1);
        assert_int_equal(lseek(caller->got.descriptors[0], 0, SEEK_END), bytes);
}

static void expect_refusal(const struct caller *caller, const Wire__Reply *reply, int result,
                           const char *sentence)
{
        assert_int_equal(reply->result, result);
        assert_int_equal(caller->got.count, 0);
        if (!strstr(reply->refusal->sentence, sentence))
                fail_msg("\"%s\" is not in: %s", sentence, reply->refusal->sentence);
}

/* ---- what is made --------------------------------------------------------------------------- */

static void test_a_dmabuf_is_of_exactly_the_buffer(void **state)
{
        struct fake_udmabuf_part expected[3];
        struct fake_udmabuf last;
        const Wire__Reply *reply;
        struct caller caller;
        struct stat status;
        uint64_t buffer;

        (void)state;
        caller_open(&worker, "exporter", &caller);
        reply = caller_alloc(&caller, 2 * PAGE + 12 * KiB, "any");
        assert_int_equal(reply->result, 0);
        buffer = reply->alloc->buffer;
        assert_int_equal(reply->alloc->extents->n_pieces, 3);
        for (size_t i = 0; i < 3; i++) {
                const Wire__Piece *piece = reply->alloc->extents->pieces[i];

                assert_int_equal(fstat(caller.got.descriptors[i], &status), 0);
                expected[i] = (struct fake_udmabuf_part){ status.st_ino, piece->frame_offset,
                                                          piece->length };
        }
        expect_export(&caller, export(&caller, buffer), 2 * PAGE + 12 * KiB);
        last = fake_udmabuf_last();
        assert_int_equal(last.n_parts, 3);
        assert_memory_equal(last.parts, expected, sizeof(expected));
        caller_close(&caller);
}

static void test_a_system_without_udmabuf_says_so(void **state)
{
        struct caller caller;

        (void)state;
        worker_start(&worker, &(struct worker_options){ .handout_dmabuf = true });
        caller_open(&worker, "exporter", &caller);
        expect_refusal(&caller, export(&caller, alloc(&caller, PAGE)), ENOTSUP, "/dev/udmabuf");
        expect_refusal(&caller, caller_alloc(&caller, PAGE, "below4g"), ENOTSUP, "/dev/udmabuf");
        assert_int_equal(caller_status(&caller)->buffers, 1);
        caller_close(&caller);
        worker_stop(&worker);
}

static const struct {
        const char *name;
        int error, result;
        const char *sentence;
} failure_cases[] = {
        { "no memfd", EBADFD, ENOTSUP, "the kernel makes no dma-buf of the memory" },
        { "a seal too many", EINVAL, ENOTSUP, "the kernel makes no dma-buf of the memory" },
        { "no memory", ENOMEM, ENOMEM, "pard failed" },
        { "no descriptor left", EMFILE, EMFILE, "pard failed" },
};

/* Each once; the buffer is none the worse. */
static void test_failures_are_told(void **state)
{
        struct caller caller;
        uint64_t buffer;

        (void)state;
        caller_open(&worker, "exporter", &caller);
        buffer = alloc(&caller, PAGE);
        for (size_t i = 0; i < ARRAY_SIZE(failure_cases); i++) {
                fake_udmabuf_fail(failure_cases[i].error);
                for (unsigned n = 0; n <= BUFFER_EXPORTS_MAX; n++)
                        expect_refusal(&caller, export(&caller, buffer), failure_cases[i].result,
                                       failure_cases[i].sentence);
        }
        fake_udmabuf_fail(0);
        expect_export(&caller, export(&caller, buffer), PAGE);
        caller_close(&caller);
}

/* ---- what is asked for in vain -------------------------------------------------------------- */

static void test_only_ones_own_buffers_are_exported(void **state)
{
        struct caller caller, other;
        uint64_t buffer;

        (void)state;
        caller_open(&worker, "exporter", &caller);
        caller_open(&worker, "other", &other);
        buffer = alloc(&caller, PAGE);
        expect_refusal(&other, export(&other, buffer), PAR_REFUSED_GONE, "of yours");
        expect_refusal(&caller, export(&caller, 0), PAR_REFUSED_GONE, "of yours");
        expect_refusal(&caller, export(&caller, UINT64_MAX), PAR_REFUSED_GONE, "of yours");
        assert_int_equal(caller_free(&caller, buffer)->result, 0);
        expect_refusal(&caller, export(&caller, buffer), PAR_REFUSED_GONE, "of yours");
        assert_int_equal(fake_udmabuf_last().made, 0);
        caller_close(&caller);
        caller_close(&other);
}

/* The kernel's defaults: 64 MiB. */
static void test_what_is_too_large_is_refused_with_figures(void **state)
{
        const Wire__Reply *reply;
        struct caller caller;

        (void)state;
        caller_open(&worker, "exporter", &caller);
        expect_export(&caller, export(&caller, alloc(&caller, 64 * MiB)), 64 * MiB);
        reply = export(&caller, alloc(&caller, 64 * MiB + 4096));
        expect_refusal(&caller, reply, PAR_REFUSED_NEVER_FITS, "65536 KiB");
        assert_true(reply->refusal->permanent);
        assert_int_equal(fake_udmabuf_last().made, 1);
        caller_close(&caller);
}

static void test_a_buffer_is_exported_so_often(void **state)
{
        struct caller caller;
        uint64_t buffer;

        (void)state;
        caller_open(&worker, "exporter", &caller);
        buffer = alloc(&caller, PAGE);
        for (unsigned i = 0; i < BUFFER_EXPORTS_MAX; i++)
                expect_export(&caller, export(&caller, buffer), PAGE);
        expect_refusal(&caller, export(&caller, buffer), PAR_REFUSED_QUOTA, "exported 16 times");
        caller_close(&caller);
}

/* ---- many, and at bad moments --------------------------------------------------------------- */

/* More than are made at once are refused at once; the others are all answered. */
static void test_so_many_are_under_way(void **state)
{
        struct caller caller;
        uint64_t buffers[5];
        uint32_t first = 0, seq;

        (void)state;
        caller_open(&worker, "greedy", &caller);
        for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
                buffers[i] = alloc(&caller, 4096);
        fake_udmabuf_hold(true);
        for (unsigned i = 0; i < SESSION_EXPORTS_MAX; i++) {
                seq = send_export(&caller, buffers[i / BUFFER_EXPORTS_MAX]);
                first = first ? first : seq;
        }
        expect_refusal(&caller, export(&caller, buffers[4]), PAR_REFUSED_QUOTA, "under way");
        /* Nobody waits for the kernel. */
        assert_int_equal(caller_status(&caller)->buffers, 5);
        fake_udmabuf_hold(false);
        for (unsigned i = 0; i < SESSION_EXPORTS_MAX; i++)
                expect_export(&caller, caller_reply(&caller, first + i), 4096);
        expect_export(&caller, export(&caller, buffers[4]), 4096);
        caller_close(&caller);
}

/* Ten thousand times, and nothing of it stays. */
static void test_exports_leave_nothing_behind(void **state)
{
        struct caller caller;
        unsigned before;

        (void)state;
        caller_open(&worker, "busy", &caller);
        expect_export(&caller, export(&caller, alloc(&caller, PAGE)), PAGE);
        packet_close_descriptors(&caller.got);
        before = descriptors_open();
        for (unsigned i = 0; i < 10000; i++) {
                const uint64_t buffer = alloc(&caller, 4096);

                expect_export(&caller, export(&caller, buffer), 4096);
                assert_int_equal(caller_free(&caller, buffer)->result, 0);
        }
        packet_close_descriptors(&caller.got);
        /* Some frames are on their way, and some descriptors are the reaper's. */
        for (unsigned i = 0; i < 2000 && descriptors_open() > before + 8; i++)
                usleep(5000);
        assert_in_range(descriptors_open(), 0, before + 8);
        assert_int_equal(fake_udmabuf_last().made, 10001);
        caller_close(&caller);
}

static void test_a_buffer_freed_while_it_is_made_is_gone(void **state)
{
        struct caller caller;
        uint64_t buffer, queued;
        uint32_t first, second;

        (void)state;
        caller_open(&worker, "hasty", &caller);
        buffer = alloc(&caller, PAGE);
        queued = alloc(&caller, PAGE);
        fake_udmabuf_hold(true);
        first = send_export(&caller, buffer);
        second = send_export(&caller, queued);
        fake_udmabuf_await_held();
        assert_int_equal(caller_free(&caller, buffer)->result, 0);
        assert_int_equal(caller_free(&caller, queued)->result, 0);
        fake_udmabuf_hold(false);
        expect_refusal(&caller, caller_reply(&caller, first), PAR_REFUSED_GONE, "of yours");
        expect_refusal(&caller, caller_reply(&caller, second), PAR_REFUSED_GONE, "of yours");
        assert_int_equal(fake_udmabuf_last().made, 1);
        caller_close(&caller);
}

static void test_a_session_ends_while_one_is_made(void **state)
{
        struct caller caller, beside;
        uint64_t buffer;

        (void)state;
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "mortal", &caller);
        buffer = alloc(&caller, PAGE);
        fake_udmabuf_hold(true);
        send_export(&caller, buffer);
        send_export(&caller, buffer);
        fake_udmabuf_await_held();
        caller_close(&caller);
        caller_await(&beside, status_clients, 1);
        fake_udmabuf_hold(false);
        expect_export(&beside, export(&beside, alloc(&beside, 4096)), 4096);
        assert_int_equal(fake_udmabuf_last().made, 2);
        caller_close(&beside);
}

/* The worker ends while one is made: it waits for that, and loses nothing. */
static void test_a_worker_ends_while_one_is_made(void **state)
{
        struct caller caller;
        unsigned before = descriptors_open();

        start(state);
        caller_open(&worker, "late", &caller);
        send_export(&caller, alloc(&caller, PAGE));
        caller_close(&caller);
        stop(state);
        assert_int_equal(descriptors_open(), before);
}

static void test_the_number_of_an_open_export_is_not_used_again(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        struct caller caller;

        (void)state;
        caller_open(&worker, "confused", &caller);
        fake_udmabuf_hold(true);
        send_export(&caller, alloc(&caller, PAGE));
        caller.seq--;
        request.body_case = WIRE__REQUEST__BODY_STATUS;
        request.status = &list;
        assert_int_equal(caller_ask(&caller, &request)->result, PAR_REFUSED_INVALID);
        caller_expect_end(&caller);
        fake_udmabuf_hold(false);
        caller_close(&caller);
}

static void test_more_are_had_when_the_first_are_there(void **state)
{
        struct caller caller;
        uint64_t buffers[8];
        uint32_t seqs[2][SESSION_EXPORTS_MAX];

        (void)state;
        caller_open(&worker, "sleepy", &caller);
        for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
                buffers[i] = alloc(&caller, 4096);
        for (size_t half = 0; half < 2; half++) {
                for (unsigned i = 0; i < SESSION_EXPORTS_MAX; i++)
                        seqs[half][i] =
                                send_export(&caller, buffers[4 * half + i / BUFFER_EXPORTS_MAX]);
                for (unsigned i = 0; i < SESSION_EXPORTS_MAX; i++)
                        expect_export(&caller, caller_reply(&caller, seqs[half][i]), 4096);
        }
        caller_close(&caller);
}

/* ---- pools that hand out nothing else ------------------------------------------------------- */

static void expect_whole(const struct caller *caller, const Wire__Reply *reply, uint64_t bytes)
{
        const struct fake_udmabuf last = fake_udmabuf_last();
        const Wire__ExtentList *list;

        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->body_case, WIRE__REPLY__BODY_ALLOC);
        assert_true(reply->alloc->dmabuf);
        assert_int_equal(caller->got.count, 1);
        assert_int_equal(lseek(caller->got.descriptors[0], 0, SEEK_END), bytes);
        list = reply->alloc->extents;
        assert_int_equal(last.n_parts, list->n_pieces);
        for (size_t i = 0; i < list->n_pieces; i++) {
                assert_false(list->pieces[i]->has_fd);
                assert_int_equal(last.parts[i].offset, list->pieces[i]->frame_offset);
                assert_int_equal(last.parts[i].bytes, list->pieces[i]->length);
        }
}

static void test_a_grant_is_a_dmabuf_and_no_frame(void **state)
{
        const Wire__Reply *reply;
        struct caller caller;

        (void)state;
        caller_open(&worker, "contained", &caller);
        reply = caller_alloc(&caller, PAGE + 12 * KiB, "below4g");
        expect_whole(&caller, reply, PAGE + 12 * KiB);
        expect_whole(&caller, caller_alloc(&caller, 4096, "below4g"), 4096);
        reply = caller_alloc(&caller, 4096, "any");
        assert_false(reply->alloc->dmabuf);
        assert_true(reply->alloc->extents->pieces[0]->has_fd);
        caller_close(&caller);
}

static void test_who_waited_gets_a_dmabuf(void **state)
{
        struct caller rich, poor;
        uint64_t buffer;
        uint32_t seq;

        (void)state;
        caller_open(&worker, "rich", &rich);
        caller_open(&worker, "poor", &poor);
        buffer = caller_alloc(&rich, WORKER_LOW_PAGES * PAGE, "below4g")->alloc->buffer;
        seq = caller_send_alloc(&poor, PAGE, "below4g", -1);
        assert_int_equal(caller_status(&poor)->waiting, 1);
        assert_int_equal(caller_free(&rich, buffer)->result, 0);
        expect_whole(&poor, caller_reply(&poor, seq), PAGE);
        caller_close(&rich);
        caller_close(&poor);
}

/* What was given back is to be had again some time after nobody has it. */
static void await_all_free(struct caller *caller)
{
        caller_await(caller, status_free, (PAGES + WORKER_LOW_PAGES) * PAGE);
}

/* What cannot be handed out is not granted, and is not charged to anybody. */
static void test_a_grant_without_a_dmabuf_is_none(void **state)
{
        struct caller caller;

        (void)state;
        caller_open(&worker, "unlucky", &caller);
        for (size_t i = 0; i < ARRAY_SIZE(failure_cases); i++) {
                fake_udmabuf_fail(failure_cases[i].error);
                expect_refusal(&caller, caller_alloc(&caller, PAGE, "below4g"),
                               failure_cases[i].result, failure_cases[i].sentence);
                assert_int_equal(caller_status(&caller)->buffers, 0);
                await_all_free(&caller);
        }
        fake_udmabuf_fail(0);
        expect_whole(&caller, caller_alloc(&caller, PAGE, "below4g"), PAGE);
        caller_close(&caller);
}

static const Wire__Reply *alloc_named(struct caller *caller, const char *name, bool lasting)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc body = WIRE__ALLOC__INIT;

        body.size = PAGE;
        body.pool = (char *)"below4g";
        body.name = (char *)(uintptr_t)name;
        body.lasting = lasting;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &body;
        return caller_ask(caller, &request);
}

/* Nor is it kept under the name that it was to have, though it was to last. */
static void test_a_shared_grant_without_a_dmabuf_is_none(void **state)
{
        struct caller caller;

        (void)state;
        caller_open(&worker, "unlucky", &caller);
        for (size_t i = 0; i < ARRAY_SIZE(failure_cases); i++) {
                fake_udmabuf_fail(failure_cases[i].error);
                expect_refusal(&caller, alloc_named(&caller, "ring", i % 2),
                               failure_cases[i].result, failure_cases[i].sentence);
                assert_int_equal(caller_status(&caller)->buffers, 0);
                await_all_free(&caller);
        }
        fake_udmabuf_fail(0);
        expect_whole(&caller, alloc_named(&caller, "ring", true), PAGE);
        caller_close(&caller);
}

/* Who cannot be handed what others have lets go of it, and it stays theirs under its name. */
static void test_an_opening_without_a_dmabuf_is_none(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Open body = WIRE__OPEN__INIT;
        struct caller caller, other;

        (void)state;
        caller_open(&worker, "maker", &caller);
        caller_open(&worker, "unlucky", &other);
        expect_whole(&caller, alloc_named(&caller, "ring", true), PAGE);
        body.name = (char *)"ring";
        request.body_case = WIRE__REQUEST__BODY_OPEN;
        request.open = &body;
        fake_udmabuf_fail(ENOMEM);
        expect_refusal(&other, caller_ask(&other, &request), ENOMEM, "pard failed");
        fake_udmabuf_fail(0);
        caller_close(&caller);
        expect_whole(&other, caller_ask(&other, &request), PAGE); /* it lasts */
        caller_close(&other);
}

static void test_a_session_ends_while_its_grant_is_made(void **state)
{
        struct caller caller, beside;

        (void)state;
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "mortal", &caller);
        fake_udmabuf_hold(true);
        caller_send_alloc(&caller, PAGE, "below4g", 0);
        caller_send_alloc(&caller, PAGE, "below4g", 0);
        fake_udmabuf_await_held();
        caller_close(&caller);
        caller_await(&beside, status_clients, 1);
        fake_udmabuf_hold(false);
        await_all_free(&beside);
        expect_whole(&beside, caller_alloc(&beside, WORKER_LOW_PAGES * PAGE, "below4g"),
                     WORKER_LOW_PAGES * PAGE);
        caller_close(&beside);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_a_dmabuf_is_of_exactly_the_buffer),
                cmocka_unit_test(test_a_system_without_udmabuf_says_so),
                TEST(test_failures_are_told),
                TEST(test_only_ones_own_buffers_are_exported),
                TEST(test_what_is_too_large_is_refused_with_figures),
                TEST(test_a_buffer_is_exported_so_often),
                TEST(test_so_many_are_under_way),
                TEST(test_exports_leave_nothing_behind),
                TEST(test_a_buffer_freed_while_it_is_made_is_gone),
                TEST(test_a_session_ends_while_one_is_made),
                cmocka_unit_test(test_a_worker_ends_while_one_is_made),
                TEST(test_the_number_of_an_open_export_is_not_used_again),
                TEST(test_more_are_had_when_the_first_are_there),
                TEST(test_a_grant_is_a_dmabuf_and_no_frame),
                TEST(test_who_waited_gets_a_dmabuf),
                TEST(test_a_grant_without_a_dmabuf_is_none),
                TEST(test_a_shared_grant_without_a_dmabuf_is_none),
                TEST(test_an_opening_without_a_dmabuf_is_none),
                TEST(test_a_session_ends_while_its_grant_is_made),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
