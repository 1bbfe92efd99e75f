/* SPDX-License-Identifier: MIT */
/*
 * Telling the service manager, also one that does not read.
 */
#include "notifier.h"
#include "units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* So often sd_notify() gives @shortage instead of telling anybody. */
static atomic_int failures;
static int shortage;

int __real_sd_notify(int unset_environment, const char *state);
int __wrap_sd_notify(int unset_environment, const char *state);

int __wrap_sd_notify(int unset_environment, const char *state)
{
        if (atomic_load(&failures) > 0) {
                atomic_fetch_sub(&failures, 1);
                return shortage;
        }
        return __real_sd_notify(unset_environment, state);
}

/* A service manager: what was said to it can be read there. */
struct manager {
        int socket;
        struct sockaddr_un address;
};

static int manager_open(void **state)
{
        static struct manager manager;

        manager.address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(manager.address.sun_path, sizeof(manager.address.sun_path), "/tmp/par-notifier.%d",
                 (int)getpid());
        unlink(manager.address.sun_path);
        manager.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (bind(manager.socket, (struct sockaddr *)&manager.address, sizeof(manager.address)))
                return -1;
        setsockopt(manager.socket, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 10 },
                   sizeof(struct timeval));
        setenv("NOTIFY_SOCKET", manager.address.sun_path, 1);
        *state = &manager;
        return 0;
}

static int manager_close(void **state)
{
        struct manager *manager = *state;

        unsetenv("NOTIFY_SOCKET");
        close(manager->socket);
        unlink(manager->address.sun_path);
        return 0;
}

#define SAID_BYTES 700

static void hear(struct manager *manager, char said[SAID_BYTES])
{
        ssize_t n = recv(manager->socket, said, SAID_BYTES - 1, 0);

        assert_true(n > 0);
        said[n] = '\0';
}

static void expect_said(struct manager *manager, const char *text)
{
        char said[SAID_BYTES];

        hear(manager, said);
        assert_string_equal(said, text);
}

/* Until the manager's queue takes no more. Return: how many there are. */
static unsigned fill_queue(const struct manager *manager)
{
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        unsigned n = 0;

        while (sendto(fd, "X=1", 3, 0, (const struct sockaddr *)&manager->address,
                      sizeof(manager->address)) == 3)
                n++;
        assert_int_equal(errno, EAGAIN);
        close(fd);
        return n;
}

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void test_notifier_says_in_order(void **state)
{
        struct manager *manager = *state;
        struct notifier *notifier;

        assert_int_equal(notifier_new(&notifier), 0);
        notifier_tell(notifier, "READY=1");
        expect_said(manager, "READY=1");
        notifier_tell(notifier, "RELOADING=1\nMONOTONIC_USEC=%d", 7);
        expect_said(manager, "RELOADING=1\nMONOTONIC_USEC=7");
        notifier_tell(notifier, "STATUS=%s", "fine");
        expect_said(manager, "STATUS=fine");
        notifier_tell(notifier, "READY=1");
        notifier_tell(notifier, "STOPPING=1");
        notifier_free(notifier); /* says what is left */
        expect_said(manager, "READY=1");
        expect_said(manager, "STOPPING=1");
}

static void test_notifier_says_again_what_could_not_be_sent(void **state)
{
        static const int shortages[] = { -ENOBUFS, -EMFILE, -EAGAIN, -EINTR };
        struct manager *manager = *state;
        struct notifier *notifier;

        assert_int_equal(notifier_new(&notifier), 0);
        for (size_t i = 0; i < sizeof(shortages) / sizeof(shortages[0]); i++) {
                shortage = shortages[i];
                atomic_store(&failures, 2);
                notifier_tell(notifier, "READY=1");
                expect_said(manager, "READY=1");
                assert_int_equal(atomic_load(&failures), 0);
        }
        notifier_free(notifier);
}

static void test_notifier_never_waits(void **state)
{
        struct manager *manager = *state;
        unsigned n = fill_queue(manager);
        char first[SAID_BYTES], second[SAID_BYTES];
        struct notifier *notifier;
        uint64_t started;

        assert_int_equal(notifier_new(&notifier), 0);
        notifier_tell(notifier, "WATCHDOG=1");
        started = now_ns();
        for (int i = 0; i < 100000; i++) {
                notifier_tell(notifier, "STATUS=%d", i);
                notifier_tell(notifier, "EXTEND_TIMEOUT_USEC=%d", i);
        }
        for (int i = 0; i < 1000; i++)
                notifier_tell(notifier, "%s=1", i % 2 ? "READY" : "RELOADING");
        /* Only if one of them waited for the manager would this not end at all. */
        assert_true(now_ns() - started < 60 * NS_PER_S);
        while (n--)
                expect_said(manager, "X=1");
        /* What the thread waited with, whichever that was; and the latest of the rest, in order. */
        hear(manager, first);
        hear(manager, second);
        if (strcmp(first, "RELOADING=1") != 0 || strcmp(second, "READY=1") != 0) {
                assert_string_equal(second, "RELOADING=1");
                expect_said(manager, "READY=1");
        }
        for (int i = 1; i < 128; i++) {
                expect_said(manager, "RELOADING=1");
                expect_said(manager, "READY=1");
        }
        notifier_free(notifier);
}

static void test_notifier_leaves_a_manager_that_never_reads(void **state)
{
        struct manager *manager = *state;
        struct notifier *notifier;
        uint64_t started;

        fill_queue(manager);
        assert_int_equal(notifier_new(&notifier), 0);
        notifier_tell(notifier, "STOPPING=1");
        started = now_ns();
        notifier_free(notifier);
        assert_in_range(now_ns() - started, NS_PER_S / 2, 30 * NS_PER_S);
        /* Let the thread go that was left behind, or it is a leak. */
        for (int i = 0; i < 2; i++)
                expect_said(manager, "X=1");
        usleep(100000);
}

static void test_notifier_without_a_manager(void **state)
{
        struct notifier *notifier;

        (void)state;
        unsetenv("NOTIFY_SOCKET");
        assert_int_equal(notifier_new(&notifier), 0);
        notifier_tell(notifier, "READY=1");
        notifier_free(notifier);
        notifier_free(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_notifier_says_in_order, manager_open,
                                                manager_close),
                cmocka_unit_test_setup_teardown(test_notifier_says_again_what_could_not_be_sent,
                                                manager_open, manager_close),
                cmocka_unit_test_setup_teardown(test_notifier_never_waits, manager_open,
                                                manager_close),
                cmocka_unit_test_setup_teardown(test_notifier_leaves_a_manager_that_never_reads,
                                                manager_open, manager_close),
                cmocka_unit_test_setup_teardown(test_notifier_without_a_manager, manager_open,
                                                manager_close),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
