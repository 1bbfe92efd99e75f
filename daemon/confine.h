/* SPDX-License-Identifier: MIT */
/*
 * What the worker may ask of the kernel. It reads what strangers send; whoever takes it over gets
 * no more than what is listed here.
 */
#pragma once

/**
 * confine_worker() - from here on this process can do what the worker does, and nothing else
 *
 * Takes every capability away, for good, and loads a filter of system calls (seccomp(2)). Calls
 * that the filter does not know fail with ENOSYS, for which the C library has its ways; those that
 * only an intruder makes, end the process. Threads that start later are under it, too. Called
 * before the first of them, and before anything of a client was read.
 *
 * Return: 0; -EINVAL: the kernel has no such filters; -EFAULT: it refused this one; -EPERM;
 * -ENOMEM. What it did until then stays.
 */
int confine_worker(void);

/**
 * confine_opener() - from here on this process can hand out what is open, and open what it is told
 * to read
 *
 * It keeps its capabilities. What is not on its list ends it.
 *
 * Return: as confine_worker().
 */
int confine_opener(void);
