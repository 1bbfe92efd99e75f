/* SPDX-License-Identifier: MIT */
/*
 * What the worker and the opener may ask of the kernel: the filters by themselves, call by call,
 * and around the worker of a real pard, which serves and reads its configuration again under it.
 */
#include "confine.h"

#include "macros.h"
#include "par.h"
#include "pard_fixture.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What each call says: 0 or more, or -errno. */
static int result(long r)
{
        return r < 0 ? -errno : 0;
}

static int open_file(void)
{
        return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int look_at_path(void)
{
        struct stat status;

        return result(stat("/etc/passwd", &status));
}

/* A filter sees no names: to what asks like fstat() a path can be told all the same. */
static int look_at_path_as_descriptor(void)
{
        struct stat status;

        return result(fstatat(AT_FDCWD, "/etc/passwd", &status, AT_EMPTY_PATH));
}

static int look_at_descriptor(void)
{
        struct stat status;

        return result(fstat(STDERR_FILENO, &status));
}

static int make_memfd(void)
{
        return result(memfd_create("x", MFD_CLOEXEC));
}

static int make_code(void)
{
        void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return memory == MAP_FAILED ? -errno : 0;
}

static int turn_into_code(void)
{
        void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return memory == MAP_FAILED ? 1 : result(mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}

static int make_memory(void)
{
        void *memory = malloc(64 << 20);

        if (!memory)
                return -ENOMEM;
        memset(memory, 1, 64 << 20);
        free(memory);
        return 0;
}

static int open_internet(void)
{
        return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int signal_others(void)
{
        return result(kill(getppid(), 0));
}

static int signal_by_thread(void)
{
        return result(syscall(SYS_tgkill, 1, 1, 0));
}

static int signal_by_descriptor(void)
{
        return result(syscall(SYS_pidfd_send_signal, STDERR_FILENO, SIGKILL, NULL, 0));
}

static int signal_by_queue(void)
{
        return result(syscall(SYS_rt_sigqueueinfo, getppid(), SIGKILL, NULL));
}

static int signal_by_owner(void)
{
        return result(fcntl(STDERR_FILENO, F_SETOWN, getppid()));
}

static int limit_others(void)
{
        return result(syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, NULL));
}

static int slow_others(void)
{
        return result(setpriority(PRIO_PROCESS, (id_t)getppid(), 19));
}

static int advise_others(void)
{
        return result(syscall(SYS_process_madvise, STDERR_FILENO, NULL, 0, 0, 0));
}

static int read_others(void)
{
        return result(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int write_others(void)
{
        return result(syscall(SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0));
}

static int take_descriptor(void)
{
        return result(syscall(SYS_pidfd_getfd, STDERR_FILENO, 0, 0));
}

static int compare_with_others(void)
{
        return result(syscall(SYS_kcmp, getpid(), getppid(), 0, 0, 0));
}

static int change_mode(void)
{
        return result(fchmod(STDERR_FILENO, 0666));
}

static int seal_file(void)
{
        return result(fcntl(STDERR_FILENO, F_ADD_SEALS, F_SEAL_WRITE));
}

static int be_seen(void)
{
        return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int bind_name(void)
{
        const struct sockaddr name = { .sa_family = AF_UNIX };

        return result(bind(STDERR_FILENO, &name, sizeof(name.sa_family)));
}

static int read_file(void)
{
        const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : close(fd);
}

static int write_file(void)
{
        return result(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static int make_file(void)
{
        return result(open("/tmp", O_TMPFILE | O_RDWR, 0600));
}

static int make_socket(void)
{
        return result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void *nothing(void *data)
{
        return data;
}

static int start_thread(void)
{
        pthread_t thread;
        int r = pthread_create(&thread, NULL, nothing, NULL);

        return r ? -r : -pthread_join(thread, NULL);
}

static int other_ioctl(void)
{
        struct udmabuf_create create = { 0 };

        return result(ioctl(STDERR_FILENO, UDMABUF_CREATE, &create));
}

static int break_lease(void)
{
        return result(fcntl(STDERR_FILENO, F_SETLEASE, F_UNLCK));
}

static int copy_descriptor(void)
{
        return result(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
}

static int execute(void)
{
        char *const argv[] = { (char *)(uintptr_t) "true", NULL };

        return result(execv("/bin/true", argv));
}

static int make_process(void)
{
        const pid_t pid = (pid_t)syscall(SYS_fork);

        if (pid == 0)
                _exit(0);
        return result(pid);
}

static int trace_process(void)
{
        return result(syscall(SYS_ptrace, 0, 0, 0, 0));
}

static int become_root(void)
{
        return result(syscall(SYS_setresuid, 0, 0, 0));
}

static int ask_ring(void)
{
        return result(syscall(SYS_io_uring_setup, 1, NULL));
}

static int abort_itself(void)
{
        abort();
}

/* @result: 0 or -errno; @signal: instead, by which the process ends */
struct attempt {
        const char *name;
        int (*call)(void);
        int result, signal;
};

static const struct attempt worker_attempts[] = {
        { "a file is opened", open_file, -ENOSYS, 0 },
        { "a path is looked at", look_at_path, -ENOSYS, 0 },
        { "a path is looked at like a descriptor", look_at_path_as_descriptor, 0, 0 },
        { "a descriptor is looked at", look_at_descriptor, 0, 0 },
        { "a memfd", make_memfd, -ENOSYS, 0 },
        { "memory is code", make_code, -ENOSYS, 0 },
        { "memory becomes code", turn_into_code, -ENOSYS, 0 },
        { "memory", make_memory, 0, 0 },
        { "a socket of the internet", open_internet, -ENOSYS, 0 },
        { "a signal to another process", signal_others, -ENOSYS, 0 },
        { "a signal to another's thread", signal_by_thread, -ENOSYS, 0 },
        { "a signal by a descriptor", signal_by_descriptor, -ENOSYS, 0 },
        { "a signal with a word", signal_by_queue, -ENOSYS, 0 },
        { "a signal when something is to be read", signal_by_owner, -ENOSYS, 0 },
        { "the limits of another process", limit_others, -ENOSYS, 0 },
        { "the turn of another process", slow_others, -ENOSYS, 0 },
        { "the pages of another process", advise_others, -ENOSYS, 0 },
        { "which files another process has", compare_with_others, -ENOSYS, 0 },
        { "the mode of a file", change_mode, -ENOSYS, 0 },
        { "the seals of a file", seal_file, -ENOSYS, 0 },
        { "to be looked into", be_seen, -ENOSYS, 0 },
        { "a name for a socket", bind_name, -ENOSYS, 0 },
        { "the memory of another process", read_others, 0, SIGSYS },
        { "into the memory of another process", write_others, 0, SIGSYS },
        { "a descriptor of another process", take_descriptor, 0, SIGSYS },
        { "a thread", start_thread, 0, 0 },
        { "another ioctl", other_ioctl, -ENOSYS, 0 },
        { "a lease", break_lease, -ENOSYS, 0 },
        { "a copy of a descriptor", copy_descriptor, 0, 0 },
        { "another program", execute, 0, SIGSYS },
        { "another process", make_process, 0, SIGSYS },
        { "a process is traced", trace_process, 0, SIGSYS },
        { "another user", become_root, 0, SIGSYS },
        { "a ring", ask_ring, 0, SIGSYS },
        { "an assertion that fails", abort_itself, 0, SIGABRT },
};

static const struct attempt opener_attempts[] = {
        { "opener: a file to read", read_file, 0, 0 },
        { "opener: a file to write to", write_file, 0, SIGSYS },
        { "opener: a new file", make_file, 0, SIGSYS },
        { "opener: a socket", make_socket, 0, SIGSYS },
        { "opener: another program", execute, 0, SIGSYS },
        { "opener: another process", make_process, 0, SIGSYS },
        { "opener: a signal", signal_others, 0, SIGSYS },
        { "opener: a process is traced", trace_process, 0, SIGSYS },
        { "opener: code", make_code, 0, SIGSYS },
};

/* In a child, by itself; in a child, since nobody gets rid of the filter. */
static void try(const struct attempt *attempt, int (*confine)(void))
{
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                int r = confine();

                if (r)
                        _exit(200);
                _exit(attempt->call() == attempt->result ? 0 : 1);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
                die("%s: %s", attempt->name, strerror(errno));
        if (WIFEXITED(status) && WEXITSTATUS(status) == 200)
                die("the filter could not be loaded");
        if (attempt->signal ? !WIFSIGNALED(status) || WTERMSIG(status) != attempt->signal
                            : !WIFEXITED(status) || WEXITSTATUS(status) != 0)
                die("%s: status 0x%x", attempt->name, (unsigned)status);
        printf("%s: %s\n", attempt->name,
               attempt->signal   ? strsignal(attempt->signal)
               : attempt->result ? strerror(-attempt->result)
                                 : "goes");
}

/* A line of /proc/PID/status, "Seccomp:\t2"; dies where it is another. */
static void expect_status(pid_t pid, const char *line)
{
        char path[64], text[4096];
        size_t n;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        file = fopen(path, "re");
        if (!file)
                die("%s: %s", path, strerror(errno));
        n = fread(text, 1, sizeof(text) - 1, file);
        text[n] = '\0';
        fclose(file);
        if (!strstr(text, line))
                die("the worker has no line \"%s\" in\n%s", line, text);
}

/* A client, a reload, and a client. */
static void serve_under_it(void)
{
        const char *const reload[] = { "parctl", "reload", NULL };
        struct par_connect_options options = { .client_name = "confined" };
        struct par_buffer *buffer;
        struct pard_fixture pard;
        struct par *par;

        pard_fixture_start_filled(pard_config_sim, &pard);
        setenv("PAR_SOCKET", pard.socket, 1);
        for (int i = 0; i < 2; i++) {
                if (par_connect(pard.socket, &options, &par) ||
                    par_alloc(par, 65536, NULL, NULL, &buffer))
                        die("no buffer: %s", par_error(NULL));
                par_free(buffer);
                par_disconnect(par);
                if (run_program(reload, NULL, 0))
                        die("parctl reload failed");
        }
        expect_status(pard_fixture_worker(&pard), "Seccomp:\t2\n");
        expect_status(pard_fixture_worker(&pard), "NoNewPrivs:\t1\n");
        expect_status(pard_fixture_worker(&pard), "CapPrm:\t0000000000000000\n");
        expect_status(pard_fixture_worker(&pard), "CapEff:\t0000000000000000\n");
        pard_fixture_stop(&pard);
}

int main(void)
{
        for (size_t i = 0; i < ARRAY_SIZE(worker_attempts); i++)
                try(&worker_attempts[i], confine_worker);
        for (size_t i = 0; i < ARRAY_SIZE(opener_attempts); i++)
                try(&opener_attempts[i], confine_opener);
        serve_under_it();
        return 0;
}
