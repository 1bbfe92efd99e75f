/* SPDX-License-Identifier: MIT */
/*
 * Owns the time and the timers. A timer is an eventfd here, which reads as one does.
 *
 * Refuses to let the library sleep: a poll() that nothing ends is the server's business, and then
 * the time's.
 */
#include "inline_system.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static struct {
        bool begun;
        struct inline_server server;
        uint64_t now_ns;
        unsigned sleeps;
        int64_t mapped_bytes;
        int timer;         /* the library has one for each connection, and there is one */
        uint64_t rings_ns; /* 0: it is not set */
} on;

void inline_system_begin(const struct inline_server *server)
{
        memset(&on, 0, sizeof(on));
        on.begun = true;
        on.server = *server;
        on.now_ns = NS_PER_S;
        on.timer = -1;
}

void inline_system_end(void)
{
        on.begun = false;
}

uint64_t inline_system_ns(void)
{
        return on.now_ns;
}

unsigned inline_system_sleeps(void)
{
        return on.sleeps;
}

void inline_system_stir(void)
{
        on.sleeps = 0;
}

int64_t inline_system_mapped(void)
{
        return on.mapped_bytes;
}

/* ---- time ----------------------------------------------------------------------------------- */

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *former);
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

/* To look at it takes a moment: who waits by looking comes to an end. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
        if (!on.begun)
                return __real_clock_gettime(clock, ret);
        on.now_ns += NS_PER_US;
        ret->tv_sec = (time_t)(on.now_ns / NS_PER_S);
        ret->tv_nsec = (long)(on.now_ns % NS_PER_S);
        return 0;
}

int __wrap_timerfd_create(int clock, int flags)
{
        (void)clock;
        (void)flags;
        on.timer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        on.rings_ns = 0;
        return on.timer;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *former)
{
        eventfd_t count;

        (void)former;
        assert(fd == on.timer);
        (void)eventfd_read(fd, &count); /* it has not rung since */
        on.rings_ns = (uint64_t)when->it_value.tv_sec * NS_PER_S + (uint64_t)when->it_value.tv_nsec;
        assert(!on.rings_ns || flags & TFD_TIMER_ABSTIME);
        return 0;
}

/* Of no use to anybody here. */
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags)
{
        (void)flags;
        memset(bytes, 0x5a, size);
        return (ssize_t)size;
}

/* Time passes until the timer rings, at most until @until_ns. */
static void pass(uint64_t until_ns)
{
        if (!on.rings_ns || on.rings_ns > until_ns) {
                on.now_ns = until_ns > on.now_ns ? until_ns : on.now_ns;
                return;
        }
        on.now_ns = on.rings_ns > on.now_ns ? on.rings_ns : on.now_ns;
        on.rings_ns = 0;
        (void)eventfd_write(on.timer, 1);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
        int r;

        if (!on.begun)
                return __real_poll(fds, count, timeout_ms);
        on.sleeps++;
        on.server.turn(on.server.data);
        r = __real_poll(fds, count, 0);
        if (r || !timeout_ms)
                return r;
        if (timeout_ms < 0 && !on.rings_ns)
                on.server.silent(on.server.data);
        else
                pass(timeout_ms < 0 ? UINT64_MAX : on.now_ns + (uint64_t)timeout_ms * NS_PER_MS);
        return __real_poll(fds, count, 0);
}

/* ---- the socket ----------------------------------------------------------------------------- */

int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __real_stat(const char *path, struct stat *ret);
int __wrap_stat(const char *path, struct stat *ret);

/* The descriptor becomes one end of a pair, with the flags that it had. */
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
        const int flags = fcntl(fd, F_GETFL);
        int pair[2], r;

        if (!on.begun)
                return __real_connect(fd, address, size);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
                return -1;
        r = fcntl(pair[1], F_SETFL, O_NONBLOCK) ? -errno
                                                : on.server.connect(on.server.data, pair[1]);
        if (!r && (dup3(pair[0], fd, O_CLOEXEC) < 0 || fcntl(fd, F_SETFL, flags)))
                r = -errno;
        close(pair[0]);
        if (!r)
                return 0;
        errno = -r;
        return -1;
}

int __wrap_stat(const char *path, struct stat *ret)
{
        uint64_t mtime_ns;
        int r;

        if (!on.begun)
                return __real_stat(path, ret);
        memset(ret, 0, sizeof(*ret));
        r = on.server.mtime(on.server.data, &mtime_ns);
        ret->st_mtim.tv_sec = (time_t)(mtime_ns / NS_PER_S);
        ret->st_mtim.tv_nsec = (long)(mtime_ns % NS_PER_S);
        errno = -r;
        return r ? -1 : 0;
}

/* ---- address space -------------------------------------------------------------------------- */

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);
void *__real_mremap(void *from, size_t before, size_t bytes, int flags, ...);
void *__wrap_mremap(void *from, size_t before, size_t bytes, int flags, ...);

static int64_t pages(size_t bytes)
{
        return (int64_t)((bytes + 4095) / 4096 * 4096);
}

/* What is mapped over something else was counted with that. */
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
        void *const got = __real_mmap(at, bytes, protection, flags, fd, offset);

        if (got != MAP_FAILED && !(flags & MAP_FIXED))
                on.mapped_bytes += pages(bytes);
        return got;
}

int __wrap_munmap(void *at, size_t bytes)
{
        const int r = __real_munmap(at, bytes);

        if (!r)
                on.mapped_bytes -= pages(bytes);
        return r;
}

/* It moves to where something was, and leaves nothing behind. */
void *__wrap_mremap(void *from, size_t before, size_t bytes, int flags, ...)
{
        va_list arguments;
        void *to, *got;

        va_start(arguments, flags);
        to = va_arg(arguments, void *);
        va_end(arguments);
        if (!on.begun)
                return __real_mremap(from, before, bytes, flags, to);
        assert(flags & MREMAP_FIXED && before == bytes);
        got = __real_mremap(from, before, bytes, flags, to);
        if (got != MAP_FAILED)
                on.mapped_bytes -= pages(bytes);
        return got;
}
