/* SPDX-License-Identifier: MIT */
#pragma once

struct command;

/* Print the help of a command, or, for NULL, of parctl as a whole, on standard output. */
void help_print(const struct command *command);
