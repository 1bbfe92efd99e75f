/* SPDX-License-Identifier: MIT */
/*
 * What the service manager passes to pard: which sockets are taken, what is said of others, and
 * that nothing stays open. The descriptors begin at 3, so each case is a process of its own.
 */
#include "activation.h"

#include "in_child.h"
#include "log.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST_FD   3
#define PASSED_MAX 5

enum kind { NONE, CLIENTS, STREAM, LOOPBACK, DATAGRAM, CONNECTED, MEMORY };

static char *told; /* the last message; shared with children */

void __wrap_log_write(int level, const struct log_place *place, const struct log_fields *about,
                      const char *format, ...);

void __wrap_log_write(int level, const struct log_place *place, const struct log_fields *about,
                      const char *format, ...)
{
        va_list args;

        (void)level;
        (void)place;
        (void)about;
        va_start(args, format);
        vsnprintf(told, 4096, format, args);
        va_end(args);
}

/* What a case expects. @clients, @metrics: which of those passed it is, from 1 on; 0: none. */
struct want {
        int result;
        unsigned clients, metrics;
        bool parked;
        const char *says;
};

static const struct activation_case {
        const char *name;
        struct {
                enum kind kind;
                const char *called;
        } passed[PASSED_MAX];
        struct want want;
} cases[] = {
        { "nothing", { { NONE, NULL } }, { .result = 0 } },
        { "a socket for clients", { { CLIENTS, "pard.socket" } }, { .clients = 1 } },
        { "whatever it is called", { { CLIENTS, "radio" } }, { .clients = 1 } },
        { "metrics on a path, then clients",
          { { STREAM, "metrics" }, { CLIENTS, "pard.socket" } },
          { .clients = 2, .metrics = 1 } },
        { "metrics on the loopback interface",
          { { CLIENTS, "pard.socket" }, { LOOPBACK, "metrics" } },
          { .clients = 1, .metrics = 2 } },
        { "what an earlier pard has left",
          { { MEMORY, "pard-t" }, { MEMORY, "pard-l" }, { MEMORY, "pard-c" }, { CLIENTS, "x" } },
          { .clients = 4, .parked = true } },
        { "a stream for clients",
          { { STREAM, "pard.socket" } },
          { .result = -EINVAL,
            .says = "the socket \"pard.socket\": pard takes one listening Unix" } },
        { "a datagram socket",
          { { DATAGRAM, "pard.socket" } },
          { .result = -EINVAL, .says = "(ListenSequentialPacket=)" } },
        { "packets for metrics",
          { { CLIENTS, "metrics" } },
          { .result = -EINVAL, .says = "one of type SOCK_STREAM (ListenStream=)" } },
        { "a socket that does not listen",
          { { CONNECTED, "pard.socket" } },
          { .result = -EINVAL, .says = "\"pard.socket\"" } },
        { "no socket at all",
          { { MEMORY, "pard.socket" } },
          { .result = -EINVAL, .says = "\"pard.socket\"" } },
        { "two for clients",
          { { CLIENTS, "a" }, { CLIENTS, "b" }, { STREAM, "metrics" } },
          { .result = -EINVAL, .clients = 1, .says = "the socket \"b\"" } },
        { "two for metrics",
          { { STREAM, "metrics" }, { LOOPBACK, "metrics" }, { CLIENTS, "a" } },
          { .result = -EINVAL, .metrics = 1, .says = "the socket \"metrics\"" } },
        { "a name that was parked twice",
          { { MEMORY, "pard-t" }, { MEMORY, "pard-t" } },
          { .result = -EINVAL, .says = "the socket \"pard-t\"" } },
};

static int make(enum kind kind)
{
        struct sockaddr_un abstract = { .sun_family = AF_UNIX };
        struct sockaddr_in loopback = { .sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd, ends[2];

        switch (kind) {
        case MEMORY: return memfd_create("parked", MFD_CLOEXEC);
        case CONNECTED: return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) ? -1 : ends[0];
        case LOOPBACK:
                fd = socket(AF_INET, SOCK_STREAM, 0);
                if (bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)))
                        return -1;
                break;
        default:
                fd = socket(AF_UNIX,
                            kind == CLIENTS  ? SOCK_SEQPACKET
                            : kind == STREAM ? SOCK_STREAM
                                             : SOCK_DGRAM,
                            0);
                if (bind(fd, (struct sockaddr *)&abstract, sizeof(sa_family_t)))
                        return -1;
        }
        return kind == DATAGRAM || !listen(fd, 1) ? fd : -1;
}

/* As the service manager starts a process: descriptors from 3 on, and the environment. */
static unsigned pass(const struct activation_case *it)
{
        char names[128] = "", number[16];
        int made[PASSED_MAX];
        unsigned n = 0;

        for (; n < PASSED_MAX && it->passed[n].kind; n++) {
                int fd = make(it->passed[n].kind);

                made[n] = fcntl(fd, F_DUPFD, 100);
                if (fd < 0 || made[n] < 0)
                        abort();
                strcat(names, n ? ":" : "");
                strcat(names, it->passed[n].called);
        }
        if (close_range(FIRST_FD, 99, 0))
                abort();
        for (unsigned i = 0; i < n; i++)
                dup2(made[i], FIRST_FD + (int)i);
        if (close_range(100, ~0u, 0))
                abort();
        if (!n)
                return 0;
        snprintf(number, sizeof(number), "%u", n);
        setenv("LISTEN_FDS", number, 1);
        setenv("LISTEN_FDNAMES", names, 1);
        snprintf(number, sizeof(number), "%d", (int)getpid());
        setenv("LISTEN_PID", number, 1);
        return n;
}

static bool is_taken(int fd, unsigned want)
{
        if (!want)
                return fd == -1;
        return fd == FIRST_FD + (int)want - 1 && (fcntl(fd, F_GETFL) & O_NONBLOCK) &&
               fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

/* In a child. Return: 0; the number of what is wrong. */
static int read_case(void *data)
{
        const struct activation_case *it = data;
        const unsigned n = pass(it);
        struct activation activation;

        if (activation_read(&activation) != it->want.result)
                return 1;
        if (!is_taken(activation.clients, it->want.clients))
                return 2;
        if (!is_taken(activation.metrics, it->want.metrics))
                return 3;
        if (parked_any(&activation.parked) != it->want.parked)
                return 4;
        /* A child of pard's is not passed anything. */
        if (getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES"))
                return 5;
        activation_close(&activation);
        for (unsigned i = 0; i < n; i++)
                if (fcntl(FIRST_FD + (int)i, F_GETFD) >= 0)
                        return 6;
        return 0;
}

static void test_activation_takes_what_pard_serves(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("%s\n", cases[i].name);
                told[0] = '\0';
                assert_int_equal(in_child(read_case, (void *)(uintptr_t)&cases[i]), 0);
                if (!cases[i].want.says)
                        assert_string_equal(told, "");
                else if (!strstr(told, cases[i].want.says))
                        fail_msg("\"%s\" is not in: %s", cases[i].want.says, told);
        }
}

static int read_rubbish(void *data)
{
        struct activation activation;
        int r;

        (void)data;
        (void)pass(&cases[1]);
        setenv("LISTEN_FDS", "many", 1);
        r = activation_read(&activation);
        activation_close(&activation);
        return r == -EINVAL ? 0 : 1;
}

static void test_activation_tells_of_a_broken_environment(void **state)
{
        (void)state;
        told[0] = '\0';
        assert_int_equal(in_child(read_rubbish, NULL), 0);
        assert_non_null(strstr(told, "the service manager's sockets cannot be read"));
}

static int setup(void **state)
{
        (void)state;
        told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        return told == MAP_FAILED;
}

static int teardown(void **state)
{
        (void)state;
        return munmap(told, 4096);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_activation_takes_what_pard_serves),
                cmocka_unit_test(test_activation_tells_of_a_broken_environment),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
