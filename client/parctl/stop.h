/* SPDX-License-Identifier: MIT */
/*
 * Being told to stop: SIGINT and SIGTERM.
 */
#pragma once

#include <signal.h>
#include <stdint.h>

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
 * stop_wait_or() - the same, or until a signal of others comes
 * @ns:     how long
 * @others: they have handlers of the caller's
 * @came:   set by these handlers; where it is set already there is no waiting
 */
void stop_wait_or(uint64_t ns, const sigset_t *others, const volatile sig_atomic_t *came);
