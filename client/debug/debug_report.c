/* SPDX-License-Identifier: MIT */
/*
 * Owns the form of a report: the mistake and the thing, the call, and who made and ended it.
 *
 * Refuses to call the program's hook with a lock held, and to say more than once what a loop does.
 */
#include "debug_report.h"

#include <stdio.h>
#include <syslog.h>

void debug_report_begin(struct debug_report *report, const struct debug_registry *registry,
                        const struct debug_owner *owner, int level)
{
        if (!owner || (!owner->log && !owner->to_stderr))
                owner = LIST_FIRST(&registry->owners);
        report->level = level;
        report->log = owner ? owner->log : NULL;
        report->log_data = owner ? owner->log_data : NULL;
        report->to_stderr = owner && owner->to_stderr;
        report->line = line_begin(report->text, sizeof(report->text));
}

bool debug_report_mistake(struct debug_report *report, const struct debug_registry *registry,
                          struct debug_record *record, const char *what,
                          const struct debug_moment *call)
{
        const struct debug_facts *facts = &record->facts;

        if (record->told.what == what && record->told.address == call->site->address)
                return false;
        record->told.what = what;
        record->told.address = call->site->address;

        debug_report_begin(report, registry, record->owner, LOG_ERR);
        line_add(&report->line, what);
        line_add(&report->line, ": ");
        debug_facts_add(&report->line, facts);
        line_add(&report->line, "; by ");
        debug_moment_add(&report->line, call);
        if (facts->ended.function) {
                line_add(&report->line, "; ");
                line_add(&report->line, debug_ended_word(facts));
                line_add(&report->line, " by ");
                debug_moment_add(&report->line, &facts->ended);
        }
        line_add(&report->line, "; made by ");
        debug_moment_add(&report->line, &facts->made);
        return true;
}

void debug_report_send(const struct debug_report *report)
{
        if (report->level < 0)
                return;
        if (report->log)
                report->log(report->log_data, report->level, report->text);
        if (report->to_stderr)
                fprintf(stderr, "<%d>libpar: %s\n", report->level, report->text);
}
