/* SPDX-License-Identifier: MIT */
/*
 * Descriptors left with the service manager: the next pard has the same, in the same order, or
 * none.
 */
#include "parking.h"

#include "descriptors.h"
#include "heap.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAMES     300u /* more than one bundle has */
#define STORED_MAX 16u

/* ---- a service manager ----------------------------------------------------------------------- */

/* What it keeps: copies. @fails_at: the message for which it has no room; 0: none. @deaf: there is
 * no service manager. */
static struct {
        struct {
                char name[16];
                int fd;
        } stored[STORED_MAX];
        unsigned n_stored, messages, fails_at, forgotten;
        int fails_with, barrier;
        bool deaf;
} manager;

int __wrap_sd_pid_notify_with_fds(pid_t pid, int unset, const char *text, const int *fds,
                                  unsigned n);
int __wrap_sd_notify_barrier(int unset, uint64_t timeout);
int __wrap_sd_notifyf(int unset, const char *format, ...);

int __wrap_sd_pid_notify_with_fds(pid_t pid, int unset, const char *text, const int *fds,
                                  unsigned n)
{
        const char *name = strstr(text, "FDNAME=");

        assert_int_equal(pid, 0);
        assert_int_equal(unset, 0);
        assert_int_equal(strncmp(text, "FDSTORE=1\nFDPOLL=0\n", 19), 0);
        assert_non_null(name);
        if (manager.deaf)
                return 0;
        if (++manager.messages == manager.fails_at)
                return manager.fails_with;
        for (unsigned i = 0; i < n; i++) {
                assert_true(manager.n_stored < STORED_MAX);
                snprintf(manager.stored[manager.n_stored].name, 16, "%s", name + 7);
                manager.stored[manager.n_stored++].fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        }
        return 1;
}

int __wrap_sd_notify_barrier(int unset, uint64_t timeout)
{
        assert_int_equal(unset, 0);
        assert_true(timeout > 0);
        return manager.barrier;
}

int __wrap_sd_notifyf(int unset, const char *format, ...)
{
        (void)unset;
        assert_non_null(strstr(format, "FDSTOREREMOVE=1"));
        manager.forgotten++;
        return 1;
}

static void manager_forget(void)
{
        for (unsigned i = 0; i < manager.n_stored; i++)
                close(manager.stored[i].fd);
        memset(&manager, 0, sizeof(manager));
        manager.barrier = 1;
}

/* What it passes to the next pard. @without: a name of which it has lost one; NULL: none. */
static struct parked passed(const char *without)
{
        struct parked parked = PARKED_NONE;

        for (unsigned i = 0; i < manager.n_stored; i++) {
                if (without && strcmp(manager.stored[i].name, without) == 0) {
                        without = NULL;
                        continue;
                }
                assert_int_equal(parked_add(&parked, manager.stored[i].name,
                                            fcntl(manager.stored[i].fd, F_DUPFD_CLOEXEC, 3)),
                                 0);
        }
        return parked;
}

/* ---- what is parked -------------------------------------------------------------------------- */

static int frames[FRAMES];
static struct parked own; /* the first three */

static int new_file(void)
{
        int fd = memfd_create("parked", MFD_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

static int setup(void **state)
{
        (void)state;
        manager_forget();
        for (unsigned i = 0; i < FRAMES; i++)
                frames[i] = new_file();
        own = (struct parked){ .takeover = new_file(), .ledger = new_file(), .config = new_file() };
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        for (unsigned i = 0; i < FRAMES; i++)
                close(frames[i]);
        parked_deinit(&own);
        manager_forget();
        return 0;
}

static bool same_file(int a, int b)
{
        struct stat one, other;

        assert_int_equal(fstat(a, &one), 0);
        assert_int_equal(fstat(b, &other), 0);
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static void close_all(int *fds, size_t n)
{
        for (size_t i = 0; i < n; i++)
                close(fds[i]);
        free(fds);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_parking_gives_back_what_was_left(void **state)
{
        static const unsigned counts[] = { 0, 1, 253, 254, FRAMES };

        (void)state;
        for (size_t k = 0; k < ARRAY_SIZE(counts); k++) {
                const unsigned n = counts[k], before = descriptors_open();
                struct parked parked;
                int *fds;

                print_message("%u frames\n", n);
                assert_int_equal(parked_store(&own, frames, n), 0);
                assert_int_equal(manager.n_stored, 3 + (n + 252) / 253);
                /* The last one says that it is complete. */
                assert_string_equal(manager.stored[manager.n_stored - 1].name, PARKED_TAKEOVER);
                assert_int_equal(manager.forgotten, 0);

                /* As often as anybody asks. */
                parked = passed(NULL);
                assert_true(parked_any(&parked));
                assert_true(same_file(parked.takeover, own.takeover));
                assert_true(same_file(parked.ledger, own.ledger));
                assert_true(same_file(parked.config, own.config));
                for (int again = 0; again < 2; again++) {
                        assert_int_equal(parked_open(&parked, n, &fds), 0);
                        for (unsigned i = 0; i < n; i++)
                                assert_true(same_file(fds[i], frames[i]));
                        close_all(fds, n);
                }
                parked_deinit(&parked);
                assert_false(parked_any(&parked));
                manager_forget();
                assert_int_equal(descriptors_open(), before);
        }
}

static void test_parking_is_forgotten_where_it_fails(void **state)
{
        static const struct {
                const char *name;
                unsigned fails_at;
                int fails_with, barrier, result;
                bool deaf;
        } cases[] = {
                { "no service manager", .deaf = true, .barrier = 1, .result = -EOPNOTSUPP },
                { "the bundles", 1, -ENOBUFS, 1, -ENOBUFS, false },
                { "the ledger", 2, -ENOBUFS, 1, -ENOBUFS, false },
                { "the configuration", 3, -EPIPE, 1, -EPIPE, false },
                { "the last one", 4, -EPIPE, 1, -EPIPE, false },
                { "nobody says that it has them", .barrier = -ETIMEDOUT, .result = -ETIMEDOUT },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const unsigned before = descriptors_open();

                print_message("%s\n", cases[i].name);
                manager.fails_at = cases[i].fails_at;
                manager.fails_with = cases[i].fails_with;
                manager.barrier = cases[i].barrier;
                manager.deaf = cases[i].deaf;
                assert_int_equal(parked_store(&own, frames, FRAMES), cases[i].result);
                assert_int_equal(manager.forgotten, 5); /* each name */
                manager_forget();
                assert_int_equal(descriptors_open(), before);
        }
}

/* A message with a descriptor, and something else than a bundle's note. */
static void send_strange(int socket)
{
        struct iovec payload = { (void *)(uintptr_t) "hello", 5 };
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct msghdr message = { .msg_iov = &payload,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

        *rights = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(rights), frames, sizeof(int));
        assert_int_equal(sendmsg(socket, &message, 0), 5);
}

/* Nothing of a part: the caller would not know which frames these are. */
static void test_parking_opens_all_or_nothing(void **state)
{
        enum { FEWER, MORE, LOST, TWICE, STRANGE, EMPTY, CASES };
        static const char *const names[CASES] = { "fewer than expected",    "more than expected",
                                                  "a bundle is lost",       "a bundle came twice",
                                                  "a note of another kind", "an empty socket" };

        (void)state;
        for (int what = 0; what < CASES; what++) {
                const unsigned n = what == FEWER ? FRAMES + 1 : what == MORE ? 100 : FRAMES;
                unsigned before;
                struct parked parked;
                int *fds = NULL, ends[2];

                print_message("%s\n", names[what]);
                assert_int_equal(parked_store(&own, frames, FRAMES), 0);
                parked = passed(what == LOST ? PARKED_BUNDLE : NULL);
                if (what == TWICE)
                        assert_int_equal(parked_add(&parked, PARKED_BUNDLE,
                                                    fcntl(parked.bundles[0], F_DUPFD_CLOEXEC, 3)),
                                         0);
                if (what == STRANGE || what == EMPTY) {
                        assert_int_equal(
                                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
                        if (what == STRANGE)
                                send_strange(ends[1]);
                        close(ends[1]);
                        assert_int_equal(parked_add(&parked, PARKED_BUNDLE, ends[0]), 0);
                }
                before = descriptors_open();
                assert_int_equal(parked_open(&parked, n, &fds), -EBADMSG);
                assert_null(fds);
                assert_int_equal(descriptors_open(), before);
                parked_deinit(&parked);
                manager_forget();
        }
}

/* It is not the bundle's fault, and raising the limit helps. */
static void test_parking_tells_a_limit_from_a_loss(void **state)
{
        struct rlimit limit, former;
        struct parked parked;
        unsigned before;
        int *fds = NULL, highest;

        (void)state;
        if (getenv("PAR_UNDER_VALGRIND"))
                skip(); /* it has a limit of its own, which recvmsg() does not meet */
        assert_int_equal(parked_store(&own, frames, FRAMES), 0);
        parked = passed(NULL);
        before = descriptors_open();
        highest = fcntl(0, F_DUPFD_CLOEXEC, 3);
        close(highest);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &former), 0);
        for (rlim_t room = 0; room <= 200; room += 100) {
                limit = (struct rlimit){ (rlim_t)highest + room, former.rlim_max };
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
                assert_int_equal(parked_open(&parked, FRAMES, &fds), -EMFILE);
                assert_null(fds);
        }
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &former), 0);
        assert_int_equal(descriptors_open(), before);
        assert_int_equal(parked_open(&parked, FRAMES, &fds), 0);
        close_all(fds, FRAMES);
        parked_deinit(&parked);
}

static void test_parking_takes_each_name_once(void **state)
{
        static const char *const names[] = { PARKED_TAKEOVER, PARKED_LEDGER, PARKED_CONFIG };
        struct parked parked = PARKED_NONE;
        int fd = new_file();

        (void)state;
        assert_int_equal(parked_add(&parked, "metrics", fd), -ENOENT);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                assert_false(parked_any(&parked));
                assert_int_equal(parked_add(&parked, names[i], new_file()), 0);
                assert_int_equal(parked_add(&parked, names[i], fd), -ENOENT);
        }
        assert_true(parked_any(&parked));
        heap_fail(1, ULONG_MAX);
        assert_int_equal(parked_add(&parked, PARKED_BUNDLE, fd), -ENOMEM);
        assert_true(heap_mend());
        assert_int_equal(parked.n_bundles, 0);
        close(fd); /* still ours: none has taken it */
        parked_deinit(&parked);
}

static void test_parking_without_memory(void **state)
{
        struct parked parked;
        int *fds = NULL;

        (void)state;
        heap_fail(1, ULONG_MAX);
        assert_int_equal(parked_store(&own, frames, FRAMES), -ENOMEM);
        assert_true(heap_mend());
        assert_int_equal(manager.n_stored, 0);

        assert_int_equal(parked_store(&own, frames, FRAMES), 0);
        parked = passed(NULL);
        heap_fail(1, ULONG_MAX);
        assert_int_equal(parked_open(&parked, FRAMES, &fds), -ENOMEM);
        assert_true(heap_mend());
        assert_null(fds);
        parked_deinit(&parked);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_parking_gives_back_what_was_left),
                TEST(test_parking_is_forgotten_where_it_fails),
                TEST(test_parking_opens_all_or_nothing),
                TEST(test_parking_tells_a_limit_from_a_loss),
                TEST(test_parking_takes_each_name_once),
                TEST(test_parking_without_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
