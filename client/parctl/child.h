/* SPDX-License-Identifier: MIT */
/*
 * Running a command that uses a buffer.
 */
#pragma once

/**
 * child_run() - run a command to its end
 * @argv: NULL-terminated; borrowed. Its environment is ours
 *
 * After stop_prepare(). Signals that somebody sends to parctl meanwhile are passed on.
 *
 * Return: its exit status, 128 and the signal that ended it, 126 or 127 where it cannot be executed
 * or found; 125 where it could not be started.
 */
int child_run(char *const *argv);
