/* SPDX-License-Identifier: MIT */
/*
 * System calls that fail on demand, in whatever program: the kernel tells a thread of the test of
 * each (seccomp's notifications) before it is carried out, and that thread says what becomes of it.
 * One count runs through all processes and threads that are watched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct failing_calls;

enum failing_how {
        FAIL_AS_SHORT,    /* with what the call says where something has run out */
        FAIL_INTERRUPTED, /* with EINTR, as if a signal had come */
};

/**
 * struct failed_call - what was made to fail
 * @name:    of the system call; static
 * @error:   that it gave
 * @process: whose
 * @program: its name in /proc
 */
struct failed_call {
        const char *name;
        int error;
        pid_t process;
        char program[16];
};

/**
 * failing_calls_start() - watch the calling thread, and all that it starts from now on
 * @spare_self: calls of the thread itself neither count nor fail, only what it starts
 * @ret: owned by the caller: failing_calls_stop(), from a thread that is not watched, when all
 *       watched ones have ended
 *
 * Nothing fails yet.
 *
 * Return: 0; -ENOSYS where the kernel has no such notifications; other negative errno.
 */
int failing_calls_start(bool spare_self, struct failing_calls **ret);
void failing_calls_stop(struct failing_calls *calls);

/* Count from 0 again, and let the @nth call (from 1 on; 0: none) fail of those that can. */
void failing_calls_arm(struct failing_calls *calls, unsigned long nth, enum failing_how how);

/* Return: whether one has failed; what it was goes to @ret. */
bool failing_calls_failed(struct failing_calls *calls, struct failed_call *ret);

/* The same, and let none fail any more. Return: whether one did. */
bool failing_calls_disarm(struct failing_calls *calls, struct failed_call *ret);

/* Calls so far that could have failed. */
unsigned long failing_calls_count(const struct failing_calls *calls);
