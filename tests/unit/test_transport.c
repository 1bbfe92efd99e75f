/* SPDX-License-Identifier: MIT */
/*
 * A whole worker with the real state, as well-behaved clients see it.
 */
#include "worker_fixture.h"

#include "keeper_protocol.h"
#include "macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct worker worker;

static int setup(void **state)
{
        (void)state;
        worker_start(&worker, NULL);
        return 0;
}

/* So many that they would still be coming when the first request does. */
static int setup_large(void **state)
{
        struct caller caller;

        (void)state;
        worker_start(&worker, &(struct worker_options){ .pages = 700 });
        caller_open(&worker, "filled", &caller);
        caller_await(&caller, status_free, (700 + WORKER_LOW_PAGES) * (uint64_t)WORKER_PAGE_BYTES);
        caller_close(&caller);
        return 0;
}

static int setup_clumsy(void **state)
{
        (void)state;
        worker_start(&worker, &(struct worker_options){ .clumsy = true });
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        return worker_stop(&worker);
}

#define ALL_BYTES ((64 + WORKER_LOW_PAGES) * WORKER_PAGE_BYTES)

/* ---- sessions ------------------------------------------------------------------------------- */

static const Wire__Reply *say_hello(struct caller *caller, uint32_t version, const char *name,
                                    uint64_t token)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Hello hello = WIRE__HELLO__INIT;

        hello.version = version;
        hello.client_name = (char *)(uintptr_t)name;
        hello.resume_token = token;
        request.body_case = WIRE__REQUEST__BODY_HELLO;
        request.hello = &hello;
        return caller_ask(caller, &request);
}

static void test_hello_is_welcomed(void **state)
{
        struct caller first, second;
        const Wire__Welcome *welcome;
        uint64_t token;

        (void)state;
        caller_connect(&worker, &first);
        welcome = say_hello(&first, 1, "radio0", 0)->hello;
        assert_non_null(welcome);
        assert_int_equal(welcome->version, 1);
        assert_int_equal(welcome->granule, 4096);
        assert_true(welcome->client != 0);
        assert_true(welcome->resume_token != 0);
        assert_false(welcome->resumed);
        assert_memory_equal(welcome->server, "pard ", 5);
        token = welcome->resume_token;

        caller_connect(&worker, &second);
        welcome = say_hello(&second, 1, "radio1", token)->hello;
        assert_false(welcome->resumed);
        assert_true(welcome->resume_token != token);

        /* Once is enough. */
        assert_int_equal(say_hello(&second, 1, "radio1", 0)->result, PAR_REFUSED_INVALID);
        assert_int_equal(caller_status(&second)->clients, 2);
        caller_close(&first);
        caller_close(&second);
}

static const struct {
        const char *name;
        const char *client_name;
        uint32_t version, result;
} hello_cases[] = {
        { "another version", "x", 2, EPROTO },
        { "no version", "x", 0, EPROTO },
        { "a name of 64 bytes", "0123456789012345678901234567890123456789012345678901234567890123",
          1, PAR_REFUSED_INVALID },
        { "a name that is not UTF-8", "\xc3(", 1, PAR_REFUSED_INVALID },
};

static void test_hello_is_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(hello_cases); i++) {
                struct caller caller;
                const Wire__Reply *reply;

                caller_connect(&worker, &caller);
                reply = say_hello(&caller, hello_cases[i].version, hello_cases[i].client_name, 0);
                if (reply->result != hello_cases[i].result)
                        fail_msg("%s: %u", hello_cases[i].name, reply->result);
                caller_expect_end(&caller);
                caller_close(&caller);
        }
}

static void test_bye_gives_everything_back(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Bye bye = WIRE__BYE__INIT;
        struct caller caller, watcher;

        (void)state;
        caller_open(&worker, "watcher", &watcher);
        caller_open(&worker, "bye", &caller);
        assert_int_equal(caller_alloc(&caller, 3 * WORKER_PAGE_BYTES, "any")->result, 0);
        caller_await(&watcher, status_granted, 3 * WORKER_PAGE_BYTES);

        request.body_case = WIRE__REQUEST__BODY_BYE;
        request.bye = &bye;
        assert_int_equal(caller_ask(&caller, &request)->result, 0);
        caller_expect_end(&caller);
        assert_int_equal(status_quarantined(caller_status(&watcher)), 0);
        caller_await(&watcher, status_free, ALL_BYTES);
        assert_int_equal(caller_status(&watcher)->clients, 1);
        caller_close(&caller);
        caller_close(&watcher);
}

static void test_death_is_followed_by_quarantine(void **state)
{
        struct caller caller, watcher;

        (void)state;
        worker_set_quarantine(&worker, 3000);
        caller_open(&worker, "watcher", &watcher);
        caller_open(&worker, "dies", &caller);
        assert_int_equal(caller_alloc(&caller, 3 * WORKER_PAGE_BYTES, "any")->result, 0);
        caller_close(&caller);
        caller_await(&watcher, status_quarantined, 3 * WORKER_PAGE_BYTES);
        caller_await(&watcher, status_free, ALL_BYTES);
        caller_close(&watcher);
}

/* A child holds the socket, the process that connected is gone. */
static void test_death_is_seen_behind_a_child(void **state)
{
        struct caller watcher;
        int told[2], stay[2];
        pid_t child;
        char byte;

        (void)state;
        worker_set_quarantine(&worker, 1000000);
        caller_open(&worker, "watcher", &watcher);
        assert_int_equal(pipe(told), 0);
        assert_int_equal(pipe(stay), 0);
        child = fork();
        if (child == 0) {
                struct caller caller;

                caller_open(&worker, "parent", &caller);
                if (caller_alloc(&caller, WORKER_PAGE_BYTES, "any")->result)
                        _exit(1);
                close(stay[1]);
                if (fork() == 0) /* holds the socket until the test is over */
                        _exit(read(stay[0], &byte, 1) ? 1 : 0);
                _exit(write(told[1], "x", 1) == 1 ? 0 : 1);
        }
        assert_int_equal(read(told[0], &byte, 1), 1);
        caller_await(&watcher, status_quarantined, WORKER_PAGE_BYTES);
        assert_int_equal(caller_status(&watcher)->clients, 1);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(told[0]);
        close(told[1]);
        close(stay[0]);
        close(stay[1]);
        caller_close(&watcher);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void test_alloc_tells_pieces_segments_and_descriptors(void **state)
{
        struct caller caller;
        const Wire__Reply *reply;
        const Wire__Grant *grant;
        uint64_t first, frame;
        struct stat info;

        (void)state;
        caller_open(&worker, "alloc", &caller);
        reply = caller_alloc(&caller, 3 * WORKER_PAGE_BYTES - 100, "any");
        assert_int_equal(reply->result, 0);
        grant = reply->alloc;
        assert_int_equal(grant->size, 3 * WORKER_PAGE_BYTES);
        assert_int_equal(grant->page_size, WORKER_PAGE_BYTES);
        assert_string_equal(grant->pool, "any");
        assert_int_equal(grant->piece_count, 3);
        assert_int_equal(grant->segment_count, 1);
        assert_int_equal(grant->extents->n_pieces, 3);
        assert_int_equal(grant->extents->n_segments, 1);
        assert_int_equal(grant->extents->next_cursor, 0);
        assert_int_equal(grant->extents->segments[0]->length, grant->size);
        assert_true(grant->extents->segments[0]->dma == grant->extents->pieces[0]->phys);
        assert_int_equal(caller.got.count, 3);
        for (size_t i = 0; i < 3; i++) {
                assert_true(grant->extents->pieces[i]->has_fd);
                assert_int_equal(fstat(caller.got.descriptors[i], &info), 0);
                assert_int_equal(info.st_size, WORKER_PAGE_BYTES);
        }
        assert_int_equal(fake_keeper_lent(worker.keeper), 3);
        first = grant->buffer;

        /* Within frames that it knows: no descriptor a second time. */
        grant = caller_alloc(&caller, 4096, "any")->alloc;
        assert_non_null(grant);
        frame = grant->extents->pieces[0]->frame;
        assert_int_equal(caller.got.count, 1);
        grant = caller_alloc(&caller, 4096, "any")->alloc;
        assert_int_equal(grant->extents->pieces[0]->frame, frame);
        assert_false(grant->extents->pieces[0]->has_fd);
        assert_int_equal(caller.got.count, 0);

        assert_int_equal(caller_free(&caller, first)->result, 0);
        assert_int_equal(caller_free(&caller, first)->result, PAR_REFUSED_GONE);
        caller_close(&caller);
}

static void test_extents_go_on_page_by_page(void **state)
{
        const size_t frames = 600;
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Extents extents = WIRE__EXTENTS__INIT;
        const Wire__ExtentList *page;
        struct caller caller;
        const Wire__Grant *grant;
        uint64_t told = 0, cursor, buffer;
        size_t pieces = 0, descriptors = 0, pages = 0;

        (void)state;
        caller_open(&worker, "large", &caller);
        grant = caller_alloc(&caller, frames * WORKER_PAGE_BYTES, "any")->alloc;
        assert_non_null(grant);
        assert_int_equal(grant->piece_count, frames);
        buffer = grant->buffer;
        page = grant->extents;
        for (;;) {
                assert_true(page->n_pieces <= 64);
                assert_true(caller.got.count <= 64);
                assert_false(caller.got.descriptors_cut);
                pieces += page->n_pieces;
                descriptors += caller.got.count;
                pages++;
                for (size_t i = 0; i < page->n_segments; i++)
                        told += page->segments[i]->length;
                cursor = page->next_cursor;
                if (!cursor)
                        break;
                extents.buffer = buffer;
                extents.cursor = cursor;
                request.body_case = WIRE__REQUEST__BODY_EXTENTS;
                request.extents = &extents;
                page = caller_ask(&caller, &request)->extents;
                assert_non_null(page);
        }
        assert_int_equal(pieces, frames);
        assert_int_equal(descriptors, frames);
        assert_int_equal(pages, (frames + 63) / 64);
        assert_int_equal(told, frames * WORKER_PAGE_BYTES);

        /* That cursor is spent, invented ones are none, and 0 begins again without descriptors. */
        extents.cursor = 5;
        assert_int_equal(caller_ask(&caller, &request)->result, PAR_REFUSED_INVALID);
        extents.cursor = UINT64_MAX;
        assert_int_equal(caller_ask(&caller, &request)->result, PAR_REFUSED_INVALID);
        extents.cursor = 0;
        assert_int_equal(caller_ask(&caller, &request)->extents->n_pieces, 64);
        assert_int_equal(caller.got.count, 0);
        extents.buffer = 4711;
        assert_int_equal(caller_ask(&caller, &request)->result, PAR_REFUSED_GONE);
        caller_close(&caller);
}

static void test_segments_are_paged_too(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT, next = WIRE__REQUEST__INIT;
        Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
        Wire__Extents extents = WIRE__EXTENTS__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__ExtentList *page;
        const Wire__Grant *grant;
        struct caller caller;
        uint64_t told = 0, last = 0;
        size_t segments = 0;

        (void)state;
        caller_open(&worker, "ring", &caller);
        constraint.max_segment_bytes = 4096;
        constraint.max_segments = UINT32_MAX;
        alloc.size = 8 * MiB;
        alloc.constraint = &constraint;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        grant = caller_ask(&caller, &request)->alloc;
        assert_non_null(grant);
        assert_int_equal(grant->segment_count, 2048);
        extents.buffer = grant->buffer;
        page = grant->extents;
        for (;;) {
                assert_true(page->n_segments <= 500);
                for (size_t i = 0; i < page->n_segments; i++) {
                        assert_true(page->segments[i]->length <= 4096);
                        assert_true(!last || page->segments[i]->dma == last + 1);
                        last = page->segments[i]->dma + page->segments[i]->length - 1;
                        told += page->segments[i]->length;
                }
                segments += page->n_segments;
                extents.cursor = page->next_cursor;
                if (!extents.cursor)
                        break;
                next.body_case = WIRE__REQUEST__BODY_EXTENTS;
                next.extents = &extents;
                page = caller_ask(&caller, &next)->extents;
                assert_non_null(page);
        }
        assert_int_equal(segments, 2048);
        assert_int_equal(told, 8 * MiB);
        caller_close(&caller);
}

static const struct {
        const char *name;
        const char *device, *pool, *label;
        uint64_t size, align, addr_min, addr_max;
        uint32_t result;
} refused_cases[] = {
        { "size 0", "", "", "", 0, 0, 0, 0, PAR_REFUSED_INVALID },
        { "no power of two", "", "", "", 4096, 3, 0, 0, PAR_REFUSED_INVALID },
        { "upside down", "", "", "", 4096, 0, 8192, 4096, PAR_REFUSED_INVALID },
        { "an unknown pool", "", "nowhere", "", 4096, 0, 0, 0, PAR_REFUSED_INVALID },
        { "an unknown device", "nothing", "", "", 4096, 0, 0, 0, PAR_REFUSED_INVALID },
        { "a label that is not UTF-8", "", "", "\xff", 4096, 0, 0, 0, PAR_REFUSED_INVALID },
        { "more than there is", "", "", "", 1024 * GiB, 0, 0, 0, PAR_REFUSED_NEVER_FITS },
};

static void test_alloc_is_refused(void **state)
{
        struct caller caller;

        (void)state;
        caller_open(&worker, "refused", &caller);
        for (size_t i = 0; i < ARRAY_SIZE(refused_cases); i++) {
                Wire__Request request = WIRE__REQUEST__INIT;
                Wire__Alloc alloc = WIRE__ALLOC__INIT;
                Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
                const Wire__Reply *reply;

                constraint.align = refused_cases[i].align;
                constraint.addr_min = refused_cases[i].addr_min;
                constraint.addr_max = refused_cases[i].addr_max;
                alloc.size = refused_cases[i].size;
                alloc.device = (char *)(uintptr_t)refused_cases[i].device;
                alloc.pool = (char *)(uintptr_t)refused_cases[i].pool;
                alloc.label = (char *)(uintptr_t)refused_cases[i].label;
                alloc.constraint = &constraint;
                request.body_case = WIRE__REQUEST__BODY_ALLOC;
                request.alloc = &alloc;
                reply = caller_ask(&caller, &request);
                if (reply->result != refused_cases[i].result || !reply->refusal->permanent)
                        fail_msg("%s: %u", refused_cases[i].name, reply->result);
        }
        assert_int_equal(status_granted(caller_status(&caller)), 0);
        caller_close(&caller);
}

static void test_device_tells_its_limits(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__DeviceOpen open = WIRE__DEVICE_OPEN__INIT;
        char known[] = "capture0", unknown[] = "capture1";
        const Wire__Device *device;
        struct caller caller;

        (void)state;
        caller_open(&worker, "device", &caller);
        open.name = known;
        request.body_case = WIRE__REQUEST__BODY_DEVICE_OPEN;
        request.device_open = &open;
        device = caller_ask(&caller, &request)->device_open;
        assert_non_null(device);
        assert_int_equal(device->limits->addr_max, 256 * MiB - 1);
        assert_int_equal(device->limits->boundary, 64 * KiB);
        assert_int_equal(device->start_align, 1);
        assert_int_equal(device->min_align_mask, 0);
        assert_int_equal(device->n_windows, 0); /* it sees memory where it is */
        open.name = unknown;
        assert_int_equal(caller_ask(&caller, &request)->result, PAR_REFUSED_INVALID);
        caller_close(&caller);
}

static void test_explain_tells_what_would_come(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__Explanation *explanation;
        struct caller caller;

        (void)state;
        caller_open(&worker, "explain", &caller);
        alloc.size = 4096;
        request.body_case = WIRE__REQUEST__BODY_EXPLAIN;
        request.explain = &alloc;
        explanation = caller_ask(&caller, &request)->explain;
        assert_non_null(explanation);
        assert_int_equal(explanation->result, 0);
        assert_string_equal(explanation->pool, "any");
        assert_int_equal(explanation->n_segments, 1);
        assert_int_equal(status_granted(caller_status(&caller)), 0);

        alloc.size = 1024 * GiB;
        explanation = caller_ask(&caller, &request)->explain;
        assert_int_equal(explanation->result, PAR_REFUSED_NEVER_FITS);
        assert_true(explanation->refusal->permanent);
        caller_close(&caller);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void test_wait_is_served_when_memory_comes(void **state)
{
        struct caller rich, poor, watcher;
        uint64_t buffer;
        uint32_t seq;

        (void)state;
        caller_open(&worker, "watcher", &watcher);
        caller_open(&worker, "rich", &rich);
        caller_open(&worker, "poor", &poor);
        buffer = caller_alloc(&rich, 64 * WORKER_PAGE_BYTES, "any")->alloc->buffer;

        assert_int_equal(caller_alloc(&poor, WORKER_PAGE_BYTES, "any")->result,
                         PAR_REFUSED_EXHAUSTED);
        seq = caller_send_alloc(&poor, WORKER_PAGE_BYTES, "any", -1);
        caller_await(&watcher, status_waiting, 1);

        /* Others of its requests are served meanwhile. */
        assert_int_equal(caller_free(&poor, 4711)->result, PAR_REFUSED_GONE);

        assert_int_equal(caller_free(&rich, buffer)->result, 0);
        caller_close(&rich);
        assert_non_null(caller_reply(&poor, seq)->alloc);
        assert_int_equal(poor.got.count, 1);
        assert_int_equal(status_waiting(caller_status(&watcher)), 0);
        caller_close(&poor);
        caller_close(&watcher);
}

static void test_wait_ends_at_its_deadline(void **state)
{
        struct caller rich, poor;

        (void)state;
        caller_open(&worker, "rich", &rich);
        caller_open(&worker, "poor", &poor);
        assert_int_equal(caller_alloc(&rich, 64 * WORKER_PAGE_BYTES, "any")->result, 0);
        assert_int_equal(caller_reply(&poor, caller_send_alloc(&poor, 4096, "any", 50))->result,
                         PAR_REFUSED_TIMED_OUT);
        caller_close(&rich);
        caller_close(&poor);
}

static void test_wait_can_be_cancelled(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Cancel cancel = WIRE__CANCEL__INIT;
        struct caller rich, poor;
        uint32_t waits, asks;

        (void)state;
        caller_open(&worker, "rich", &rich);
        caller_open(&worker, "poor", &poor);
        assert_int_equal(caller_alloc(&rich, 64 * WORKER_PAGE_BYTES, "any")->result, 0);
        waits = caller_send_alloc(&poor, 4096, "any", -1);
        cancel.seq = waits;
        request.body_case = WIRE__REQUEST__BODY_CANCEL;
        request.cancel = &cancel;
        asks = caller_send(&poor, &request);
        assert_int_equal(caller_reply(&poor, waits)->result, ECANCELED);
        assert_int_equal(caller_reply(&poor, asks)->result, 0);
        assert_int_equal(caller_ask(&poor, &request)->result, PAR_REFUSED_GONE);
        caller_close(&rich);
        caller_close(&poor);
}

/* A large grant whose descriptions and descriptors do not fit into the answer at once. */
static void test_wait_is_answered_with_what_there_is_room_for(void **state)
{
        struct caller rich, poor;
        const Wire__Grant *grant;
        uint64_t buffer;
        uint32_t seq;

        (void)state;
        caller_open(&worker, "rich", &rich);
        caller_open(&worker, "poor", &poor);
        buffer = caller_alloc(&rich, 600 * WORKER_PAGE_BYTES, "any")->alloc->buffer;
        seq = caller_send_alloc(&poor, 600 * WORKER_PAGE_BYTES, "any", -1);
        assert_int_equal(caller_free(&rich, buffer)->result, 0);
        caller_close(&rich);
        grant = caller_reply(&poor, seq)->alloc;
        assert_non_null(grant);
        assert_int_equal(grant->extents->n_pieces, 64);
        assert_int_equal(poor.got.count, 64);
        assert_true(grant->extents->next_cursor != 0);
        caller_close(&poor);
}

/* ---- notices -------------------------------------------------------------------------------- */

static void test_notice_tells_which_frames_to_unmap(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Drop drop = WIRE__DROP__INIT;
        struct caller caller, watcher;
        uint64_t frame, buffer;
        const Wire__Grant *grant;

        (void)state;
        caller_open(&worker, "watcher", &watcher);
        caller_open(&worker, "notice", &caller);
        grant = caller_alloc(&caller, WORKER_PAGE_BYTES, "any")->alloc;
        frame = grant->extents->pieces[0]->frame;
        buffer = grant->buffer;
        caller_free(&caller, buffer);
        caller_await(&watcher, status_lingering, WORKER_PAGE_BYTES);

        do
                assert_true(caller_receive(&caller));
        while (caller.packet->kind_case != WIRE__PACKET__KIND_NOTICE);
        assert_int_equal(caller.packet->notice->n_unneeded_frames, 1);
        assert_true(caller.packet->notice->unneeded_frames[0] == frame);

        drop.n_frames = 1;
        drop.frames = &frame;
        request.body_case = WIRE__REQUEST__BODY_DROP;
        request.drop = &drop;
        assert_int_equal(caller_ask(&caller, &request)->result, 0);
        fake_keeper_let_go(worker.keeper);
        caller_await(&watcher, status_free, ALL_BYTES);
        caller_close(&caller);
        caller_close(&watcher);
}

/* What the keeper says of the frame of a buffer reaches the client that has it. */
static void check_notice(enum keeper_message_type type, enum event_type told)
{
        struct keeper_message message = { .type = type };
        const Wire__Grant *grant;
        struct caller caller;
        uint64_t frame, buffer;

        caller_open(&worker, "noticed", &caller);
        grant = caller_alloc(&caller, WORKER_PAGE_BYTES, "any")->alloc;
        frame = grant->extents->pieces[0]->frame;
        buffer = grant->buffer;
        message.slot = (uint32_t)frame;
        message.generation = (uint32_t)(frame >> 32);
        message.phys = type == KEEPER_MOVED ? 123 * GiB : 0;
        assert_int_equal(fake_keeper_say(worker.keeper, &message, -1), 0);
        assert_true(caller_receive(&caller));
        assert_int_equal(caller.packet->kind_case, WIRE__PACKET__KIND_NOTICE);
        assert_int_equal(caller.packet->notice->n_events, 1);
        assert_int_equal(caller.packet->notice->events[0]->type, told);
        assert_int_equal(caller.packet->notice->events[0]->buffer, buffer);
        assert_int_equal(caller.packet->notice->events[0]->length, WORKER_PAGE_BYTES);
        caller_close(&caller);
}

static void test_notice_tells_what_moved(void **state)
{
        (void)state;
        check_notice(KEEPER_MOVED, EVENT_MOVED);
}

static void test_notice_tells_what_failed(void **state)
{
        (void)state;
        check_notice(KEEPER_POISONED, EVENT_POISONED);
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void test_lists_go_on_where_they_stopped(void **state)
{
        static const uint32_t limits[] = { 0, 1, 7, UINT32_MAX };
        struct caller caller;

        (void)state;
        caller_open(&worker, "lists", &caller);
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                Wire__Request request = WIRE__REQUEST__INIT;
                Wire__List list = WIRE__LIST__INIT;
                uint64_t last = 0;
                size_t rows = 0;

                list.limit = limits[i];
                request.body_case = WIRE__REQUEST__BODY_FRAMES;
                request.frames = &list;
                do {
                        const Wire__FrameList *frames = caller_ask(&caller, &request)->frames;

                        assert_non_null(frames);
                        assert_true(!limits[i] || frames->n_frames <= limits[i]);
                        for (size_t j = 0; j < frames->n_frames; j++) {
                                assert_true(!rows || frames->frames[j]->phys > last);
                                last = frames->frames[j]->phys;
                                rows++;
                        }
                        list.cursor = frames->next_cursor;
                } while (list.cursor);
                assert_int_equal(rows, 700 + WORKER_LOW_PAGES);
        }
        caller_close(&caller);
}

static void test_lists_show_what_is_mine(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;
        struct caller caller;

        (void)state;
        caller_open(&worker, "mine", &caller);
        assert_int_equal(caller_alloc(&caller, 8192, "below4g")->result, 0);
        request.body_case = WIRE__REQUEST__BODY_BUFFERS;
        request.buffers = &list;
        reply = caller_ask(&caller, &request);
        assert_int_equal(reply->buffers->n_buffers, 1);
        assert_true(reply->buffers->buffers[0]->mine);
        assert_int_equal(reply->buffers->buffers[0]->size, 8192);
        assert_string_equal(reply->buffers->buffers[0]->pool, "below4g");
        assert_string_equal(reply->buffers->buffers[0]->client, "mine");

        list.addr_min = 8 * GiB;
        assert_int_equal(caller_ask(&caller, &request)->buffers->n_buffers, 0);
        list.addr_max = 4 * GiB;
        assert_int_equal(caller_ask(&caller, &request)->result, PAR_REFUSED_INVALID);

        request.body_case = WIRE__REQUEST__BODY_CLIENTS;
        list.addr_min = 0;
        reply = caller_ask(&caller, &request);
        assert_int_equal(reply->clients->n_clients, 1);
        assert_int_equal(reply->clients->clients[0]->pid, getpid());
        assert_true(reply->clients->clients[0]->connected);
        assert_int_equal(reply->clients->clients[0]->buffers, 1);

        request.body_case = WIRE__REQUEST__BODY_POOLS;
        reply = caller_ask(&caller, &request);
        assert_int_equal(reply->pools->n_pools, 2);
        assert_string_equal(reply->pools->pools[0]->backend, "fake");
        assert_true(reply->pools->pools[0]->allowed);
        caller_close(&caller);
}

static void test_reclaim_ends_a_quarantine(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Reclaim reclaim = WIRE__RECLAIM__INIT;
        char name[] = "crashed";
        struct caller dead, heir;

        (void)state;
        worker_set_quarantine(&worker, 1000000);
        caller_open(&worker, "heir", &heir);
        caller_open(&worker, "crashed", &dead);
        assert_int_equal(caller_alloc(&dead, WORKER_PAGE_BYTES, "any")->result, 0);
        caller_close(&dead);
        caller_await(&heir, status_quarantined, WORKER_PAGE_BYTES);
        reclaim.client_name = name;
        request.body_case = WIRE__REQUEST__BODY_RECLAIM;
        request.reclaim = &reclaim;
        assert_int_equal(caller_ask(&heir, &request)->reclaim->bytes, WORKER_PAGE_BYTES);
        assert_int_equal(status_quarantined(caller_status(&heir)), 0);
        caller_close(&heir);
}

static uint32_t send_status(struct caller *caller)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;

        request.body_case = WIRE__REQUEST__BODY_STATUS;
        request.status = &list;
        return caller_send(caller, &request);
}

/* After requests that came one by one, of which no second is looked for, and after many. */
static void test_requests_come_alone_and_together(void **state)
{
        static const unsigned together[] = { 1, 1, 2, 1, 1, 1, 40, 1, 1, 3, 100, 1, 1 };
        struct caller caller;

        (void)state;
        caller_open(&worker, "many", &caller);
        for (size_t i = 0; i < ARRAY_SIZE(together) * 4; i++) {
                const unsigned count = together[i % ARRAY_SIZE(together)];
                uint32_t first = 0;

                for (unsigned n = 0; n < count; n++) {
                        const uint32_t seq = send_status(&caller);

                        first = n ? first : seq;
                }
                for (unsigned n = 0; n < count; n++)
                        assert_int_equal(caller_reply(&caller, first + n)->result, 0);
        }
        caller_close(&caller);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name)   cmocka_unit_test_setup_teardown(name, setup, teardown)
#define LARGE(name)  cmocka_unit_test_setup_teardown(name, setup_large, teardown)
#define CLUMSY(name) cmocka_unit_test_setup_teardown(name, setup_clumsy, teardown)
                TEST(test_hello_is_welcomed),
                TEST(test_hello_is_refused),
                TEST(test_bye_gives_everything_back),
                TEST(test_death_is_followed_by_quarantine),
                TEST(test_death_is_seen_behind_a_child),
                TEST(test_alloc_tells_pieces_segments_and_descriptors),
                LARGE(test_extents_go_on_page_by_page),
                TEST(test_segments_are_paged_too),
                TEST(test_alloc_is_refused),
                TEST(test_device_tells_its_limits),
                TEST(test_explain_tells_what_would_come),
                TEST(test_wait_is_served_when_memory_comes),
                TEST(test_wait_ends_at_its_deadline),
                TEST(test_wait_can_be_cancelled),
                LARGE(test_wait_is_answered_with_what_there_is_room_for),
                CLUMSY(test_notice_tells_which_frames_to_unmap),
                TEST(test_notice_tells_what_moved),
                TEST(test_notice_tells_what_failed),
                LARGE(test_lists_go_on_where_they_stopped),
                TEST(test_lists_show_what_is_mine),
                TEST(test_reclaim_ends_a_quarantine),
                TEST(test_requests_come_alone_and_together),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
