/* SPDX-License-Identifier: MIT */
/*
 * Messages for the operator: one sentence a line on standard error, with the level in front as the
 * service manager reads it ("<6>"), or as a word where a person looks at a terminal.
 */
#pragma once

#include <syslog.h>

/**
 * log_open() - once, at the start
 * @who:   "keeper", "worker"; static
 * @level: least important level that is shown (LOG_DEBUG shows all)
 */
void log_open(const char *who, int level);

void log_message(int level, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

#define log_error(...)   log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_DEBUG, __VA_ARGS__)
