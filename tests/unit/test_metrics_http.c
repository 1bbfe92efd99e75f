/* SPDX-License-Identifier: MIT */
/*
 * A whole worker that is asked for metrics: what it answers, and that nobody who asks can hold it
 * up, or anything of it for long.
 */
#include "worker_fixture.h"

#include "clock.h"
#include "descriptors.h"
#include "macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CONNECTIONS_MAX 8     /* of the worker */
#define LIFE_MS         5000  /* that a connection has */
#define QUIET_MS        300   /* so long nothing comes that is not to come */
#define PATIENCE_MS     30000 /* a machine that does other things may stop for a while */
#define TRIES           5     /* of what is seen only where this process is not stopped for long */

static struct worker worker;
static struct sockaddr_storage address;
static socklen_t address_bytes;
static unsigned descriptors_before;

/* ---- listening ------------------------------------------------------------------------------ */

static int listen_on(int family)
{
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_true(fd >= 0);
        memset(&address, 0, sizeof(address));
        address.ss_family = (sa_family_t)family;
        address_bytes = sizeof(sa_family_t); /* the kernel finds a free abstract name */
        if (family == AF_INET) {
                ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                address_bytes = sizeof(struct sockaddr_in);
        }
        assert_int_equal(bind(fd, (struct sockaddr *)&address, address_bytes), 0);
        address_bytes = sizeof(address);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &address_bytes), 0);
        assert_int_equal(listen(fd, 64), 0);
        return fd;
}

static int setup_unix(void **state)
{
        (void)state;
        descriptors_before = descriptors_open();
        worker_start(&worker, &(struct worker_options){ .metrics_fd = listen_on(AF_UNIX) });
        return 0;
}

static int setup_tcp(void **state)
{
        (void)state;
        descriptors_before = descriptors_open();
        worker_start(&worker, &(struct worker_options){ .metrics_fd = listen_on(AF_INET) });
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        assert_int_equal(worker_stop(&worker), 0);
        assert_int_equal(descriptors_open(), descriptors_before);
        return 0;
}

/* ---- asking --------------------------------------------------------------------------------- */

static int ask_begin(void)
{
        int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, address_bytes), 0);
        return fd;
}

static void ask_send(int fd, const char *text)
{
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All that comes until the other side closes; static. */
static const char *answer_of(int fd)
{
        static char text[1 << 20];
        size_t size = 0;
        ssize_t n;

        do {
                struct pollfd state = { .fd = fd, .events = POLLIN };

                if (poll(&state, 1, PATIENCE_MS) != 1)
                        fail_msg("no answer in %d ms", PATIENCE_MS);
                n = recv(fd, text + size, sizeof(text) - 1 - size, 0);
                if (n < 0 && errno != ECONNRESET)
                        fail_msg("recv: %s", strerror(errno));
                size += n > 0 ? (size_t)n : 0;
        } while (n > 0);
        close(fd);
        text[size] = '\0';
        return text;
}

static const char *ask(const char *request)
{
        int fd = ask_begin();

        ask_send(fd, request);
        return answer_of(fd);
}

static bool answers(int fd, int ms)
{
        struct pollfd state = { .fd = fd, .events = POLLIN };

        return poll(&state, 1, ms) == 1;
}

#define GET "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

/* A sample's value in a text of metrics. */
static double value_of(const char *text, const char *sample)
{
        char line[256];
        const char *found;

        snprintf(line, sizeof(line), "\n%s ", sample);
        found = strstr(text, line);
        if (!found) {
                fail_msg("there is no %s", sample);
                return 0;
        }
        return strtod(found + strlen(line), NULL);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_metrics_http_tells_what_clients_do(void **state)
{
        struct caller caller;
        const char *text;

        (void)state;
        caller_open(&worker, "driver", &caller);
        assert_int_equal(caller_alloc(&caller, 2 * MiB, "any")->result, 0);
        assert_int_not_equal(caller_alloc(&caller, UINT64_C(1) << 60, "any")->result, 0);

        text = ask(GET);
        assert_int_equal(strncmp(text, "HTTP/1.1 200 ", 13), 0);
        assert_non_null(strstr(text, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8"));
        assert_true(value_of(text, "pard_grants_total{pool=\"any\"}") == 1);
        assert_true(value_of(text, "pard_refusals_total{reason=\"never_fits\"}") == 1);
        assert_true(value_of(text, "pard_clients") == 1);
        assert_true(value_of(text, "pard_pool_bytes{pool=\"any\",state=\"granted\"}") ==
                    WORKER_PAGE_BYTES);
        assert_true(value_of(text, "pard_request_seconds_count{request=\"alloc\"}") == 2);
        assert_true(value_of(text, "pard_request_seconds_count{request=\"free\"}") == 0);
        assert_true(value_of(text, "pard_wait_seconds_count") == 0);
        assert_true(value_of(text,
                             "pard_build_info{version=\"" PAR_VERSION "\",backend=\"fake\"}") == 1);
        caller_close(&caller);
}

static void test_metrics_http_counts_waiting_apart(void **state)
{
        struct caller holder, waiter;
        const char *text;
        uint64_t buffer;
        uint32_t seq;

        (void)state;
        caller_open(&worker, "holder", &holder);
        caller_open(&worker, "waiter", &waiter);
        buffer = caller_alloc(&holder, WORKER_LOW_PAGES * WORKER_PAGE_BYTES, "below4g")
                         ->alloc->buffer;
        seq = caller_send_alloc(&waiter, WORKER_PAGE_BYTES, "below4g", -1);
        (void)caller_status(&holder);
        usleep(20000);
        assert_int_equal(caller_free(&holder, buffer)->result, 0);
        caller_close(&holder);
        assert_int_equal(caller_reply(&waiter, seq)->result, 0);

        text = ask(GET);
        assert_true(value_of(text, "pard_wait_seconds_count") == 1);
        assert_true(value_of(text, "pard_wait_seconds_sum") >= 0.02);
        assert_true(value_of(text, "pard_request_seconds_count{request=\"alloc\"}") == 1);
        caller_close(&waiter);
}

static void test_metrics_http_speaks_openmetrics_to_who_knows_it(void **state)
{
        const char *text =
                ask("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: "
                    "application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n");

        (void)state;
        assert_int_equal(strncmp(text, "HTTP/1.1 200 ", 13), 0);
        assert_non_null(strstr(text, "\r\nContent-Type: application/openmetrics-text; "
                                     "version=1.0.0; charset=utf-8\r\n"));
        assert_non_null(strstr(text, "\n# TYPE pard_grants counter\n"));
        assert_string_equal(text + strlen(text) - 7, "\n# EOF\n");
}

static void test_metrics_http_answers_nothing_else(void **state)
{
        char long_header[6000] = "GET /metrics HTTP/1.1\r\nHost: ";
        const struct {
                const char *name, *request, *answer;
        } cases[] = {
                { "HEAD", "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 " },
                { "the older protocol", "GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 200 " },
                { "another path", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 " },
                { "a path that goes on", "GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n",
                  "HTTP/1.1 404 " },
                { "another method", "DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                  "HTTP/1.1 501 " },
                { "a method that nobody knows", "EAT /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                  "HTTP/1.1 501 " },
                { "a body", "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
                  "HTTP/1.1 413 " },
                { "a body without an end",
                  "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nx",
                  "HTTP/1.1 413 " },
                { "no protocol", "\x01\x02\x03\r\n\r\n", "HTTP/1." },
                { "a header that is too long", long_header, "HTTP/1.1 400 " },
        };
        int failed = 0;

        (void)state;
        memset(long_header + 29, 'x', sizeof(long_header) - 30);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const char *answer = ask(cases[i].request);

                if (strncmp(answer, cases[i].answer, strlen(cases[i].answer)) == 0 &&
                    (strstr(cases[i].answer, " 200 ") || !strstr(answer, "pard_")))
                        continue;
                print_error("%s: \"%.40s\"\n", cases[i].name, answer);
                failed++;
        }
        assert_int_equal(failed, 0);
        assert_null(strstr(ask(cases[0].request), "pard_"));
}

static void test_metrics_http_closes_after_each_answer(void **state)
{
        const char *text = ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n" GET);

        (void)state;
        assert_int_equal(strncmp(text, "HTTP/1.1 404 ", 13), 0);
        assert_null(strstr(text, "pard_"));
}

/*
 * As many as there may be, and one more: it is answered when another one closes. Return: whether
 * that was before the time of the others was over, and so because of that.
 */
static bool gets_the_place_of_another(int idle[CONNECTIONS_MAX])
{
        const uint64_t start_ms = now_ms();
        struct caller caller;
        bool early;
        int late;

        for (int i = 0; i < CONNECTIONS_MAX; i++)
                idle[i] = ask_begin();
        late = ask_begin();
        ask_send(late, GET);
        early = answers(late, QUIET_MS);

        /* Clients do not notice. */
        caller_open(&worker, "driver", &caller);
        assert_int_equal(caller_alloc(&caller, 2 * MiB, "any")->result, 0);
        caller_close(&caller);

        close(idle[3]);
        assert_int_equal(strncmp(answer_of(late), "HTTP/1.1 200 ", 13), 0);
        if (now_ms() - start_ms >= LIFE_MS)
                return false;
        assert_false(early);
        return true;
}

static void test_metrics_http_has_places_for_few(void **state)
{
        int idle[CONNECTIONS_MAX];
        bool seen = false;

        (void)state;
        for (int i = 0; i < TRIES && !seen; i++) {
                seen = gets_the_place_of_another(idle);
                for (size_t j = 0; j < ARRAY_SIZE(idle) && !seen; j++)
                        if (j != 3)
                                close(idle[j]);
        }
        assert_true(seen);

        /* Each that goes makes a place. */
        for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
                if (i != 3)
                        close(idle[i]);
        for (int i = 0; i < 3 * CONNECTIONS_MAX; i++)
                assert_int_equal(strncmp(ask(GET), "HTTP/1.1 200 ", 13), 0);
}

/* Whatever they do or leave undone: after 5 s they are gone. */
static void test_metrics_http_has_little_time(void **state)
{
        enum { SILENT, TRICKLING, HALF_CLOSED, ANSWERED, KINDS };
        const uint64_t start_ms = now_ms();
        int fds[2 * KINDS], late;

        (void)state;
        for (int i = 0; i < 2 * KINDS; i++)
                fds[i] = ask_begin();
        for (int i = 0; i < 2; i++) {
                /* Unless it is gone already. The one that asks does not read the answer. */
                (void)shutdown(fds[HALF_CLOSED + i * KINDS], SHUT_WR);
                (void)!send(fds[ANSWERED + i * KINDS], GET, strlen(GET), MSG_NOSIGNAL);
        }
        late = ask_begin();
        ask_send(late, GET);
        while (!answers(late, QUIET_MS) && now_ms() - start_ms < PATIENCE_MS)
                for (int i = 0; i < 2; i++)
                        (void)!send(fds[TRICKLING + i * KINDS], "G", 1, MSG_NOSIGNAL);
        assert_int_equal(strncmp(answer_of(late), "HTTP/1.1 200 ", 13), 0);
        for (int i = 0; i < 2 * KINDS; i++)
                (void)answer_of(fds[i]);
        assert_in_range(now_ms() - start_ms, 0, PATIENCE_MS);
}

/* What is open when the worker ends is closed: teardown counts. */
static void test_metrics_http_ends_with_the_worker(void **state)
{
        int fds[4];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = ask_begin();
        ask_send(fds[1], "GET /metr");
        (void)ask(GET);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
}

/* Where there is no descriptor for another connection whoever waits is served when there is one
 * again. */
static void test_metrics_http_waits_for_a_descriptor(void **state)
{
        const uint64_t start_ms = now_ms();
        struct rlimit former, limit;
        struct caller caller;
        unsigned before;
        int late, next;

        (void)state;
        if (getenv("PAR_UNDER_VALGRIND"))
                skip(); /* it keeps limits of descriptors from the kernel */
        caller_open(&worker, "driver", &caller);
        (void)caller_status(&caller); /* the worker has all that it needs */
        before = descriptors_open();
        assert_int_equal(strncmp(ask(GET), "HTTP/1.1 200 ", 13), 0);
        while (descriptors_open() != before && now_ms() - start_ms < PATIENCE_MS)
                usleep(1000); /* until it has closed its end */
        assert_int_equal(descriptors_open(), before);

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &former), 0);
        late = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(late >= 0);
        for (next = 0; fcntl(next, F_GETFD) >= 0;)
                next++; /* the lowest that is free */
        limit = (struct rlimit){ (rlim_t)next, former.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(connect(late, (struct sockaddr *)&address, address_bytes), 0);
        ask_send(late, GET);
        assert_false(answers(late, QUIET_MS));
        /* Clients that are there do not notice. */
        assert_int_equal(caller_status(&caller)->clients, 1);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &former), 0);
        assert_int_equal(strncmp(answer_of(late), "HTTP/1.1 200 ", 13), 0);
        caller_close(&caller);
}

int main(void)
{
#define ON_UNIX(test) cmocka_unit_test_setup_teardown(test, setup_unix, teardown)
#define ON_TCP(test)  cmocka_unit_test_setup_teardown(test, setup_tcp, teardown)
        const struct CMUnitTest tests[] = {
                ON_UNIX(test_metrics_http_tells_what_clients_do),
                ON_UNIX(test_metrics_http_counts_waiting_apart),
                ON_UNIX(test_metrics_http_speaks_openmetrics_to_who_knows_it),
                ON_UNIX(test_metrics_http_answers_nothing_else),
                ON_UNIX(test_metrics_http_closes_after_each_answer),
                ON_UNIX(test_metrics_http_has_places_for_few),
                ON_UNIX(test_metrics_http_has_little_time),
                ON_UNIX(test_metrics_http_ends_with_the_worker),
                ON_TCP(test_metrics_http_tells_what_clients_do),
                ON_TCP(test_metrics_http_answers_nothing_else),
                ON_TCP(test_metrics_http_has_places_for_few),
                ON_TCP(test_metrics_http_has_little_time),
                ON_TCP(test_metrics_http_ends_with_the_worker),
                ON_UNIX(test_metrics_http_waits_for_a_descriptor),
                ON_TCP(test_metrics_http_waits_for_a_descriptor),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
