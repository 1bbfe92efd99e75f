/* SPDX-License-Identifier: MIT */
/*
 * Looking at processes through /proc, and running programs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* End the test program with a message; for what must not go wrong. */
void die(const char *format, ...) __attribute__((__format__(__printf__, 1, 2), __noreturn__));

/* Monotonic time. */
uint64_t now_ns(void);

/* Open descriptors of a process; dies where it cannot be seen. */
unsigned process_descriptors(pid_t pid);

/* Resident memory of a process that is its own, in KiB; dies where it cannot be seen. */
long process_resident_kib(pid_t pid);

/**
 * process_waited_ns() - how long the main thread of a process was ready and had no processor
 * @pid: the process; 0: the caller
 *
 * Counted by the kernel since the process began: the second figure of /proc/PID/schedstat, "time
 * spent waiting on a runqueue" (Documentation/scheduler/sched-stats.rst). 0 where the kernel does
 * not count it, or the process is not there.
 */
uint64_t process_waited_ns(pid_t pid);

/* The only child of a process; 0 where there is none. */
pid_t process_child(pid_t pid);

/**
 * run_program() - run a program to its end
 * @argv:   NULL-terminated; argv[0] is looked up in PATH. "parctl" is the one just built
 * @output: NULL, or where to put what it says on standard output, NUL-terminated
 * @room:   size of @output
 *
 * Return: its exit status; 128 + signal.
 */
int run_program(const char *const argv[], char *output, size_t room);
