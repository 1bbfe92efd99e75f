/* SPDX-License-Identifier: MIT */
/*
 * Owns the texts of --help that commands share.
 */
#include "help.h"

#include "arguments.h"
#include "folded.h"
#include "table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE_WIDTH 79

#define TEXT_COLUMN 22 /* where the text of an option starts */

static void print_option(const struct option_spec *spec)
{
        size_t at = (size_t)printf("  --%s", spec->name);

        if (spec->value)
                at += (size_t)printf(*spec->value == '[' ? "%s" : " %s", spec->value);
        if (at + 2 > TEXT_COLUMN)
                at = (size_t)printf("\n") - 1;
        at += (size_t)printf("%*s", (int)(TEXT_COLUMN - at), "");
        folded_print(stdout, spec->text, at, TEXT_COLUMN, LINE_WIDTH);
}

/* Those of commands that take @takes, the general ones apart. Return: whether there are any. */
static bool print_options(unsigned takes)
{
        size_t n;
        const struct option_spec *specs = options_all(&n);
        bool any = false;

        for (size_t i = 0; i < n; i++) {
                if (!(specs[i].takes & takes))
                        continue;
                print_option(&specs[i]);
                any = true;
        }
        return any;
}

static void print_general(void)
{
        size_t n;
        const struct option_spec *specs = options_all(&n);

        for (size_t i = 0; i < n; i++)
                if (!specs[i].takes)
                        print_option(&specs[i]);
}

static void print_columns(const struct command *command)
{
        size_t at = 0;

        fputs("\nColumns:\n", stdout);
        for (size_t i = 0; i < command->n_columns; i++) {
                const char *name = command->columns[i].name;

                if (at + 1 + strlen(name) > LINE_WIDTH) {
                        putchar('\n');
                        at = 0;
                }
                at += (size_t)printf(at ? " %s" : "  %s", name);
        }
        fputs("\n\n", stdout);
        folded_print(stdout,
                     "Without --json, columns are left out that have nothing unusual to tell, or "
                     "for which the terminal is too narrow; notes stand below the list, except "
                     "with --noheadings and --columns.",
                     0, 0, LINE_WIDTH);
}

static void print_command(const struct command *command)
{
        printf("Usage: parctl %s [OPTION...]", command->name);
        if (command->operands)
                printf(" %s", command->operands);
        printf("%s\n", command->takes & TAKES_HOLD ? " [-- COMMAND...]" : "");
        printf("%s.\n\n", command->summary);
        if (print_options(command->takes))
                putchar('\n');
        print_general();
        if (command->help) {
                putchar('\n');
                folded_print(stdout, command->help, 0, 0, LINE_WIDTH);
        }
        if (command->takes & TAKES_WATCH)
                folded_print(
                        stdout,
                        "\n--watch redraws a terminal in place, until Ctrl-C, also while pard is "
                        "away. Elsewhere a line with the time stands before each turn, or, with "
                        "--json, each turn is one line.",
                        0, 0, LINE_WIDTH);
        if (command->columns)
                print_columns(command);
}

static void print_all(void)
{
        size_t n;
        const struct command *const *all = commands(&n);

        fputs("Usage: parctl [OPTION...] COMMAND [OPTION...]\n"
              "Show what pard holds and who uses it, and try requests.\n\nCommands:\n",
              stdout);
        for (size_t i = 0; i < n; i++)
                printf("  %-8s %s\n", all[i]->name, all[i]->summary);
        fputs("\nOptions:\n", stdout);
        print_general();
        fputs("\nSizes and addresses are whole numbers, in bytes or with K, M, G, T (binary), or\n"
              "hexadecimal after 0x. Exit status: 0 done; 1 refused for now; 2 wrong usage;\n"
              "3 refused for ever; 4 no daemon, or gone meanwhile; 5 another failure.\n",
              stdout);
}

void help_print(const struct command *command)
{
        if (command)
                print_command(command);
        else
                print_all();
}
