/* SPDX-License-Identifier: MIT */
/*
 * System calls that would wait for others, and shall not wait for long: each of this thread fails
 * with EINTR once the time is over.
 */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <time.h>

/**
 * struct deadline - one that is set
 * @timer:   sends this thread a signal, again and again
 * @blocked: the thread's mask from before
 */
struct deadline {
        timer_t timer;
        sigset_t blocked;
};

/**
 * deadline_prepare() - once in a process, before the first deadline: have a signal that does
 * nothing but interrupt
 *
 * Return: 0; negative errno.
 */
int deadline_prepare(void);

/**
 * deadline_begin() - from @ns on, a call that this thread waits in is interrupted
 * @ns:  > 0; the signal is repeated as often, for a call that begins to wait just after it came
 * @ret: deadline_end() it, on the same thread
 *
 * Return: 0; negative errno.
 */
int deadline_begin(uint64_t ns, struct deadline *ret);
void deadline_end(const struct deadline *deadline);
