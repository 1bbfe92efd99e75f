/* SPDX-License-Identifier: MIT */
/*
 * Owns the child. The signals that are passed on to it are blocked all the while and waited for, so
 * that none gets lost.
 */
#include "child.h"

#include "exits.h"
#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void block(sigset_t *set, sigset_t *before)
{
        sigemptyset(set);
        sigaddset(set, SIGINT);
        sigaddset(set, SIGTERM);
        sigaddset(set, SIGCHLD);
        sigprocmask(SIG_BLOCK, set, before);
}

static void execute(char *const *argv, const sigset_t *mask)
{
        int error;

        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        sigprocmask(SIG_SETMASK, mask, NULL);
        execvp(argv[0], argv);
        error = errno;
        fprintf(stderr, "parctl: %s: %s\n", argv[0], strerror(error));
        _exit(error == ENOENT ? 127 : 126);
}

/* @set: SIGCHLD and those to pass on; blocked */
static int wait_for(pid_t child, const sigset_t *set)
{
        siginfo_t info;
        int status;

        for (;;) {
                if (sigwaitinfo(set, &info) < 0)
                        continue;
                /* A terminal sends its signals to the child as well: only pass on what was sent to
                 * us alone. */
                if (info.si_signo != SIGCHLD) {
                        if (info.si_code != SI_KERNEL)
                                kill(child, info.si_signo);
                        continue;
                }
                if (waitpid(child, &status, WNOHANG) != child)
                        continue;
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
}

int child_run(char *const *argv)
{
        sigset_t set, before;
        pid_t child;
        int status;

        block(&set, &before);
        /* A signal that came before the command started ends it at once. */
        if (stop_signal()) {
                sigprocmask(SIG_SETMASK, &before, NULL);
                return 128 + stop_signal();
        }
        child = fork();
        if (child == 0)
                execute(argv, &before);
        if (child < 0) {
                fprintf(stderr, "parctl: %s cannot be started: %s\n", argv[0], strerror(errno));
                status = EXIT_BEFORE_CHILD;
        } else {
                status = wait_for(child, &set);
        }
        sigprocmask(SIG_SETMASK, &before, NULL);
        return status;
}
