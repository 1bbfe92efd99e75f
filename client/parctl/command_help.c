/* SPDX-License-Identifier: MIT */
/* The same as --help. */
#include "commands.h"
#include "complain.h"
#include "exits.h"
#include "help.h"

static int run(const struct arguments *arguments)
{
        const char *name = arguments->n_operands ? arguments->operands[0] : NULL;
        const struct command *command = name ? command_find(name) : NULL;

        if (name && !command) {
                complain("unknown command \"%s\"\nTry: parctl --help", name);
                return EXIT_USAGE;
        }
        help_print(command);
        return EXIT_DONE;
}

const struct command command_help = {
        .name = "help",
        .operands = "[COMMAND]",
        .operands_max = 1,
        .summary = "Print the help of a command",
        .run = run,
};
