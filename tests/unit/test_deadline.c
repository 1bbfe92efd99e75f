/* SPDX-License-Identifier: MIT */
#include "deadline.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define SHORT_NS (5 * NS_PER_MS)

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Nobody writes to that pipe: only a signal ends the wait. */
static int wait_on_pipe(const int ends[2])
{
        char byte;

        return read(ends[0], &byte, 1) < 0 ? errno : 0;
}

static void test_deadline_ends_a_wait(void **state)
{
        uint64_t started = now_ns();
        struct deadline deadline;
        int ends[2];

        (void)state;
        assert_int_equal(deadline_prepare(), 0);
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(deadline_begin(SHORT_NS, &deadline), 0);
        assert_int_equal(wait_on_pipe(ends), EINTR);
        assert_true(now_ns() - started >= SHORT_NS);
        assert_int_equal(wait_on_pipe(ends), EINTR); /* and the next one too */
        deadline_end(&deadline);
        close(ends[0]);
        close(ends[1]);
}

/* On a thread whose signals are blocked, as the keeper's may be; afterwards they are again. */
static void *with_blocked_signals(void *data)
{
        struct deadline deadline;
        sigset_t all, now;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, NULL);
        if (deadline_begin(SHORT_NS, &deadline))
                return NULL;
        if (wait_on_pipe(data) != EINTR)
                return NULL;
        deadline_end(&deadline);
        pthread_sigmask(SIG_SETMASK, NULL, &now);
        for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
                if (!sigismember(&now, i))
                        return NULL;
        return data;
}

static void test_deadline_is_its_thread_s(void **state)
{
        pthread_t thread;
        void *result;
        int ends[2];

        (void)state;
        assert_int_equal(deadline_prepare(), 0);
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(pthread_create(&thread, NULL, with_blocked_signals, ends), 0);
        pthread_join(thread, &result);
        assert_ptr_equal(result, ends);
        close(ends[0]);
        close(ends[1]);
}

static void test_deadline_that_is_over_interrupts_nothing(void **state)
{
        const struct timespec rest = { .tv_nsec = 10 * (long)SHORT_NS };
        struct deadline deadline;

        (void)state;
        assert_int_equal(deadline_prepare(), 0);
        assert_int_equal(deadline_begin(SHORT_NS, &deadline), 0);
        deadline_end(&deadline);
        assert_int_equal(nanosleep(&rest, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_deadline_ends_a_wait),
                cmocka_unit_test(test_deadline_is_its_thread_s),
                cmocka_unit_test(test_deadline_that_is_over_interrupts_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
