/* SPDX-License-Identifier: MIT */
/*
 * The system's journal, where it is what standard error leads to. Only this folder includes it.
 */
#pragma once

#include "log.h"

#include <stdbool.h>

/* Whether standard error is a stream of the journal's (systemd sets $JOURNAL_STREAM). */
bool journal_is_stderr(void);

/**
 * journal_send() - one entry
 * @who:      SYSLOG_IDENTIFIER
 * @place:    borrowed; NULL: unknown
 * @about:    borrowed; NULL: nothing in particular
 * @sentence: borrowed
 *
 * Return: 0; negative errno where the journal did not take it.
 */
int journal_send(int level, const char *who, const struct log_place *place,
                 const struct log_fields *about, const char *sentence);
