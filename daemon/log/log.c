/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing but the process's name and level, whether the journal listens, and whether an error
 * was told. Writes each message with a single call, so that lines of two processes on one
 * descriptor never mix. Refuses to fail: a message that cannot be written is lost.
 */
#include "log.h"

#include "journal.h"
#include "macros.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SENTENCE_BYTES 1000 /* a line adds its level and name to that */
#define LINE_BYTES     1024

static const char *log_who = "pard";
static int log_level = LOG_INFO;
static bool log_to_journal;
static atomic_bool log_complained; /* by whatever thread */

void log_open(const char *who, int level)
{
        log_who = who;
        log_level = level;
        log_to_journal = journal_is_stderr();
}

static const char *level_word(int level)
{
        static const char *const words[] = { "emergency", "alert",  "critical", "error",
                                             "warning",   "notice", "info",     "debug" };

        return words[level & LOG_PRIMASK];
}

static void write_line(int level, const char *sentence)
{
        char line[LINE_BYTES];
        int n;

        if (isatty(STDERR_FILENO))
                n = snprintf(line, sizeof(line), "%s: %s: %s\n", log_who, level_word(level),
                             sentence);
        else
                n = snprintf(line, sizeof(line), "<%d>%s: %s\n", level, log_who, sentence);
        if (n < 0)
                return;
        if ((size_t)n >= sizeof(line)) {
                n = sizeof(line) - 1;
                line[n - 1] = '\n';
        }
        /* Nowhere to say that this failed. */
        if (write(STDERR_FILENO, line, (size_t)n) < 0)
                errno = 0;
}

void log_write(int level, const struct log_place *place, const struct log_fields *about,
               const char *format, ...)
{
        int saved_errno = errno;
        char sentence[SENTENCE_BYTES];
        va_list args;

        if (level <= LOG_ERR)
                atomic_store(&log_complained, true);
        if (level > log_level)
                return;
        va_start(args, format);
        vsnprintf(sentence, sizeof(sentence), format, args);
        va_end(args);

        if (!log_to_journal || journal_send(level, log_who, place, about, sentence))
                write_line(level, sentence);
        errno = saved_errno;
}

bool log_has_complained(void)
{
        return atomic_load(&log_complained);
}
