/* SPDX-License-Identifier: MIT */
/*
 * A mistake of the program's, as a line in the log of its connection.
 */
#pragma once

#include "debug_registry.h"

#define DEBUG_REPORT_BYTES 1024

/**
 * struct debug_report - a line on its way
 * @level: as in syslog.h; below 0: there is nothing to be said
 * @log, @log_data, @to_stderr: where it goes
 */
struct debug_report {
        int level;
        void (*log)(void *log_data, int level, const char *message);
        void *log_data;
        bool to_stderr;
        struct line line;
        char text[DEBUG_REPORT_BYTES];
};

/* Begin a line for the log of @owner; NULL, or where that is gone: of any connection. With the lock
 * held. */
void debug_report_begin(struct debug_report *report, const struct debug_registry *registry,
                        const struct debug_owner *owner, int level);

/**
 * debug_report_mistake() - say what was done to a thing, where, and whose it is
 * @what: "use of a freed buffer"
 * @call: where it was done
 *
 * With the lock held. Return: whether there is anything to be said: a mistake that is made again
 * and again at one place is told once.
 */
bool debug_report_mistake(struct debug_report *report, const struct debug_registry *registry,
                          struct debug_record *record, const char *what,
                          const struct debug_moment *call);

/* Say it, if there is anything. Without the lock. */
void debug_report_send(const struct debug_report *report);
