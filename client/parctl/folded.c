/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Breaks lines at blanks alone.
 */
#include "folded.h"

#include <stdbool.h>
#include <string.h>

void folded_print(FILE *stream, const char *text, size_t at, size_t indent, size_t width)
{
        bool first = true;

        while (*text) {
                const size_t length = strcspn(text, " \n");

                if (!first && at + 1 + length > width) {
                        fprintf(stream, "\n%*s", (int)indent, "");
                        at = indent;
                        first = true;
                }
                at += (size_t)fprintf(stream, first ? "%.*s" : " %.*s", (int)length, text);
                first = false;
                text += length;
                if (*text == '\n') {
                        fprintf(stream, "\n%*s", (int)indent, "");
                        at = indent;
                        first = true;
                }
                text += *text != '\0';
        }
        fputc('\n', stream);
}
