/* SPDX-License-Identifier: MIT */
/*
 * Showing the same again and again: --watch.
 */
#pragma once

#include "arguments.h"

/**
 * watch_run() - have arguments->command show what it has to show every arguments->watch_ns
 *
 * On a terminal in place, until SIGINT or SIGTERM; where pard goes away meanwhile it says so and
 * tries again. Elsewhere one after the other, with a line in between that tells the time, or in
 * JSON a line each; there a failure ends it.
 *
 * Return: the exit status; EXIT_DONE after a signal.
 */
int watch_run(const struct arguments *arguments);
