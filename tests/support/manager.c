/* SPDX-License-Identifier: MIT */
/*
 * Owns the process, the sockets and what is stored. Refuses to go on where pard misbehaves: the
 * test program ends, with pard's own words.
 */
#include "manager.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_NS (60 * UINT64_C(1000000000))
#define MESSAGE_MAX 253
#define NOBODY      65534
#define FIRST_FD    3

static int bind_socket(int type, const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            chmod(path, 0666) < 0)
                die("%s: %s", path, strerror(errno));
        return fd;
}

void manager_init(struct manager *manager)
{
        *manager = (struct manager){ .directory = "/tmp/par-test.XXXXXX" };
        if (!mkdtemp(manager->directory) || chmod(manager->directory, 0755) < 0 ||
            (getuid() == 0 && chown(manager->directory, NOBODY, NOBODY) < 0))
                die("%s: %s", manager->directory, strerror(errno));
        snprintf(manager->socket, sizeof(manager->socket), "%s/pard.sock", manager->directory);
        snprintf(manager->notify_path, sizeof(manager->notify_path), "%s/notify",
                 manager->directory);
        snprintf(manager->config, sizeof(manager->config), "%s/pard.conf", manager->directory);
        snprintf(manager->log, sizeof(manager->log), "%s/log", manager->directory);
        manager->listener = bind_socket(SOCK_SEQPACKET, manager->socket);
        manager->notify = bind_socket(SOCK_DGRAM, manager->notify_path);
        if (listen(manager->listener, SOMAXCONN) < 0)
                die("listen: %s", strerror(errno));
}

void manager_configure(const struct manager *manager, const char *text)
{
        FILE *file = fopen(manager->config, "we");

        if (!file)
                die("%s: %s", manager->config, strerror(errno));
        fprintf(file, "socket = \"%s\"\nmode = \"0666\"\nuser = \"%u\"\n%s", manager->socket,
                getuid() == 0 ? NOBODY : getuid(), text);
        if (fclose(file) != 0)
                die("%s: %s", manager->config, strerror(errno));
}

static void __attribute__((__noreturn__)) fail(struct manager *manager, const char *why)
{
        char line[1024];
        FILE *file = fopen(manager->log, "re");

        while (file && fgets(line, sizeof(line), file))
                fputs(line, stderr);
        if (manager->pid)
                kill(manager->pid, SIGKILL);
        die("%s", why);
}

/* ---- the process ----------------------------------------------------------------------------- */

/* The socket comes first, then what is stored. */
static void __attribute__((__noreturn__)) run(const struct manager *manager, pid_t parent)
{
        char names[64 + MANAGER_STORED_MAX * sizeof(manager->stored[0].name)] = "pard.socket";
        size_t used = strlen(names);
        char number[16], pid[16];
        const int n = 1 + (int)manager->n_stored;
        int log;

        prctl(PR_SET_PDEATHSIG, SIGTERM);
        log = open(manager->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (getppid() != parent || log < 0 || dup2(log, STDERR_FILENO) < 0)
                _exit(1);
        /* Out of the way first. */
        for (int i = 0; i < n; i++) {
                const int fd = i ? manager->stored[i - 1].fd : manager->listener;

                if (dup2(fd, 500 + i) < 0)
                        _exit(1);
                if (i)
                        used += (size_t)snprintf(names + used, sizeof(names) - used, ":%s",
                                                 manager->stored[i - 1].name);
        }
        for (int i = 0; i < n; i++)
                if (dup2(500 + i, FIRST_FD + i) < 0)
                        _exit(1);
        close_range((unsigned)(FIRST_FD + n), ~0U, 0);
        snprintf(number, sizeof(number), "%d", n);
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("LISTEN_FDS", number, 1);
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDNAMES", names, 1);
        setenv("NOTIFY_SOCKET", manager->notify_path, 1);
        execl(PARD_PATH, "pard", "--config", manager->config, "--park", (char *)NULL);
        _exit(127);
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void drop(struct manager *manager, size_t i)
{
        close(manager->stored[i].fd);
        manager->stored[i] = manager->stored[--manager->n_stored];
}

static void forget(struct manager *manager, const char *name)
{
        for (size_t i = manager->n_stored; i-- > 0;)
                if (strcmp(manager->stored[i].name, name) == 0)
                        drop(manager, i);
}

static void store(struct manager *manager, const char *name, const int *fds, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct manager_stored *stored = &manager->stored[manager->n_stored++];

                if (manager->n_stored > MANAGER_STORED_MAX)
                        fail(manager, "too much is stored");
                snprintf(stored->name, sizeof(stored->name), "%s", name);
                stored->fd = fds[i];
        }
}

static void hear(struct manager *manager, char *text, const int *fds, size_t n, bool *ready)
{
        char name[32] = "stored";
        bool stores = false, removes = false;
        char *rest = text, *line;

        while ((line = strtok_r(rest, "\n", &rest))) {
                *ready |= strcmp(line, "READY=1") == 0;
                stores |= strcmp(line, "FDSTORE=1") == 0;
                removes |= strcmp(line, "FDSTOREREMOVE=1") == 0;
                if (strncmp(line, "FDNAME=", 7) == 0)
                        snprintf(name, sizeof(name), "%s", line + 7);
        }
        if (removes)
                forget(manager, name);
        if (stores)
                store(manager, name, fds, n);
        else
                for (size_t i = 0; i < n; i++) /* of a barrier: closed when all before is done */
                        close(fds[i]);
}

/* Return: whether there was a message. */
static bool receive(struct manager *manager, bool *ready)
{
        char text[2048];
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(MESSAGE_MAX * sizeof(int)) + 256];
        } control;
        struct iovec payload = { text, sizeof(text) - 1 };
        struct msghdr message = { .msg_iov = &payload,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        struct pollfd news = { .fd = manager->notify, .events = POLLIN };
        int fds[MESSAGE_MAX];
        size_t n = 0;
        ssize_t size;

        if (poll(&news, 1, 20) <= 0)
                return false;
        size = recvmsg(manager->notify, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0)
                return false;
        text[size] = '\0';
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(fds, CMSG_DATA(c), n * sizeof(int));
        }
        hear(manager, text, fds, n, ready);
        return true;
}

void manager_start(struct manager *manager)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        const pid_t parent = getpid();
        bool ready = false;

        fflush(NULL);
        manager->pid = fork();
        if (manager->pid == 0)
                run(manager, parent);
        if (manager->pid < 0)
                die("fork: %s", strerror(errno));
        while (!ready) {
                (void)receive(manager, &ready);
                if (waitpid(manager->pid, NULL, WNOHANG) == manager->pid) {
                        manager->pid = 0;
                        fail(manager, "pard ended before it served");
                }
                if (now_ns() > deadline)
                        fail(manager, "pard does not serve");
        }
        while (receive(manager, &ready)) {
        }
}

void manager_stop(struct manager *manager)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        bool ready = false;
        int status;

        kill(manager->pid, SIGTERM);
        while (waitpid(manager->pid, &status, WNOHANG) != manager->pid) {
                (void)receive(manager, &ready);
                if (now_ns() > deadline)
                        fail(manager, "pard does not stop");
        }
        while (receive(manager, &ready)) {
        }
        manager->pid = 0;
        if (status)
                fail(manager, "pard did not end well");
}

void manager_forget(struct manager *manager)
{
        while (manager->n_stored)
                drop(manager, 0);
}

void manager_deinit(struct manager *manager)
{
        const char *const remove[] = { "rm", "-rf", manager->directory, NULL };

        if (manager->pid)
                manager_stop(manager);
        manager_forget(manager);
        close(manager->listener);
        close(manager->notify);
        run_program(remove, NULL, 0);
}
