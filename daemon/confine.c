/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of system calls. Invariant: there is none in it that opens a file, executes one, or
 * touches another process; so descriptors come from the keeper and from clients alone. Refuses to
 * guess: what stands here was seen in traces of all tests, or is what the C library calls when
 * memory or a thread is needed, or when the process aborts.
 */
#include "confine.h"

#include "macros.h"
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <linux/udmabuf.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whatever their arguments are. */
static const int allowed[] = {
        /* clients, the keeper, the metrics */
        SCMP_SYS(accept4),
        SCMP_SYS(recvmsg),
        SCMP_SYS(sendmsg),
        SCMP_SYS(shutdown),
        SCMP_SYS(getsockopt),
        SCMP_SYS(setsockopt),
        SCMP_SYS(read),
        SCMP_SYS(readv),
        SCMP_SYS(write),
        SCMP_SYS(writev),
        SCMP_SYS(close),
        /* the event loop */
        SCMP_SYS(epoll_create1),
        SCMP_SYS(epoll_ctl),
        SCMP_SYS(epoll_wait),
        SCMP_SYS(epoll_pwait),
        SCMP_SYS(epoll_pwait2),
        SCMP_SYS(poll),
        SCMP_SYS(ppoll),
        SCMP_SYS(eventfd2),
        SCMP_SYS(pipe2),
        SCMP_SYS(timerfd_create),
        SCMP_SYS(timerfd_settime),
        SCMP_SYS(pidfd_open),
        /* a configuration that is read again, from a memfd */
        SCMP_SYS(pread64),
        SCMP_SYS(lseek),
        SCMP_SYS(fstat),
        /* memory */
        SCMP_SYS(brk),
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(madvise),
        /* threads */
        SCMP_SYS(futex),
        SCMP_SYS(set_robust_list),
        SCMP_SYS(rseq),
        SCMP_SYS(sched_yield),
        SCMP_SYS(sched_getaffinity),
        SCMP_SYS(gettid),
        SCMP_SYS(getpid),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        /* signals */
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sigaltstack),
        SCMP_SYS(restart_syscall),
        /* time and chance */
        SCMP_SYS(clock_gettime),
        SCMP_SYS(clock_getres),
        SCMP_SYS(clock_nanosleep),
        SCMP_SYS(nanosleep),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(time),
        SCMP_SYS(getrandom),
        /* what a process may know of itself and its machine */
        SCMP_SYS(getuid),
        SCMP_SYS(geteuid),
        SCMP_SYS(getgid),
        SCMP_SYS(getegid),
        SCMP_SYS(uname),
        SCMP_SYS(sysinfo),
        SCMP_SYS(getrlimit),
};

/* Nothing in the worker does that, and no library that it uses. */
static const int deadly[] = {
        SCMP_SYS(execve),
        SCMP_SYS(execveat),
        SCMP_SYS(fork),
        SCMP_SYS(vfork),
        SCMP_SYS(ptrace),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(pidfd_getfd),
        SCMP_SYS(open_by_handle_at),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(io_uring_setup),
        SCMP_SYS(io_uring_enter),
        SCMP_SYS(io_uring_register),
        SCMP_SYS(bpf),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(keyctl),
        SCMP_SYS(add_key),
        SCMP_SYS(request_key),
        SCMP_SYS(unshare),
        SCMP_SYS(setns),
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(pivot_root),
        SCMP_SYS(chroot),
        SCMP_SYS(init_module),
        SCMP_SYS(finit_module),
        SCMP_SYS(kexec_load),
        SCMP_SYS(reboot),
        SCMP_SYS(swapon),
        SCMP_SYS(personality),
        SCMP_SYS(setuid),
        SCMP_SYS(setgid),
        SCMP_SYS(setresuid),
        SCMP_SYS(setresgid),
        SCMP_SYS(setgroups),
        SCMP_SYS(capset),
};

/**
 * struct exact - a call that is allowed with one kind of argument
 * @argument, @mask, @value: that argument and the mask give the value
 */
struct exact {
        int call;
        unsigned argument;
        uint64_t mask, value;
};

#define ANY_BITS UINT64_MAX
#define LOW_BITS UINT64_C(0xffffffff) /* of an int; above them may be anything */

static const struct exact exacts[] = {
        { SCMP_SYS(ioctl), 1, LOW_BITS, SIOCOUTQ },
        { SCMP_SYS(ioctl), 1, LOW_BITS, FIONREAD },
        { SCMP_SYS(ioctl), 1, LOW_BITS, TCGETS }, /* stdio asks whether it is a terminal */
        { SCMP_SYS(ioctl), 1, LOW_BITS, UDMABUF_CREATE_LIST },
        { SCMP_SYS(fcntl), 1, LOW_BITS, F_DUPFD_CLOEXEC },
        { SCMP_SYS(fcntl), 1, LOW_BITS, F_GETFD },
        { SCMP_SYS(fcntl), 1, LOW_BITS, F_SETFD },
        { SCMP_SYS(fcntl), 1, LOW_BITS, F_GETFL },
        { SCMP_SYS(fcntl), 1, LOW_BITS, F_SETFL },
        /* As the C library's fstat() asks. A filter cannot see that the name is empty, so whoever
         * takes the worker over learns of any path whether it is there, how large and how old. */
        { SCMP_SYS(newfstatat), 3, AT_EMPTY_PATH, AT_EMPTY_PATH },
        { SCMP_SYS(statx), 2, AT_EMPTY_PATH, AT_EMPTY_PATH },
        /* Memory is never code. */
        { SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
        { SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
        /* A thread, not a process. clone3() hides what it asks for; without it there is clone(). */
        { SCMP_SYS(clone), 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM },
        /* The limits of this process. */
        { SCMP_SYS(prlimit64), 0, LOW_BITS, 0 },
        /* To the journal, which is opened when the first message is for it. */
        { SCMP_SYS(socket), 0, LOW_BITS, AF_UNIX },
        /* The C library names anonymous memory, and threads have names. */
        { SCMP_SYS(prctl), 0, LOW_BITS, PR_SET_NAME },
        { SCMP_SYS(prctl), 0, LOW_BITS, PR_SET_VMA },
};

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
        int r = 0;

        for (size_t i = 0; i < n && !r; i++)
                r = seccomp_rule_add(filter, action, calls[i], 0);
        return r;
}

static int add_exacts(scmp_filter_ctx filter)
{
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(exacts) && !r; i++) {
                const struct exact *exact = &exacts[i];

                r = seccomp_rule_add(
                        filter, SCMP_ACT_ALLOW, exact->call, 1,
                        SCMP_CMP64(exact->argument, SCMP_CMP_MASKED_EQ, exact->mask, exact->value));
        }
        /* What the C library sends itself when it aborts; to nobody else. */
        return r ? r
                 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                    SCMP_CMP64(0, SCMP_CMP_EQ, (uint64_t)getpid(), 0));
}

static int load_filter(scmp_filter_ctx filter)
{
        int r;

        r = add_all(filter, SCMP_ACT_ALLOW, allowed, ARRAY_SIZE(allowed));
        if (!r)
                r = add_exacts(filter);
        if (!r)
                r = add_all(filter, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_SIZE(deadly));
        if (!r)
                r = seccomp_load(filter);
        return r;
}

/* Questions, answers, and /proc/PID/pagemap. */
static const int opener_allowed[] = {
        SCMP_SYS(recvfrom),   SCMP_SYS(sendmsg),         SCMP_SYS(close),
        SCMP_SYS(exit_group), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
};

/* Nothing is opened to be written to, or made. */
static int allow_reading(scmp_filter_ctx filter)
{
        return seccomp_rule_add(
                filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                SCMP_CMP64(2, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
}

int confine_opener(void)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r;

        if (!filter)
                return -ENOMEM;
        r = add_all(filter, SCMP_ACT_ALLOW, opener_allowed, ARRAY_SIZE(opener_allowed));
        if (!r)
                r = allow_reading(filter);
        if (!r)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

int confine_worker(void)
{
        scmp_filter_ctx filter;
        int r;

        r = privileges_have_none(); /* unless somebody else started it there are none */
        if (r)
                return r;
        filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
        if (!filter)
                return -ENOMEM;
        r = load_filter(filter);
        seccomp_release(filter);
        return r;
}
