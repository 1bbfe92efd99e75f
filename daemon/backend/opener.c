/* SPDX-License-Identifier: MIT */
/*
 * Owns the socket to the opener and, in the opener, the files. It opened them all when it was
 * started, and what is asked for is compared with their names; the one thing that it opens later is
 * the pagemap of the process that started it, since the program that this process executes has a
 * new one. Refuses everything else, and ends with the last descriptor of its socket.
 */
#include "opener.h"

#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_FD 3 /* in the opener; behind standard error */

static const char pagemap[] = "/proc/self/pagemap";

static struct {
        pthread_mutex_t lock; /* from a question to its answer */
        int fd;
} opener = { PTHREAD_MUTEX_INITIALIZER, -1 };

static const struct {
        const char *pattern;
        int flags;
} wanted[] = {
        { "/sys/kernel/mm/hugepages/hugepages-*/nr_hugepages", O_WRONLY },
        { "/sys/kernel/mm/hugepages/hugepages-*/nr_hugepages_mempolicy", O_WRONLY },
        { "/sys/kernel/mm/hugepages/hugepages-*/demote", O_WRONLY },
        { "/sys/kernel/mm/hugepages/hugepages-*/demote_size", O_WRONLY },
        { "/sys/devices/system/node/node*/hugepages/hugepages-*/demote", O_WRONLY },
        { "/proc/kpageflags", O_RDONLY },
        { "/dev/udmabuf", O_RDWR },
};

/* struct held - files of one pattern: of @paths, and a descriptor or negative errno for each */
struct held {
        glob_t paths;
        int *fds;
};

union control {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
};

/* ---- the opener ----------------------------------------------------------------------------- */

static void open_files(struct held held[ARRAY_SIZE(wanted)])
{
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
                held[i] = (struct held){ .fds = NULL };
                if (glob(wanted[i].pattern, 0, NULL, &held[i].paths))
                        continue; /* this system has none */
                held[i].fds = calloc(held[i].paths.gl_pathc, sizeof(int));
                for (size_t j = 0; held[i].fds && j < held[i].paths.gl_pathc; j++) {
                        const char *path = held[i].paths.gl_pathv[j];
                        const int fd = open(path, wanted[i].flags | O_CLOEXEC);

                        held[i].fds[j] = fd < 0 ? -errno : fd;
                }
        }
}

/* Return: a descriptor; negative errno. */
static int find(const struct held held[ARRAY_SIZE(wanted)], const char *path)
{
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
                for (size_t j = 0; held[i].fds && j < held[i].paths.gl_pathc; j++)
                        if (strcmp(held[i].paths.gl_pathv[j], path) == 0)
                                return held[i].fds[j];
        return -EACCES;
}

/* The descriptor is borrowed; none goes along where @result is negative. Return: 0; -errno. */
static int send_answer(int socket, int result)
{
        union control control = { 0 };
        int32_t text = result < 0 ? result : 0;
        struct iovec payload = { &text, sizeof(text) };
        struct msghdr header = { .msg_iov = &payload, .msg_iovlen = 1 };
        struct cmsghdr *rights;

        if (result >= 0) {
                header.msg_control = control.bytes;
                header.msg_controllen = sizeof(control.bytes);
                rights = CMSG_FIRSTHDR(&header);
                rights->cmsg_level = SOL_SOCKET;
                rights->cmsg_type = SCM_RIGHTS;
                rights->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(rights), &result, sizeof(result));
        }
        return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Whoever asks waits for an answer: where the kernel does not let a descriptor through, that is it.
 */
static void answer(int socket, int result)
{
        const int r = send_answer(socket, result);

        if (r && result >= 0)
                (void)send_answer(socket, r);
}

static void answer_pagemap(int socket, const char *path)
{
        const int fd = open(path, O_RDONLY | O_CLOEXEC);

        answer(socket, fd < 0 ? -errno : fd);
        if (fd >= 0)
                close(fd);
}

static void __attribute__((__noreturn__)) serve(pid_t keeper, int (*settle)(void))
{
        struct held held[ARRAY_SIZE(wanted)];
        char path[OPENER_PATH_BYTES], map[32];
        ssize_t n;

        snprintf(map, sizeof(map), "/proc/%d/pagemap", (int)keeper);
        open_files(held);
        if (settle())
                _exit(EXIT_FAILURE);
        while ((n = recv(SOCKET_FD, path, sizeof(path) - 1, 0)) > 0) {
                path[n] = '\0';
                if (strcmp(path, pagemap) == 0)
                        answer_pagemap(SOCKET_FD, map);
                else
                        answer(SOCKET_FD, find(held, path));
        }
        _exit(EXIT_SUCCESS);
}

/* In a child of a child: nobody has to wait for its end. What is sent to all of a terminal's
 * processes is not for it: the keeper has need of it until its own end. */
static void __attribute__((__noreturn__))
become_opener(int socket, pid_t keeper, int (*settle)(void))
{
        sigset_t all;

        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        prctl(PR_SET_NAME, "pard-opener");
        if (socket == SOCKET_FD ? fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC) < 0
                                : dup3(socket, SOCKET_FD, O_CLOEXEC) < 0)
                _exit(EXIT_FAILURE);
        if (close_range(SOCKET_FD + 1, ~0U, 0) < 0)
                _exit(EXIT_FAILURE);
        serve(keeper, settle);
}

/* ---- who asks it ---------------------------------------------------------------------------- */

int opener_start(int (*settle)(void))
{
        const pid_t keeper = getpid();
        int ends[2], status, r = 0;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        pid = fork();
        if (pid == 0) {
                pid = fork();
                if (pid == 0)
                        become_opener(ends[1], keeper, settle);
                _exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        }
        if (pid < 0)
                r = -errno;
        else if (waitpid(pid, &status, 0) != pid || status)
                r = -EAGAIN;
        close(ends[1]);
        if (r)
                close(ends[0]);
        else
                opener.fd = ends[0];
        return r;
}

int opener_resume(int fd)
{
        if (fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return -errno;
        opener.fd = fd;
        return 0;
}

int opener_descriptor(void)
{
        return opener.fd;
}

void opener_end(void)
{
        if (opener.fd >= 0)
                close(STEAL_FD(opener.fd));
}

/* A signal may come in between: those that pard knows are blocked, but a tracer's are not. */
static int hear_answer(int *ret_fd)
{
        union control control;
        int32_t result;
        struct iovec payload = { &result, sizeof(result) };
        struct msghdr header = { .msg_iov = &payload,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes) };
        struct cmsghdr *rights;
        ssize_t n;

        do
                n = recvmsg(opener.fd, &header, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        if (n != sizeof(result))
                return -EPIPE;
        if (result < 0)
                return result;
        rights = CMSG_FIRSTHDR(&header);
        if (!rights || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS)
                return -EMFILE;
        memcpy(ret_fd, CMSG_DATA(rights), sizeof(*ret_fd));
        return 0;
}

int opener_ask(const char *path, int *ret_fd)
{
        const size_t n = strlen(path);
        int r = -EACCES;

        if (n >= OPENER_PATH_BYTES)
                return -EACCES;
        pthread_mutex_lock(&opener.lock);
        if (opener.fd >= 0) {
                r = send(opener.fd, path, n, MSG_NOSIGNAL) < 0 ? -errno : hear_answer(ret_fd);
        }
        pthread_mutex_unlock(&opener.lock);
        return r;
}
