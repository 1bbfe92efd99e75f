/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that nobody asked for. Newer kernels refuse them at the sender, where pard asks them
 * to (SO_PASSRIGHTS); elsewhere they arrive, and the session ends.
 */
#include "attack.h"
#include "line.h"
#include "lingering_socket.h"

#include "macros.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NESTING 8 /* sockets within sockets; the kernel allows some more or fewer */

/* Send it with a packet. Whether it arrived or not, somebody who sends one is not served further.
 */
static void send_along(struct attacker *attacker, const int *descriptors, size_t count,
                       const char *what)
{
        struct line line;
        int r;

        if (!(random_one_in(&attacker->random, 2) ? line_open(&line, 0) : line_connect(&line)))
                return;
        r = packet_send(line.fd, "x", 1, descriptors, count);
        ++*attacker->tries;
        if (r == 0 && !line_ends(&line))
                die("%s: a session that sent it goes on", what);
        line_close(&line);
}

/* ---- one of each kind ------------------------------------------------------------------------ */

static int own_pipe(void)
{
        int ends[2] = { -1, -1 };

        if (pipe2(ends, O_CLOEXEC) == 0)
                close(ends[0]);
        return ends[1];
}

static int own_socket(void)
{
        return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int own_memfd(void)
{
        int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd >= 0)
                (void)!ftruncate(fd, 2 * MiB);
        return fd;
}

static int own_directory(void)
{
        return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int own_path(void)
{
        return open("/proc/self/exe", O_PATH | O_CLOEXEC);
}

/* In it a descriptor that is always ready. */
static int own_epoll(void)
{
        struct epoll_event event = { .events = EPOLLIN };
        int fd = epoll_create1(EPOLL_CLOEXEC), always = eventfd(1, EFD_CLOEXEC);

        (void)epoll_ctl(fd, EPOLL_CTL_ADD, always, &event);
        close(always);
        return fd;
}

static int own_io_uring(void)
{
        struct io_uring_params params = { 0 };

        return (int)syscall(SYS_io_uring_setup, 1, &params);
}

static int own_pidfd(void)
{
        return (int)syscall(SYS_pidfd_open, getpid(), 0);
}

static int own_device(void)
{
        return open("/dev/zero", O_RDWR | O_CLOEXEC);
}

static int own_timer(void)
{
        return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static int own_signals(void)
{
        sigset_t none;

        sigemptyset(&none);
        return signalfd(-1, &none, SFD_CLOEXEC);
}

static int own_inotify(void)
{
        return inotify_init1(IN_CLOEXEC);
}

static int own_namespace(void)
{
        return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int own_memory(void)
{
        return open("/proc/self/mem", O_RDWR | O_CLOEXEC);
}

/* A connection to pard itself, on which there is something to answer. */
static int own_connection(void)
{
        struct line line;

        if (!line_connect(&line))
                return -1;
        (void)line_say(&line, line_hello, sizeof(line_hello));
        return line.fd;
}

/* A frame of pard's: its session ends, the descriptor stays. */
static int own_frame(void)
{
        struct line line;
        uint64_t buffer;
        int fd = -1;

        if (!line_open(&line, 0))
                return -1;
        if (line_alloc(&line, 2 * MiB, 0, &buffer) == 0 && line.got.count == 1) {
                fd = line.got.descriptors[0];
                line.got.count = 0;
        }
        line_close(&line);
        return fd;
}

void attack_send_kinds(struct attacker *attacker, const struct attack *attack)
{
        static const struct {
                const char *name;
                int (*make)(void);
        } kinds[] = {
                { "a pipe", own_pipe },
                { "a socket", own_socket },
                { "a memfd", own_memfd },
                { "a directory", own_directory },
                { "an O_PATH descriptor", own_path },
                { "an epoll descriptor", own_epoll },
                { "an io_uring", own_io_uring },
                { "a pidfd", own_pidfd },
                { "a device", own_device },
                { "a timer", own_timer },
                { "a signalfd", own_signals },
                { "an inotify descriptor", own_inotify },
                { "a namespace", own_namespace },
                { "a process's memory", own_memory },
                { "a connection to pard", own_connection },
                { "a frame", own_frame },
        };

        (void)attack;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                int fd = kinds[i].make();

                if (fd < 0)
                        continue;
                send_along(attacker, &fd, 1, kinds[i].name);
                close(fd);
        }
}

/* ---- many ------------------------------------------------------------------------------------ */

void attack_send_many(struct attacker *attacker, const struct attack *attack)
{
        int descriptors[PACKET_DESCRIPTORS_MAX];

        (void)attack;
        for (size_t i = 0; i < ARRAY_SIZE(descriptors); i++)
                descriptors[i] = STDERR_FILENO;
        for (int i = 0; i < 16; i++)
                send_along(attacker, descriptors, ARRAY_SIZE(descriptors), "253 descriptors");
}

void attack_send_lingering(struct attacker *attacker, const struct attack *attack)
{
        struct lingering_socket lingering;

        (void)attack;
        lingering_socket_init(&lingering);
        send_along(attacker, &lingering.fd, 1, "a socket with SO_LINGER");
        lingering_socket_deinit(&lingering);
}

/* ---- sockets within sockets ------------------------------------------------------------------ */

/* Put @inner, which is consumed, into the queue of a new socket. Return: that; -1. */
static int wrap(int inner)
{
        int ends[2] = { -1, -1 };

        if (inner < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ||
            packet_send(ends[0], "x", 1, &inner, 1)) {
                if (ends[1] >= 0)
                        close(STEAL_FD(ends[1]));
        }
        if (ends[0] >= 0)
                close(ends[0]);
        if (inner >= 0)
                close(inner);
        return ends[1];
}

/* Innermost lies a session of pard's own: closing the outermost ends it. And a pair of sockets that
 * lie in one another, which only the kernel's garbage collection finds. */
void attack_send_nested(struct attacker *attacker, const struct attack *attack)
{
        int fd = own_connection(), ends[2];

        (void)attack;
        for (int i = 0; i < NESTING; i++) {
                int outer = wrap(fd);

                if (outer < 0)
                        return;
                fd = outer;
        }
        send_along(attacker, &fd, 1, "sockets within sockets");
        close(fd);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return;
        (void)packet_send(ends[0], "x", 1, &ends[1], 1);
        (void)packet_send(ends[1], "x", 1, &ends[0], 1);
        send_along(attacker, ends, 2, "sockets in one another");
        close(ends[0]);
        close(ends[1]);
}
