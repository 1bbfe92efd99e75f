/* SPDX-License-Identifier: MIT */
/*
 * Running a command that only looks.
 */
#pragma once

#include "arguments.h"

/* Connect, and have arguments->command show what it has to show. Return: the exit status. */
int show_run(const struct arguments *arguments);

/* The same, with a connection. */
int show_once(const struct arguments *arguments, struct ask *ask, const struct output *output);
