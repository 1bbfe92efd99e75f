/* SPDX-License-Identifier: MIT */
/*
 * Owns the listener of a seccomp filter and the thread that answers it. The thread is never watched
 * itself: it is started before the filter is there. Should it be gone, what is watched gets ENOSYS.
 */
#include "failing_calls.h"

#include "macros.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/*
 * What can fail on a machine that is short of something, and with what; and whether a signal can
 * interrupt it. close() and munmap() of a whole mapping are not here: they do what they are to do.
 */
static const struct {
        const char *name;
        int number, error;
        bool interruptible;
} watched[] = {
#define CALL(name, error, interruptible)                \
        {                                               \
#name, SYS_##name, error, interruptible \
        }
        CALL(openat, EMFILE, true),
        CALL(read, EIO, true),
        CALL(pread64, EIO, true),
        CALL(write, ENOSPC, true),
        CALL(pwrite64, ENOSPC, true),
        CALL(writev, ENOSPC, true),
        CALL(newfstatat, ENOMEM, false),
        CALL(fstat, ENOMEM, false),
        CALL(getdents64, ENOMEM, false),
        CALL(mmap, ENOMEM, false),
        CALL(mremap, ENOMEM, false),
        CALL(mprotect, ENOMEM, false),
        CALL(madvise, ENOMEM, false),
        CALL(fcntl, ENOMEM, false),
        CALL(flock, ENOLCK, true),
        CALL(ftruncate, ENOSPC, true),
        CALL(fallocate, ENOSPC, true),
        CALL(fchmod, EROFS, false),
        CALL(fchown, EROFS, false),
        CALL(fchownat, EROFS, false),
        CALL(fchmodat, EROFS, false),
        CALL(ioctl, ENOMEM, false),
        CALL(dup3, EMFILE, false),
        CALL(memfd_create, EMFILE, false),
        CALL(pipe2, EMFILE, false),
        CALL(socket, ENOBUFS, false),
        CALL(socketpair, EMFILE, false),
        CALL(bind, ENOMEM, false),
        CALL(listen, ENOMEM, false),
        CALL(connect, EAGAIN, true),
        CALL(accept4, EMFILE, true),
        CALL(sendto, ENOBUFS, true),
        CALL(sendmsg, ENOBUFS, true),
        CALL(recvfrom, ENOMEM, true),
        CALL(recvmsg, ENOMEM, true),
        CALL(getsockopt, ENOBUFS, false),
        CALL(setsockopt, ENOBUFS, false),
        CALL(epoll_create1, EMFILE, false),
        CALL(epoll_ctl, ENOSPC, false),
        CALL(epoll_pwait, EINTR, true),
        CALL(ppoll, ENOMEM, true),
        CALL(eventfd2, EMFILE, false),
        CALL(signalfd4, EMFILE, false),
        CALL(timerfd_create, EMFILE, false),
        CALL(timerfd_settime, ENOMEM, false),
        CALL(timer_create, EAGAIN, false),
        CALL(pidfd_open, EMFILE, false),
        CALL(clone, EAGAIN, false),
        CALL(clone3, EAGAIN, false),
        CALL(execve, ENOMEM, false),
        CALL(wait4, ECHILD, true),
        CALL(clock_nanosleep, EINTR, true),
        CALL(setresuid, EAGAIN, false),
        CALL(setresgid, EAGAIN, false),
        CALL(setgroups, ENOMEM, false),
        CALL(prlimit64, EPERM, false),
        CALL(getrandom, EAGAIN, true),
        CALL(io_uring_setup, ENOMEM, false),
        CALL(io_uring_register, ENOMEM, true),
#ifdef SYS_open
        CALL(open, EMFILE, true),
        CALL(dup2, EMFILE, false),
        CALL(poll, ENOMEM, true),
        CALL(epoll_wait, EINTR, true),
        CALL(fork, EAGAIN, false),
        CALL(rename, EROFS, false),
        CALL(unlink, EROFS, false),
        CALL(chmod, EROFS, false),
        CALL(mkdir, EROFS, false),
#else
        CALL(renameat2, EROFS, false),
        CALL(unlinkat, EROFS, false),
        CALL(mkdirat, EROFS, false),
#endif
#undef CALL
};

struct failing_calls {
        pthread_t thread;
        int listener;
        pid_t spared;         /* 0: nobody */
        pthread_mutex_t lock; /* of the rest but count */
        unsigned long nth;
        enum failing_how how;
        bool armed, failed;
        struct failed_call what;
        atomic_ulong count;
};

static void name_of(pid_t process, char *ret, size_t room)
{
        char path[64];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/comm", (int)process);
        ret[0] = '\0';
        file = fopen(path, "re");
        if (!file)
                return;
        if (fgets(ret, (int)room, file))
                ret[strcspn(ret, "\n")] = '\0';
        fclose(file);
}

/* The errno with which this call fails; 0: it is carried out. */
static int verdict(struct failing_calls *calls, const struct seccomp_notif *call)
{
        size_t i = 0;
        int error = 0;

        while (i < ARRAY_SIZE(watched) && watched[i].number != call->data.nr)
                i++;
        if (i == ARRAY_SIZE(watched) || (pid_t)call->pid == calls->spared)
                return 0;
        pthread_mutex_lock(&calls->lock);
        if (calls->how != FAIL_INTERRUPTED || watched[i].interruptible) {
                unsigned long n = atomic_fetch_add(&calls->count, 1) + 1;

                if (calls->armed && n == calls->nth) {
                        error = calls->how == FAIL_INTERRUPTED ? EINTR : watched[i].error;
                        calls->failed = true;
                        calls->what = (struct failed_call){ .name = watched[i].name,
                                                            .error = error,
                                                            .process = (pid_t)call->pid };
                }
        }
        pthread_mutex_unlock(&calls->lock);
        if (error)
                name_of(calls->what.process, calls->what.program, sizeof(calls->what.program));
        return error;
}

/* Return: false where nothing is left that is watched. */
static bool answer_next(struct failing_calls *calls)
{
        struct pollfd listener = { calls->listener, POLLIN, 0 };
        struct seccomp_notif call;
        struct seccomp_notif_resp answer;

        if (poll(&listener, 1, -1) < 0)
                return errno == EINTR;
        if (!(listener.revents & POLLIN))
                return false;
        memset(&call, 0, sizeof(call));
        if (ioctl(calls->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
                return true; /* it was killed meanwhile */
        answer = (struct seccomp_notif_resp){ .id = call.id };
        answer.error = -verdict(calls, &call);
        if (!answer.error)
                answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        (void)ioctl(calls->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
        return true;
}

static void *answer_all(void *data)
{
        struct failing_calls *calls = data;

        /* The listener comes when the thread that is to be watched has its filter. */
        pthread_mutex_lock(&calls->lock);
        pthread_mutex_unlock(&calls->lock);
        if (calls->listener >= 0)
                while (answer_next(calls))
                        ;
        return NULL;
}

/* Load the number; if it is one of those, tell; else let it pass. */
static int install_filter(void)
{
        struct sock_filter filter[ARRAY_SIZE(watched) + 3];
        struct sock_fprog program = { ARRAY_SIZE(filter), filter };
        const size_t n = ARRAY_SIZE(watched);
        long fd;

        _Static_assert(ARRAY_SIZE(watched) < 255, "a jump's length is a byte");
        filter[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                 offsetof(struct seccomp_data, nr));
        for (size_t i = 0; i < n; i++)
                filter[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                             (uint32_t)watched[i].number,
                                                             (uint8_t)(n - i), 0);
        filter[n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        filter[n + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        /* A signal that comes meanwhile must not have the call begin, and be counted, again. */
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                     SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
                     &program);
        return fd < 0 ? (errno == EINVAL ? -ENOSYS : -errno) : (int)fd;
}

int failing_calls_start(bool spare_self, struct failing_calls **ret)
{
        struct failing_calls *calls;
        int r;

        calls = calloc(1, sizeof(*calls));
        if (!calls)
                return -ENOMEM;
        calls->spared = spare_self ? gettid() : 0;
        pthread_mutex_init(&calls->lock, NULL);
        pthread_mutex_lock(&calls->lock);
        r = -pthread_create(&calls->thread, NULL, answer_all, calls);
        if (r) {
                free(calls);
                return r;
        }
        calls->listener = install_filter();
        r = calls->listener < 0 ? calls->listener : 0;
        pthread_mutex_unlock(&calls->lock);
        if (r)
                failing_calls_stop(calls);
        else
                *ret = calls;
        return r;
}

void failing_calls_stop(struct failing_calls *calls)
{
        if (!calls)
                return;
        pthread_join(calls->thread, NULL);
        if (calls->listener >= 0)
                close(calls->listener);
        pthread_mutex_destroy(&calls->lock);
        free(calls);
}

void failing_calls_arm(struct failing_calls *calls, unsigned long nth, enum failing_how how)
{
        pthread_mutex_lock(&calls->lock);
        atomic_store(&calls->count, 0);
        calls->nth = nth;
        calls->how = how;
        calls->failed = false;
        calls->armed = true;
        pthread_mutex_unlock(&calls->lock);
}

bool failing_calls_failed(struct failing_calls *calls, struct failed_call *ret)
{
        bool failed;

        pthread_mutex_lock(&calls->lock);
        failed = calls->failed;
        if (failed)
                *ret = calls->what;
        pthread_mutex_unlock(&calls->lock);
        return failed;
}

bool failing_calls_disarm(struct failing_calls *calls, struct failed_call *ret)
{
        pthread_mutex_lock(&calls->lock);
        calls->armed = false;
        pthread_mutex_unlock(&calls->lock);
        return failing_calls_failed(calls, ret);
}

unsigned long failing_calls_count(const struct failing_calls *calls)
{
        return atomic_load(&calls->count);
}
