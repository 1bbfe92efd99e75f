/* SPDX-License-Identifier: MIT */
/*
 * Asking before something is taken away from others.
 */
#pragma once

#include <stdbool.h>

/* Whether somebody is there to be asked. */
bool confirm_possible(void);

/* Print "QUESTION [y/N] " on standard error and read a line. Return: whether it says yes. */
bool confirm(const char *question);
