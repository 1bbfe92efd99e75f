/* SPDX-License-Identifier: MIT */
/*
 * Owns the signal state of parctl: after stop_prepare() the two signals are blocked except while
 * something waits, so that none gets lost between looking and waiting.
 */
#include "child.h"

#include "exits.h"
#include "macros.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
        caught = number;
}

void stop_prepare(void)
{
        /* No SA_RESTART: whoever waits shall notice. */
        const struct sigaction action = { .sa_handler = on_signal };

        signal(SIGCHLD, SIG_DFL);
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
}

int stop_signal(void)
{
        return caught;
}

static void block(sigset_t *before, bool with_child)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        if (with_child)
                sigaddset(&set, SIGCHLD);
        sigprocmask(SIG_BLOCK, &set, before);
}

void stop_wait(uint64_t ns)
{
        struct timespec left = {
                .tv_sec = (time_t)(ns / NS_PER_S),
                .tv_nsec = (long)(ns % NS_PER_S),
        };
        sigset_t before;

        block(&before, false);
        if (!caught)
                ppoll(NULL, 0, &left, &before);
        sigprocmask(SIG_SETMASK, &before, NULL);
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

static int wait_for(pid_t child)
{
        siginfo_t info;
        sigset_t set;
        int status;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGCHLD);
        for (;;) {
                if (sigwaitinfo(&set, &info) < 0)
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
        sigset_t before;
        pid_t child;
        int status;

        block(&before, true);
        /* A signal that came before the command started ends it at once. */
        if (caught) {
                sigprocmask(SIG_SETMASK, &before, NULL);
                return 128 + caught;
        }
        child = fork();
        if (child == 0)
                execute(argv, &before);
        if (child < 0) {
                fprintf(stderr, "parctl: %s cannot be started: %s\n", argv[0], strerror(errno));
                status = EXIT_BEFORE_CHILD;
        } else {
                status = wait_for(child);
        }
        sigprocmask(SIG_SETMASK, &before, NULL);
        return status;
}
