/* SPDX-License-Identifier: MIT */
/*
 * Owns the process, not the channel. Between fork and exec only system calls are made, since the
 * keeper has threads: what they held is held for ever in the child.
 */
#include "worker_process.h"

#include "keeper_protocol.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_TRIES   200
#define STOP_WAIT_NS (10 * NS_PER_MS)

/* One process answers all: it goes before the clients that keep it busy, or on a full machine every
 * answer waits until each of them has had its turn. Only with the right to do so. */
#define WORKER_NICE (-10)

#define DESCRIPTORS 6 /* from KEEPER_FD_CHANNEL on; the last two may be missing */
_Static_assert(KEEPER_FD_UDMABUF == KEEPER_FD_CHANNEL + DESCRIPTORS - 1, "no gap");

/* Above every number that dup2() is going to write to. */
#define FIRST_FREE_FD (KEEPER_FD_CHANNEL + DESCRIPTORS)

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* A number whose descriptor is -1 is left closed. */
static int place_descriptors(const int descriptors[DESCRIPTORS])
{
        int moved[DESCRIPTORS];

        for (int i = 0; i < DESCRIPTORS; i++) {
                if (descriptors[i] < 0)
                        continue;
                moved[i] = fcntl(descriptors[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
                if (moved[i] < 0)
                        return -1;
        }
        for (int i = 0; i < DESCRIPTORS; i++) {
                if (descriptors[i] < 0)
                        close(KEEPER_FD_CHANNEL + i);
                else if (dup2(moved[i], KEEPER_FD_CHANNEL + i) < 0)
                        return -1;
        }
        return 0;
}

/* Whatever the keeper has: the next program begins with nothing. Where a filter refuses capset()
 * the keeper has none, or only what is ambient. */
static int drop_capabilities(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return -1;
        return syscall(SYS_capset, &header, none) < 0 && geteuid() == 0 ? -1 : 0;
}

/* The C library's versions would tell threads that are not there. */
static int become(uid_t uid, gid_t gid)
{
        if (gid != (gid_t)-1) {
                if (syscall(SYS_setgroups, 0, NULL) < 0 && geteuid() == 0)
                        return -1;
                if (syscall(SYS_setresgid, gid, gid, gid) < 0)
                        return -1;
        }
        if (uid != (uid_t)-1 && syscall(SYS_setresuid, uid, uid, uid) < 0)
                return -1;
        if (drop_capabilities() < 0)
                return -1;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void reset_signals(void)
{
        sigset_t none;

        signal(SIGIO, SIG_DFL);
        signal(SIGPIPE, SIG_DFL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((__noreturn__))
exec_worker(const struct keeper_settings *settings, const int descriptors[DESCRIPTORS],
            pid_t keeper)
{
        (void)setpriority(PRIO_PROCESS, 0, WORKER_NICE);
        if (place_descriptors(descriptors) == 0 &&
            close_range(FIRST_FREE_FD, ~0U, CLOSE_RANGE_CLOEXEC) == 0 &&
            become(settings->worker_uid, settings->worker_gid) == 0) {
                /* Changing the identity clears it, so it comes after; and it does nothing about a
                 * parent that has died before. */
                prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
                reset_signals();
                if (getppid() == keeper)
                        execv(settings->worker_argv[0], settings->worker_argv);
        }
        _exit(127);
}

int worker_process_start(struct worker_process *worker, const struct keeper_settings *settings,
                         int config_fd, int ledger_fd, int *ret_channel)
{
        int ends[2], r;
        pid_t keeper = getpid(), pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
                return -errno;

        pid = fork();
        if (pid < 0) {
                r = -errno;
                close(ends[0]);
                close(ends[1]);
                return r;
        }
        if (pid == 0)
                exec_worker(settings,
                            (int[]){ ends[1], ledger_fd, config_fd, settings->listen_fd,
                                     settings->metrics_fd, settings->udmabuf_fd },
                            keeper);

        close(ends[1]);
        worker->pid = pid;
        worker->started_ns = now_ns();
        *ret_channel = ends[0];
        return 0;
}

bool worker_process_reap(struct worker_process *worker, int *ret_status)
{
        if (!worker->pid || waitpid(worker->pid, ret_status, WNOHANG) != worker->pid)
                return false;
        worker->pid = 0;
        return true;
}

void worker_process_kill(struct worker_process *worker)
{
        if (worker->pid)
                kill(worker->pid, SIGKILL);
}

/* Return: whether it has ended in time. */
static bool has_ended(struct worker_process *worker)
{
        struct timespec wait = { .tv_nsec = STOP_WAIT_NS };
        int status;

        for (unsigned i = 0; i < STOP_TRIES; i++) {
                if (worker_process_reap(worker, &status))
                        return true;
                nanosleep(&wait, NULL);
        }
        return false;
}

int worker_process_stop(struct worker_process *worker, int channel)
{
        int status;

        if (!worker->pid)
                return 0;
        if (kill(worker->pid, SIGTERM) < 0 && channel >= 0)
                (void)shutdown(channel, SHUT_RDWR);
        if (has_ended(worker))
                return 0;
        /* To wait for one that has not heard of it would be to wait for ever. */
        if (kill(worker->pid, SIGKILL) < 0)
                return -errno;
        waitpid(worker->pid, &status, 0);
        worker->pid = 0;
        return 0;
}
