/* SPDX-License-Identifier: MIT */
/*
 * Owns what is known of the two signals. They are blocked between looking and waiting, so that none
 * gets lost there.
 */
#include "stop.h"

#include "macros.h"

#include <poll.h>
#include <stddef.h>
#include <time.h>

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

void stop_wait_or(uint64_t ns, const sigset_t *others, const volatile sig_atomic_t *came)
{
        const struct timespec left = {
                .tv_sec = (time_t)(ns / NS_PER_S),
                .tv_nsec = (long)(ns % NS_PER_S),
        };
        sigset_t set = *others, before;

        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, &before);
        if (!caught && !*came)
                ppoll(NULL, 0, &left, &before);
        sigprocmask(SIG_SETMASK, &before, NULL);
}

void stop_wait(uint64_t ns)
{
        static const volatile sig_atomic_t never;
        sigset_t none;

        sigemptyset(&none);
        stop_wait_or(ns, &none, &never);
}
