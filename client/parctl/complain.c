/* SPDX-License-Identifier: MIT */
/*
 * Owns the choice where complaints go: while a screen is redrawn, a line on standard error would
 * end up in the middle of it.
 */
#include "complain.h"

#include <stdarg.h>

static FILE *elsewhere;

void complain_to(FILE *stream)
{
        elsewhere = stream;
}

void complain(const char *format, ...)
{
        FILE *stream = elsewhere ? elsewhere : stderr;
        va_list args;

        fputs("parctl: ", stream);
        va_start(args, format);
        vfprintf(stream, format, args);
        va_end(args);
        fputc('\n', stream);
}
