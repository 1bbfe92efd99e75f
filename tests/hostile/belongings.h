/* SPDX-License-Identifier: MIT */
/*
 * What a process has open, for whoever looks for what was left.
 */
#pragma once

#include <sys/types.h>

/**
 * belongings_print() - each descriptor of a process to standard error, with what it refers to, its
 * inode, size and allocated bytes
 * @other: a process in which to look for the same files: what it lacks is marked
 */
void belongings_print(pid_t pid, pid_t other);
