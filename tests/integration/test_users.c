/* SPDX-License-Identifier: MIT */
/*
 * libpar as drivers use it, on a whole daemon: limits of usual devices, waiting that a signal ends,
 * a child that keeps a buffer, a program that goes into the background too late, the death of the
 * worker in the middle of a call, and the end of pard.
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <par.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                   \
        do {                                                                               \
                if (!(condition))                                                          \
                        die("line %d: not %s: %s", __LINE__, #condition, par_error(NULL)); \
        } while (0)

static const char config[] =
        "backend = \"sim\"\n"
        "sim {\n"
        "  extent \"low\" { first = \"16M\" last = \"0x3fffffff\" page_size = \"2M\" }\n"
        "  extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" }\n"
        "}\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"32M\" }\n"
        "pool \"below1g\" { below = \"1G\" page_size = \"2M\" size_min = \"8M\" quarantine = "
        "\"1h\" }\n"
        "device \"scatter\" { dma_bits = 32 max_segment_bytes = \"64K\" max_segments = 16 }\n";

static struct par *connect_to(const struct pard_fixture *pard)
{
        struct par *par;

        CHECK(!par_connect(pard->socket, NULL, &par));
        return par;
}

static void check_devices(const struct pard_fixture *pard)
{
        struct par_constraint ring = par_constraint_for_mask(30),
                              any = { .max_segments = PAR_SEGMENTS_ANY };
        struct par *par = connect_to(pard), *other = connect_to(pard);
        struct par_alloc_options options = { 0 };
        struct par_device *device;
        struct par_buffer *buffer;
        uint64_t pages[256], dma;
        size_t bytes;

        ring.boundary = 64 * KiB;
        CHECK(!par_alloc(par, 48 * KiB, &ring, NULL, &buffer));
        dma = par_buffer_dma(buffer);
        CHECK(dma >> 30 == 0 && dma >> 16 == (dma + 48 * KiB - 1) >> 16);
        par_free(buffer);

        CHECK(!par_device_open(par, "scatter", &device));
        options.device = device;
        CHECK(!par_alloc(par, MiB, &any, &options, &buffer));
        CHECK(par_buffer_segments(buffer, NULL) == 16);
        CHECK(!par_buffer_pages(buffer, 0, 4096, pages, ARRAY_SIZE(pages)));
        for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
                CHECK(!par_dma_address(par, (char *)par_buffer_data(buffer) + i * 4096, &dma,
                                       &bytes));
                CHECK(dma == pages[i] && bytes == 64 * KiB - i % 16 * 4096);
        }
        par_free(buffer);
        CHECK(par_alloc(par, MiB + 1, &any, &options, &buffer) == -PAR_NEVER_FITS && !buffer);
        CHECK(par_alloc(par, MiB, NULL, &options, &buffer) == -PAR_NEVER_FITS); /* one segment */
        CHECK(par_alloc(other, 4096, NULL, &options, &buffer) == -EINVAL);
        par_disconnect(other);
        par_disconnect(par);
}

static void on_alarm(int number)
{
        (void)number;
}

static void check_signals(const struct pard_fixture *pard)
{
        struct par *hog = connect_to(pard);
        struct par_constraint low = par_constraint_for_mask(30);
        /* What others just freed may still be on its way back. */
        struct par_alloc_options wait = { .wait_ms = 10000 };
        struct itimerval timer = { .it_value = { .tv_usec = 100000 } };
        struct par *par = connect_to(pard);
        struct par_buffer *all, *buffer;
        int flags[] = { 0, SA_RESTART };

        CHECK(!par_alloc(hog, 8 * MiB, &low, &wait, &all));
        /* Nobody waits for himself, and is told so. */
        CHECK(par_alloc(hog, 4096, &low, &wait, &buffer) == -PAR_NEVER_FITS);
        CHECK(strstr(par_error(hog), "what this client has itself"));
        wait.wait_ms = -1;
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
                struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags[i] };

                sigaction(SIGALRM, &action, NULL);
                setitimer(ITIMER_REAL, &timer, NULL);
                CHECK(par_alloc(par, 4096, &low, &wait, &buffer) == -EINTR && !buffer);
        }
        wait.wait_ms = 50;
        CHECK(par_alloc(par, 4096, &low, &wait, &buffer) == -PAR_TIMED_OUT);
        par_free(all);
        wait.wait_ms = 10000;
        CHECK(!par_alloc(par, 4096, &low, &wait, &buffer)); /* nothing is left of those before */
        par_disconnect(par);
        par_disconnect(hog);
}

static void check_keep_on_fork(const struct pard_fixture *pard)
{
        struct par_alloc_options keep = { .flags = PAR_ALLOC_KEEP_ON_FORK };
        struct par *par = connect_to(pard);
        struct par_buffer *buffer;
        int status;
        pid_t child;

        CHECK(!par_alloc(par, 4096, NULL, &keep, &buffer));
        child = fork();
        CHECK(child >= 0);
        if (!child) {
                snprintf(par_buffer_data(buffer), 4096, "from the child");
                par_free(buffer); /* not the child's to free */
                snprintf((char *)par_buffer_data(buffer) + strlen(par_buffer_data(buffer)), 64,
                         ", who still has it");
                par_disconnect(par);
                _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && !status);
        CHECK(!strcmp(par_buffer_data(buffer), "from the child, who still has it"));
        par_disconnect(par);
}

/* A driver that connects and then goes into the background: the connection was the parent's. */
static void check_background(const struct pard_fixture *pard)
{
        struct par_alloc_options wait_for_it = { .wait_ms = 10000 };
        struct par_constraint low = par_constraint_for_mask(30);
        struct par_buffer *buffer;
        struct par *par;
        int ends[2], told = 0;

        CHECK(!pipe(ends));
        if (!fork()) {
                par = connect_to(pard);
                CHECK(!par_alloc(par, 2 * MiB, &low, &wait_for_it, &buffer));
                if (fork())
                        _exit(0);
                told = par_alloc(par, 4096, NULL, NULL, &buffer);
                par_disconnect(par); /* pard hears of the parent's death now */
                par = connect_to(pard);
                CHECK(!par_alloc(par, 4096, NULL, NULL, &buffer));
                CHECK(write(ends[1], &told, sizeof(told)) == sizeof(told));
                par_disconnect(par);
                _exit(0);
        }
        close(ends[1]);
        CHECK(read(ends[0], &told, sizeof(told)) == sizeof(told));
        close(ends[0]);
        wait(NULL);
        CHECK(told == -ECHILD);
        /* What the parent had is held back, since nobody said that the device is quiet. */
        par = connect_to(pard);
        for (int i = 0; i < 500; i++) {
                CHECK(par_alloc(par, 8 * MiB, &low, NULL, &buffer) < 0);
                usleep(1000);
        }
        par_disconnect(par);
}

static void *wait_for_memory(void *data)
{
        const struct par_alloc_options wait = { .wait_ms = -1 };
        struct par_buffer *buffer;
        static int results[8]; /* of both times */
        static size_t n;
        int *result = &results[__atomic_fetch_add(&n, 1, __ATOMIC_RELAXED)];

        *result = par_alloc(data, 24 * MiB, NULL, &wait, &buffer);
        par_free(buffer);
        return result;
}

static uint64_t waiting(struct wire_client *client)
{
        return wire_client_status(client)->waiting;
}

/* Until all of them wait, of a worker that serves. */
static void await_waiters(const struct pard_fixture *pard, uint64_t count)
{
        struct wire_client client;

        wire_client_open(pard->socket, "the test", &client);
        while (waiting(&client) != count)
                usleep(1000);
        wire_client_close(&client);
}

static void expect_event(struct par *par, uint32_t type)
{
        struct pollfd events = { .fd = par_fd(par), .events = POLLIN };
        struct par_event event;
        int r;

        do {
                CHECK(poll(&events, 1, 60000) == 1);
                r = par_next_event(par, &event);
        } while (r == -EAGAIN);
        CHECK(!r && event.type == type && !event.buffer);
}

static void check_death_of_the_worker(const struct pard_fixture *pard)
{
        struct par *par = connect_to(pard), *hog = connect_to(pard);
        struct par_buffer *buffer, *hogged;
        pthread_t threads[4];
        pid_t worker = pard_fixture_worker(pard);
        uint64_t dma;
        void *result;

        CHECK(!par_alloc(par, 4 * MiB, NULL, NULL, &buffer)); /* on top: the rest is one piece */
        CHECK(!par_alloc(hog, 8 * MiB, NULL, NULL, &hogged));
        dma = par_buffer_dma(buffer);
        memset(par_buffer_data(buffer), 0x5a, par_buffer_size(buffer));
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                CHECK(!pthread_create(&threads[i], NULL, wait_for_memory, par));
        await_waiters(pard, ARRAY_SIZE(threads));
        CHECK(!kill(worker, SIGKILL));
        while (pard_fixture_worker(pard) == worker || !pard_fixture_worker(pard))
                usleep(1000);
        await_waiters(pard, ARRAY_SIZE(threads));
        expect_event(par, PAR_EVENT_RECONNECTED);
        par_free(hogged);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
                CHECK(!pthread_join(threads[i], &result));
                CHECK(!*(int *)result);
        }
        CHECK(par_buffer_dma(buffer) == dma && *(char *)par_buffer_data(buffer) == 0x5a);
        par_free(buffer);
        par_disconnect(par);
        par_disconnect(hog);
}

/* Nobody comes back, and everybody is told at once. */
static void check_end_of_pard(struct pard_fixture *pard)
{
        /* What others had may be on its way back. */
        static const struct par_alloc_options patient = { .wait_ms = 60000 };
        struct par *par = connect_to(pard), *hog = connect_to(pard);
        struct pollfd events = { .fd = par_fd(par), .events = POLLIN };
        struct par_buffer *buffer, *none;
        struct par_event event;
        pthread_t threads[4];
        uint64_t dma;
        void *result;

        CHECK(!par_alloc(hog, 8 * MiB, NULL, &patient, &none));
        CHECK(!par_alloc(par, 4 * MiB, NULL, &patient, &buffer));
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                CHECK(!pthread_create(&threads[i], NULL, wait_for_memory, par));
        await_waiters(pard, ARRAY_SIZE(threads));
        pard_fixture_stop(pard);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
                CHECK(!pthread_join(threads[i], &result));
                CHECK(*(int *)result == -PAR_GONE);
        }
        expect_event(par, PAR_EVENT_LOST);
        CHECK(par_next_event(par, &event) == -EAGAIN && event.type == PAR_EVENT_NONE);
        CHECK(poll(&events, 1, 0) == 0);

        memset(par_buffer_data(buffer), 0x5a, par_buffer_size(buffer));
        CHECK(!par_dma_address(par, par_buffer_data(buffer), &dma, NULL));
        CHECK(dma == par_buffer_dma(buffer));
        CHECK(par_alloc(par, 4096, NULL, NULL, &none) == -PAR_GONE && !none);
        CHECK(par_reclaim(par, NULL, NULL) == -PAR_GONE);
        CHECK(strstr(par_error(par), "pard was stopped"));
        CHECK(!par_is_permanent(-PAR_GONE));
        par_free(buffer);
        par_disconnect(par);
        par_disconnect(hog);
}

int main(void)
{
        struct pard_fixture pard;

        pard_fixture_start_filled(config, &pard);
        check_devices(&pard);
        check_signals(&pard);
        check_keep_on_fork(&pard);
        check_background(&pard);
        check_death_of_the_worker(&pard);
        check_end_of_pard(&pard);
        return 0;
}
