/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing: each entry is built on the stack and sent at once. Invariant: a field that is not
 * known is left out, so that a search for a pool finds no message about none. Refuses to look for a
 * journal that standard error does not lead to: who redirects pard's messages has them in one
 * place.
 */
#define SD_JOURNAL_SUPPRESS_LOCATION /* the caller's place is told, not this file's */

#include "journal.h"

#include "macros.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define ENTRY_FIELDS_MAX 12
#define ENTRY_BYTES      4096 /* a sentence and all fields; what does not fit is cut */

/* An entry in the making. */
struct entry {
        struct iovec fields[ENTRY_FIELDS_MAX];
        int n_fields;
        char text[ENTRY_BYTES];
        size_t used;
};

bool journal_is_stderr(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        char actual[64];
        struct stat status;

        if (!stream || fstat(STDERR_FILENO, &status) < 0)
                return false;
        snprintf(actual, sizeof(actual), "%ju:%ju", (uintmax_t)status.st_dev,
                 (uintmax_t)status.st_ino);
        return strcmp(stream, actual) == 0;
}

static void __attribute__((__format__(__printf__, 2, 3)))
add(struct entry *entry, const char *format, ...)
{
        char *at = entry->text + entry->used;
        size_t room = sizeof(entry->text) - entry->used, length;
        va_list args;

        assert(entry->n_fields < ENTRY_FIELDS_MAX);
        va_start(args, format);
        vsnprintf(at, room, format, args);
        va_end(args);
        length = strlen(at);
        entry->fields[entry->n_fields++] = (struct iovec){ at, length };
        entry->used += length < room - 1 ? length + 1 : length;
}

static void add_about(struct entry *entry, const struct log_fields *about)
{
        if (about->pool)
                add(entry, "PAR_POOL=%s", about->pool);
        if (about->client)
                add(entry, "PAR_CLIENT=%s", about->client);
        if (about->has_uid)
                add(entry, "PAR_UID=%" PRIu32, about->uid);
        if (about->has_frame)
                add(entry, "PAR_FRAME=0x%" PRIx64, about->frame);
        if (about->buffer)
                add(entry, "PAR_BUFFER=%" PRIu64, about->buffer);
}

int journal_send(int level, const char *who, const struct log_place *place,
                 const struct log_fields *about, const char *sentence)
{
        struct entry entry = { .n_fields = 0 };

        add(&entry, "MESSAGE=%s", sentence);
        add(&entry, "PRIORITY=%d", level & LOG_PRIMASK);
        add(&entry, "SYSLOG_IDENTIFIER=%s", who);
        if (place) {
                add(&entry, "CODE_FILE=%s", place->file);
                add(&entry, "CODE_LINE=%d", place->line);
                add(&entry, "CODE_FUNC=%s", place->function);
        }
        if (about)
                add_about(&entry, about);
        return sd_journal_sendv(entry.fields, entry.n_fields);
}
