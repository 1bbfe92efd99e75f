/* SPDX-License-Identifier: MIT */
/*
 * libpar when the daemon's worker dies, or pard itself is stopped: what goes on, what is asked
 * again, and what ends.
 */
#include "mock_server.h"

#include "macros.h"

#include <errno.h>
#include <par.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TOKEN       UINT64_C(0xabcdef0123456789)
#define PATIENCE_MS 60000

static const struct mock_settings resumable = { .token = TOKEN };

static struct mock *mock;
static struct par *par;

static void begin(const struct mock_settings *settings)
{
        mock = mock_start(settings);
        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
}

static void end(void)
{
        par_disconnect(par);
        mock_stop(mock);
}

static struct par_buffer *get(size_t size)
{
        struct par_buffer *buffer;

        assert_int_equal(par_alloc(par, size, NULL, NULL, &buffer), 0);
        return buffer;
}

/* The next event, as a program waits for it. */
static uint32_t next_event(void)
{
        struct pollfd fd = { .fd = par_fd(par), .events = POLLIN };
        struct par_event event;
        int r;

        do {
                assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
                r = par_next_event(par, &event);
        } while (r == -EAGAIN);
        assert_int_equal(r, 0);
        return event.type;
}

static void expect_no_event(void)
{
        struct par_event event;

        assert_int_equal(par_next_event(par, &event), -EAGAIN);
}

static void test_resume_keeps_buffers_and_frames(void **state)
{
        struct par_buffer *first, *second;
        struct mock_counts counts;
        uint64_t dma;

        (void)state;
        begin(&resumable);
        first = get(200 * KiB);
        dma = par_buffer_dma(first);
        memset(par_buffer_data(first), 0x5a, par_buffer_size(first));
        mock_hang_up(mock);
        assert_int_equal(next_event(), PAR_EVENT_RECONNECTED);
        expect_no_event();
        second = get(4096); /* in a frame that is mapped already, or another descriptor is wrong */
        counts = mock_counts(mock);
        assert_int_equal(counts.resumed, 1);
        assert_int_equal(counts.connections, 2);
        assert_int_equal(counts.kept, 4);
        assert_int_equal(counts.buffers, 2);
        assert_int_equal(par_buffer_dma(first), dma);
        assert_int_equal(((unsigned char *)par_buffer_data(first))[199 * KiB], 0x5a);
        par_free(second);
        par_free(first);
        assert_int_equal(mock_counts(mock).buffers, 0);
        end();
}

/* More frames than fit into a packet. */
static void test_resume_tells_of_many_frames(void **state)
{
        struct mock_settings settings = resumable;
        struct par_buffer *buffers[3];

        (void)state;
        settings.page_bytes = 4096;
        begin(&settings);
        for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
                buffers[i] = get(1200 * 4096);
        mock_hang_up(mock);
        assert_int_equal(next_event(), PAR_EVENT_RECONNECTED);
        par_free(get(4096)); /* which comes after all that */
        assert_true(mock_counts(mock).kept >= 3600);
        for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
                par_free(buffers[i]);
        end();
}

static void test_resume_answers_what_was_granted(void **state)
{
        struct mock_settings settings = resumable;
        struct par_buffer *buffer;

        (void)state;
        begin(&settings);
        settings.lose_replies = 1;
        mock_change(mock, &settings);
        buffer = get(100 * KiB);
        assert_int_equal(mock_counts(mock).answered, 1);
        assert_int_equal(mock_counts(mock).buffers, 1);
        memset(par_buffer_data(buffer), 1, par_buffer_size(buffer));
        par_free(buffer);
        assert_int_equal(mock_counts(mock).buffers, 0);
        end();
}

static void test_resume_opens_once(void **state)
{
        struct mock_settings settings = resumable;
        struct par_buffer *buffer;

        (void)state;
        begin(&settings);
        settings.lose_replies = 1;
        mock_change(mock, &settings);
        assert_int_equal(par_open(par, "ring", NULL, &buffer), 0);
        assert_int_equal(mock_counts(mock).answered, 1);
        assert_int_equal(mock_counts(mock).buffers, 1);
        par_free(buffer);
        assert_int_equal(mock_counts(mock).buffers, 0);
        /* Another one is asked for anew, whatever its number. */
        assert_int_equal(par_open(par, "ring", NULL, &buffer), 0);
        assert_int_equal(mock_counts(mock).answered, 1);
        par_free(buffer);
        end();
}

static void test_resume_frees_once(void **state)
{
        struct mock_settings settings = resumable;
        struct par_buffer *buffer;

        (void)state;
        begin(&settings);
        buffer = get(100 * KiB);
        settings.lose_replies = 1;
        mock_change(mock, &settings);
        par_free(buffer);
        assert_int_equal(mock_counts(mock).frees, 2); /* the second is told that it is gone */
        assert_int_equal(mock_counts(mock).buffers, 0);
        assert_int_equal(next_event(), PAR_EVENT_RECONNECTED);
        par_free(get(4096));
        end();
}

/* Only the new worker knows where the description goes on, and it does not. */
static void test_resume_in_the_middle_of_a_description(void **state)
{
        struct mock_settings settings = { .token = TOKEN, .pieces_per_packet = 1 };
        struct par_buffer *buffer;

        (void)state;
        begin(&settings);
        for (unsigned lost = 1; lost <= 3; lost++) {
                settings.lose_replies = lost;
                mock_change(mock, &settings);
                buffer = get(4 * 64 * KiB);
                memset(par_buffer_data(buffer), 2, par_buffer_size(buffer));
                par_free(buffer);
                assert_int_equal(mock_counts(mock).buffers, 0);
        }
        end();
}

static void *wait_for_memory(void *data)
{
        const struct par_alloc_options wait = { .wait_ms = PATIENCE_MS };
        struct par_buffer **ret = data;

        assert_int_equal(par_alloc(par, 4096, NULL, &wait, ret), 0);
        return NULL;
}

static void await_waiting(size_t count)
{
        while (mock_counts(mock).waiting != count)
                usleep(1000);
}

static void test_resume_wakes_all_who_wait(void **state)
{
        struct mock_settings settings = { .token = TOKEN, .hold = true };
        struct par_buffer *buffers[5];
        pthread_t threads[ARRAY_SIZE(buffers)] = { 0 };

        (void)state;
        begin(&settings);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, wait_for_memory, &buffers[i]),
                                 0);
        for (size_t deaths = 1; deaths <= 3; deaths++) {
                await_waiting(ARRAY_SIZE(threads));
                mock_hang_up(mock);
                while (mock_counts(mock).resumed != deaths)
                        usleep(1000);
        }
        await_waiting(ARRAY_SIZE(threads));
        /* They wait no longer than they wanted to at first. */
        assert_true(mock_counts(mock).wait_ms > 0 && mock_counts(mock).wait_ms <= PATIENCE_MS);
        mock_release(mock);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                pthread_join(threads[i], NULL);
        /* Not before: who is granted something in a frame that is given up asks again. */
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                par_free(buffers[i]);
        assert_int_equal(mock_counts(mock).buffers, 0);
        end();
}

static void test_resume_tries_again(void **state)
{
        struct mock_settings settings = { .token = TOKEN, .hello_deaths = 5 };

        (void)state;
        begin(&settings);
        mock_hang_up(mock);
        assert_int_equal(next_event(), PAR_EVENT_RECONNECTED);
        assert_int_equal(mock_counts(mock).connections, 7);
        par_free(get(4096));
        end();
}

/* A worker dies with a session that it has not made yet: there is nothing to go on with. */
static void test_connect_calls_the_next_one(void **state)
{
        static const struct {
                const char *name;
                unsigned deaths, calls;
                int r;
        } rows[] = {
                { "nobody dies", 0, 1, 0 },
                { "one dies", 1, 2, 0 },
                { "two die", 2, 3, 0 },
                { "each dies that is called", 9, 3, -PAR_GONE },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                mock = mock_start(&(struct mock_settings){ .first_deaths = rows[i].deaths });
                assert_int_equal(par_connect(mock->path, NULL, &par), rows[i].r);
                assert_int_equal(mock_counts(mock).connections, rows[i].calls);
                assert_int_equal(par != NULL, rows[i].r == 0);
                end();
        }
}

/* ---- what ends ------------------------------------------------------------------------------ */

static const struct {
        const char *name;
        struct mock_settings settings;
        int r;
} end_cases[] = {
        { "a token that nobody knows", { .token = TOKEN, .forgotten = true }, -PAR_GONE },
        { "no room for one more", { .token = TOKEN, .hello_result = 5004 }, -PAR_GONE },
        { "a fault", { .token = TOKEN, .hello_result = ENOMEM }, -PAR_GONE },
        { "another version of the protocol", { .token = TOKEN, .hello_version = 2 }, -EPROTO },
        { "a daemon that never knew tokens", { .token = 0 }, -PAR_GONE },
};

static void test_resume_may_be_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(end_cases); i++) {
                struct mock_settings first = end_cases[i].settings;
                struct par_buffer *buffer, *none;
                int r;

                first.hello_result = first.hello_version = 0;
                begin(&first);
                buffer = get(4096);
                mock_change(mock, &end_cases[i].settings);
                mock_hang_up(mock);
                if (next_event() != PAR_EVENT_LOST)
                        fail_msg("%s: the session is not lost", end_cases[i].name);
                expect_no_event();
                r = par_alloc(par, 4096, NULL, NULL, &none);
                if (r != -PAR_GONE)
                        fail_msg("%s: %d", end_cases[i].name, r);
                *(char *)par_buffer_data(buffer) = 1;
                par_free(buffer);
                end();
        }
}

/* Who is under way when it ends is told why. */
static void test_resume_refused_to_a_waiting_call(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(end_cases); i++) {
                struct mock_settings settings = end_cases[i].settings;
                struct par_buffer *none;
                int r;

                settings.hello_result = settings.hello_version = 0;
                begin(&settings);
                settings = end_cases[i].settings;
                settings.lose_replies = 1;
                mock_change(mock, &settings);
                r = par_alloc(par, 4096, NULL, NULL, &none);
                if (r != end_cases[i].r)
                        fail_msg("%s: %d", end_cases[i].name, r);
                end();
        }
}

static void test_resume_ends_where_nobody_listens(void **state)
{
        struct par_buffer *none;

        (void)state;
        begin(&resumable);
        mock_vanish(mock);
        assert_int_equal(next_event(), PAR_EVENT_LOST);
        assert_int_equal(par_alloc(par, 4096, NULL, NULL, &none), -PAR_GONE);
        end();
}

/* ---- hostile answers ------------------------------------------------------------------------ */

static void answer_another(struct mock *server, struct mock_reply *reply)
{
        (void)server;
        reply->packet->reply->seq += 1000;
}

static void answer_with_nonsense(struct mock *server, struct mock_reply *reply)
{
        (void)server;
        memset(reply->raw, 0xff, 32);
        reply->raw_bytes = 32;
}

static void answer_with_a_descriptor(struct mock *server, struct mock_reply *reply)
{
        (void)server;
        reply->descriptors[reply->count++] = STDERR_FILENO;
}

static void answer_all_with_refusals(struct mock *server, struct mock_reply *reply)
{
        (void)server;
        reply->packet->reply->result = 77777;
}

static const struct {
        const char *name;
        void (*spoil)(struct mock *server, struct mock_reply *reply);
} hostile_cases[] = {
        { "an answer to a request that nobody made", answer_another },
        { "no message", answer_with_nonsense },
        { "a descriptor that nobody asked for", answer_with_a_descriptor },
        { "a result that means nothing", answer_all_with_refusals },
};

static void test_resume_with_a_liar(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(hostile_cases); i++) {
                struct mock_settings settings = resumable;
                struct par_buffer *buffer, *none;
                int r;

                begin(&resumable);
                buffer = get(4096);
                settings.spoil = hostile_cases[i].spoil;
                mock_change(mock, &settings);
                mock_hang_up(mock);
                r = par_alloc(par, 4096, NULL, NULL, &none);
                if (r != -EPROTO && r != -PAR_GONE)
                        fail_msg("%s: %d", hostile_cases[i].name, r);
                par_free(buffer);
                end();
        }
}

/* ---- goodbye -------------------------------------------------------------------------------- */

static void test_goodbye_for_good(void **state)
{
        struct par_buffer *none;

        (void)state;
        begin(&resumable);
        mock_goodbye(mock, 0);
        assert_int_equal(next_event(), PAR_EVENT_LOST);
        assert_int_equal(par_alloc(par, 4096, NULL, NULL, &none), -PAR_GONE);
        assert_non_null(strstr(par_error(par), "pard was stopped"));
        assert_int_equal(mock_counts(mock).connections, 1);
        end();
}

/* Nobody is called before somebody has shown that he serves. */
static void test_goodbye_until_another_one_serves(void **state)
{
        struct pollfd fd = { .events = POLLIN };
        struct par_buffer *buffer;
        struct par_event event;

        (void)state;
        begin(&resumable);
        buffer = get(4096);
        mock_goodbye(mock, PATIENCE_MS);
        fd.fd = par_fd(par);
        for (unsigned rings = 0; rings < 6; rings++) {
                assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
                assert_int_equal(par_next_event(par, &event), -EAGAIN);
                assert_int_equal(mock_counts(mock).connections, 1);
        }
        mock_mark(mock);
        assert_int_equal(next_event(), PAR_EVENT_RECONNECTED);
        par_free(buffer);
        assert_int_equal(mock_counts(mock).kept, 1);
        end();
}

static void *get_one(void *data)
{
        *(struct par_buffer **)data = get(4096);
        return NULL;
}

/* A call made meanwhile waits, and nobody but the caller reads. */
static void test_goodbye_makes_calls_wait(void **state)
{
        struct par_buffer *buffer;
        pthread_t thread;

        (void)state;
        begin(&resumable);
        mock_goodbye(mock, PATIENCE_MS);
        assert_int_equal(pthread_create(&thread, NULL, get_one, &buffer), 0);
        usleep(20000);
        assert_int_equal(mock_counts(mock).connections, 1);
        mock_mark(mock);
        pthread_join(thread, NULL);
        par_free(buffer);
        end();
}

static void test_goodbye_lasts_as_long_as_was_said(void **state)
{
        (void)state;
        begin(&resumable);
        mock_goodbye(mock, 20);
        assert_int_equal(next_event(), PAR_EVENT_LOST);
        assert_int_equal(mock_counts(mock).connections, 1);
        end();
}

/* Leaving takes no longer than it may, whoever is away. */
static void test_goodbye_and_disconnect(void **state)
{
        (void)state;
        begin(&resumable);
        (void)get(4096);
        mock_goodbye(mock, UINT32_MAX);
        end();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_resume_keeps_buffers_and_frames),
                cmocka_unit_test(test_resume_tells_of_many_frames),
                cmocka_unit_test(test_resume_answers_what_was_granted),
                cmocka_unit_test(test_resume_opens_once),
                cmocka_unit_test(test_resume_frees_once),
                cmocka_unit_test(test_resume_in_the_middle_of_a_description),
                cmocka_unit_test(test_resume_wakes_all_who_wait),
                cmocka_unit_test(test_resume_tries_again),
                cmocka_unit_test(test_connect_calls_the_next_one),
                cmocka_unit_test(test_resume_may_be_refused),
                cmocka_unit_test(test_resume_refused_to_a_waiting_call),
                cmocka_unit_test(test_resume_ends_where_nobody_listens),
                cmocka_unit_test(test_resume_with_a_liar),
                cmocka_unit_test(test_goodbye_for_good),
                cmocka_unit_test(test_goodbye_until_another_one_serves),
                cmocka_unit_test(test_goodbye_makes_calls_wait),
                cmocka_unit_test(test_goodbye_lasts_as_long_as_was_said),
                cmocka_unit_test(test_goodbye_and_disconnect),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
