/* SPDX-License-Identifier: MIT */
/*
 * Owns one real-time signal of the process, whose handler does nothing. Refuses to leave a thread
 * with another signal mask than it had.
 */
#include "deadline.h"

#include "macros.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id /* glibc has the member, but not its name */
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* The first ones may be the C library's. */
static int deadline_signal(void)
{
        return SIGRTMIN + 4;
}

static void interrupt(int number)
{
        (void)number;
}

int deadline_prepare(void)
{
        struct sigaction action = { .sa_handler = interrupt }; /* without SA_RESTART */

        sigemptyset(&action.sa_mask);
        return sigaction(deadline_signal(), &action, NULL) < 0 ? -errno : 0;
}

int deadline_begin(uint64_t ns, struct deadline *ret)
{
        const struct timespec time = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
        const struct itimerspec times = { .it_interval = time, .it_value = time };
        struct sigevent event = {
                .sigev_notify = SIGEV_THREAD_ID,
                .sigev_signo = deadline_signal(),
        };
        sigset_t signals;

        event.sigev_notify_thread_id = gettid();
        if (timer_create(CLOCK_MONOTONIC, &event, &ret->timer) < 0)
                return -errno;
        sigemptyset(&signals);
        sigaddset(&signals, deadline_signal());
        pthread_sigmask(SIG_UNBLOCK, &signals, &ret->blocked);
        (void)timer_settime(ret->timer, 0, &times, NULL);
        return 0;
}

void deadline_end(const struct deadline *deadline)
{
        timer_delete(deadline->timer);
        pthread_sigmask(SIG_SETMASK, &deadline->blocked, NULL);
}
