/* SPDX-License-Identifier: MIT */
/*
 * Running a command that uses a buffer, and being told to stop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct par;

/**
 * stop_prepare() - from here on SIGINT and SIGTERM are noted instead of ending parctl
 *
 * Calls that wait are interrupted by them (-EINTR).
 */
void stop_prepare(void);

/* Which of them came; 0: none. */
int stop_signal(void);

/**
 * stop_wait() - wait until one of them comes, or a time is over
 * @ns: how long
 */
void stop_wait(uint64_t ns);

/**
 * child_run() - run a command to its end
 * @argv: NULL-terminated; borrowed. Its environment is ours
 *
 * Signals that somebody sends to parctl meanwhile are passed on.
 *
 * Return: its exit status, 128 and the signal that ended it, 126 or 127 where it cannot be executed
 * or found; 125 where it could not be started.
 */
int child_run(char *const *argv);
