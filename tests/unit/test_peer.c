/* SPDX-License-Identifier: MIT */
/*
 * Who is at the other end of a connection, also where the kernel tells less: one before 6.5 has no
 * pidfd of a socket's peer, and one may be in another PID namespace.
 */
#include "peer.h"

#include "macros.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* What the kernel says here instead; 0: what it says. @pid: that of the peer; -1: the true one. */
static struct {
        int credentials, groups, pidfd;
        pid_t pid;
} kernel;

int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size);

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
        int error = 0, r;

        switch (option) {
        case SO_PEERCRED: error = kernel.credentials; break;
        case SO_PEERGROUPS: error = kernel.groups; break;
        case SO_PEERPIDFD: error = kernel.pidfd; break;
        }
        if (error) {
                errno = error;
                return -1;
        }
        r = __real_getsockopt(fd, level, option, value, size);
        if (!r && option == SO_PEERCRED && kernel.pid >= 0)
                ((struct ucred *)value)->pid = kernel.pid;
        return r;
}

static int sockets[2];

static int setup(void **state)
{
        (void)state;
        if (getenv("PAR_UNDER_VALGRIND"))
                exit(77); /* it has no pidfd_open() */
        kernel.credentials = kernel.groups = kernel.pidfd = 0;
        kernel.pid = -1;
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets);
}

static int teardown(void **state)
{
        (void)state;
        close(sockets[0]);
        close(sockets[1]);
        return 0;
}

static const struct {
        const char *name;
        int credentials, groups, pidfd;
        pid_t pid;
        int result;
        bool has_pidfd, has_first_group_only;
} cases[] = {
        { "no pidfd of a peer: one of its number", .pidfd = ENOPROTOOPT, .pid = -1,
          .has_pidfd = true },
        { "no pidfd for this one: one of its number", .pidfd = ENODATA, .pid = -1,
          .has_pidfd = true },
        { "and it has no number here", .pidfd = ENOPROTOOPT, .pid = 0 },
        { "and nobody has this number any more", .pidfd = ENOPROTOOPT, .pid = INT32_MAX,
          .result = -ESRCH },
        { "dead already, says one kernel", .pidfd = ESRCH, .pid = -1, .result = -ESRCH },
        { "dead already, says another", .pidfd = EINVAL, .pid = -1, .result = -ESRCH },
        { "no descriptor left", .pidfd = EMFILE, .pid = -1, .result = -EMFILE },
        { "more groups than there is room for", .groups = ERANGE, .pid = -1, .has_pidfd = true,
          .has_first_group_only = true },
        { "a kernel that tells no groups", .groups = ENOPROTOOPT, .pid = -1, .has_pidfd = true,
          .has_first_group_only = true },
        { "groups cannot be read", .groups = EFAULT, .pid = -1, .result = -EFAULT },
        { "nor who it is", .credentials = EBADF, .pid = -1, .result = -EBADF },
};

static void test_peer_goes_by_what_the_kernel_tells(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct peer peer = { .pidfd = -2 };

                print_message("%s\n", cases[i].name);
                kernel.credentials = cases[i].credentials;
                kernel.groups = cases[i].groups;
                kernel.pidfd = cases[i].pidfd;
                kernel.pid = cases[i].pid;
                assert_int_equal(peer_init(sockets[0], &peer), cases[i].result);
                if (cases[i].result) {
                        assert_int_equal(peer.pidfd, -2);
                        continue;
                }
                assert_int_equal(peer.identity.uid, getuid());
                assert_int_equal(peer.identity.gid, getgid());
                assert_int_equal(peer.identity.pid, cases[i].pid < 0 ? getpid() : cases[i].pid);
                assert_int_equal(peer.pidfd >= 0, cases[i].has_pidfd);
                if (cases[i].has_first_group_only) {
                        assert_int_equal(peer.identity.n_groups, 1);
                        assert_int_equal(peer.identity.groups[0], getgid());
                }
                peer_deinit(&peer);
                assert_int_equal(peer.pidfd, -1);
        }
}

/* The pidfd is of that process and of no other: it tells when that one is dead. */
static void test_peer_pidfd_by_number_tells_of_death(void **state)
{
        int pipe_fds[2], fd;
        struct pollfd dead;
        pid_t pid;
        char byte;

        (void)state;
        assert_int_equal(pipe(pipe_fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
                close(pipe_fds[1]);
                (void)!read(pipe_fds[0], &byte, 1); /* until the test closes it */
                raise(SIGKILL);
        }
        close(pipe_fds[0]);
        fd = peer_open_pidfd((uint32_t)pid);
        assert_true(fd >= 0);
        dead = (struct pollfd){ .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&dead, 1, 0), 0);
        close(pipe_fds[1]);
        assert_int_equal(poll(&dead, 1, -1), 1);
        close(fd);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(peer_open_pidfd((uint32_t)pid), -ESRCH);
        assert_int_equal(peer_open_pidfd(0), -ESRCH);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_peer_goes_by_what_the_kernel_tells, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_peer_pidfd_by_number_tells_of_death, setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
