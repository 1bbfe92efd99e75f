/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing but the process's name and level. Writes each message with a single write(), so that
 * lines of two processes on one descriptor never mix. Refuses to fail: a message that cannot be
 * written is lost.
 */
#include "log.h"

#include "macros.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 1024

static const char *log_who = "pard";
static int log_level = LOG_INFO;

void log_open(const char *who, int level)
{
        log_who = who;
        log_level = level;
}

static const char *level_word(int level)
{
        static const char *const words[] = { "emergency", "alert",  "critical", "error",
                                             "warning",   "notice", "info",     "debug" };

        return words[level & LOG_PRIMASK];
}

void log_message(int level, const char *format, ...)
{
        int saved_errno = errno;
        char line[LINE_BYTES];
        va_list args;
        size_t used;
        int n;

        if (level > log_level)
                return;

        if (isatty(STDERR_FILENO))
                n = snprintf(line, sizeof(line), "%s: %s: ", log_who, level_word(level));
        else
                n = snprintf(line, sizeof(line), "<%d>%s: ", level, log_who);
        used = n < 0 ? 0 : (size_t)n;

        va_start(args, format);
        n = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
        va_end(args);
        if (n > 0)
                used += (size_t)n < sizeof(line) - used - 1 ? (size_t)n : sizeof(line) - used - 2;
        line[used++] = '\n';

        /* Nowhere to say that this failed. */
        if (write(STDERR_FILENO, line, used) < 0)
                errno = 0;
        errno = saved_errno;
}
