/* SPDX-License-Identifier: MIT */
/* What a child of fork() does with what it has inherited. */
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/**
 * in_child() - run a function in a child of fork()
 *
 * The child ends by a signal: memcheck would miss, in a copy of one thread, what the others own.
 *
 * Return: the function's result; -1 where it did not come to that.
 */
static inline int in_child(int (*run)(void *data), void *data)
{
        int *result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int r, status;
        pid_t pid;

        if (result == MAP_FAILED)
                return -1;
        *result = -1;
        pid = fork();
        if (!pid) {
                *result = run(data);
                raise(SIGKILL);
        }
        r = pid > 0 && waitpid(pid, &status, 0) == pid ? *result : -1;
        munmap(result, 4096);
        return r;
}
