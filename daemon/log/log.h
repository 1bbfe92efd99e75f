/* SPDX-License-Identifier: MIT */
/*
 * Messages for the operator. Where standard error is the system's journal each is an entry with
 * fields (PRIORITY, CODE_FILE, PAR_POOL ...); elsewhere one sentence a line, with the level in
 * front as the service manager reads it ("<6>"), or as a word where a person looks at a terminal.
 */
#pragma once

#include "log_fields.h"

#include <stdbool.h>
#include <syslog.h>

/* Where in the code a message comes from: a field of the journal's. */
struct log_place {
        const char *file, *function;
        int line;
};
#define LOG_HERE (&(struct log_place){ __FILE_NAME__, __func__, __LINE__ })

/**
 * log_open() - once, at the start
 * @who:   "pard", "pard-worker"; static
 * @level: least important level that is shown (LOG_DEBUG shows all)
 */
void log_open(const char *who, int level);

/**
 * log_write() - one message, through the macros below
 * @place:  borrowed for the call; NULL: it comes from elsewhere, and the place tells nothing
 * @about:  borrowed for the call; NULL: nothing in particular
 * @format: a sentence that says everything: fields are for searching and are not shown beside it
 *
 * Leaves errno alone.
 */
void log_write(int level, const struct log_place *place, const struct log_fields *about,
               const char *format, ...) __attribute__((__format__(__printf__, 4, 5)));

/* Whether there was an error among the messages so far, or worse: somebody was told what is wrong.
 */
bool log_has_complained(void);

#define log_message(level, ...)      log_write(level, LOG_HERE, NULL, __VA_ARGS__)
#define log_event(level, about, ...) log_write(level, LOG_HERE, about, __VA_ARGS__)

#define log_error(...)   log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_DEBUG, __VA_ARGS__)
