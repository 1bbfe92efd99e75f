/* SPDX-License-Identifier: MIT */
/*
 * Owns the texts of --help that commands share.
 */
#include "help.h"

#include "arguments.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

#define LINE_WIDTH 79

static const char general[] =
        "  --socket PATH     pard's socket; default: $PAR_SOCKET or /run/pard/pard.sock\n"
        "  --json            print JSON: sizes in bytes, addresses as hexadecimal strings\n"
        "  --bytes           print sizes in bytes instead of K, M, G, T\n"
        "  --noheadings      print lists without their headings\n"
        "  --help            print the help of parctl or of a command\n"
        "  --version         print the version\n";

static const char window[] =
        "  --below ADDRESS     only what reaches below this address\n"
        "  --addr-min ADDRESS  only what reaches to this address or above it\n"
        "  --addr-max ADDRESS  only what reaches to this address or below it\n";

static const char request[] =
        "  --size SIZE         how much; needed\n"
        "  --device NAME       within the limits of this device of pard's configuration\n"
        "  --dma-bits N        addresses of at most N bits\n"
        "  --below ADDRESS     below this address\n"
        "  --addr-max ADDRESS  up to and including this address\n"
        "  --addr-min ADDRESS  from this address on\n"
        "  --align SIZE        every segment starts on a multiple of this power of two\n"
        "  --boundary SIZE     no segment straddles a multiple of this power of two\n"
        "  --max-segments N    in up to N pieces, or \"any\" number; default: 1\n"
        "  --max-segment SIZE  no piece is longer\n"
        "  --pool NAME         from this pool only\n"
        "  --label TEXT        what lists show beside the buffer\n";

static const char hold[] =
        "  --wait MS           milliseconds to wait for memory; -1: for ever\n"
        "  --hold SECONDS      keep the buffer so long\n"
        "  -- COMMAND...       run this with the buffer, and give it back when it ends\n";

/* Print a text in lines of at most LINE_WIDTH; "\n" ends a paragraph. */
static void print_folded(const char *text)
{
        size_t at = 0, length;

        while (*text) {
                length = strcspn(text, " \n");
                if (at && at + 1 + length > LINE_WIDTH) {
                        putchar('\n');
                        at = 0;
                }
                at += (size_t)printf(at ? " %.*s" : "%.*s", (int)length, text);
                text += length;
                if (*text == '\n') {
                        putchar('\n');
                        at = 0;
                }
                text += *text != '\0';
        }
        if (at)
                putchar('\n');
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
        print_folded("Without --json, columns are left out that have nothing unusual to tell, or "
                     "for which the terminal is too narrow; notes stand below the list, except "
                     "with --noheadings.");
}

static void print_command(const struct command *command)
{
        printf("Usage: parctl %s [OPTION...]%s\n%s.\n\n", command->name,
               command->takes & TAKES_HOLD ? " [-- COMMAND...]" : "", command->summary);
        if (command->takes & TAKES_WINDOW)
                fputs(window, stdout);
        if (command->takes & TAKES_POOL)
                fputs("  --pool NAME         only this pool\n", stdout);
        if (command->takes & TAKES_SORT)
                fputs("  --sort COLUMN       lowest first; -COLUMN: highest first\n", stdout);
        if (command->takes & TAKES_REQUEST)
                fputs(request, stdout);
        if (command->takes & TAKES_HOLD)
                fputs(hold, stdout);
        if (command->takes)
                fputs("\n", stdout);
        fputs(general, stdout);
        if (command->help) {
                putchar('\n');
                print_folded(command->help);
        }
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
                printf("  %-8s  %s\n", all[i]->name, all[i]->summary);
        printf("\nOptions:\n%s", general);
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
