/* SPDX-License-Identifier: MIT */
/*
 * Owns what is found out about buffers: used, freed and looked up after they were freed, and
 * written to behind what was asked for.
 *
 * Invariant: a buffer that was freed is told from one that is there by its pointer alone, which is
 * not followed before that is known. Refuses to judge what it was never told of, unless there is
 * nothing that it was not told of.
 */
#include "debug_map.h"
#include "debug_report.h"
#include "handle.h"

#include "macros.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

/* As the kernel's mm/slub.c has it. */
#define POISON_RED 0xbb

/* ---- what lies behind the bytes that were asked for ----------------------------------------- */

static char *slack_of(const struct debug_record *record)
{
        return (char *)(uintptr_t)record->facts.first + record->facts.bytes - record->slack;
}

/* With the lock held: nothing is looked for there any more; what was found is reported. */
static void end_slack(struct debug_registry *registry, struct debug_record *record,
                      const struct debug_moment *moment, struct debug_report *report)
{
        const char *slack = slack_of(record);
        size_t i = 0;

        while (i < record->slack && (unsigned char)slack[i] == POISON_RED)
                i++;
        if (i < record->slack &&
            debug_report_mistake(report, registry, record, "overrun found", moment)) {
                line_add(&report->line, "; written at offset ");
                line_add_number(&report->line, record->facts.bytes - record->slack + i);
                line_add(&report->line, ", asked for ");
                line_add_bytes(&report->line, record->facts.bytes - record->slack);
        }
        memset(slack_of(record), 0, record->slack); /* as he was promised it */
        record->slack = 0;
}

/* ---- made ----------------------------------------------------------------------------------- */

static struct debug_facts facts_of(struct debug_registry *registry, const struct par_buffer *buffer,
                                   const struct debug_birth *birth)
{
        struct debug_facts facts = {
                .number = buffer->id,
                .first = (uintptr_t)buffer->data,
                .bytes = buffer->size,
                .room_first = (uintptr_t)buffer->room,
                .room_bytes = buffer->room_bytes,
                .holder = birth->holder,
                .made = debug_now(registry, birth->call),
        };

        snprintf(facts.label, sizeof(facts.label), "%s", birth->label ? birth->label : "");
        memcpy(facts.owner, buffer->par->owner->name, sizeof(facts.owner));
        return facts;
}

void debug_buffer_made(struct par_buffer *buffer, const struct debug_birth *birth)
{
        struct debug_registry *registry = debug_registry();
        struct debug_record *record;
        struct debug_facts facts;

        if (!registry || !buffer->par->owner)
                return;
        facts = facts_of(registry, buffer, birth);
        pthread_mutex_lock(&registry->lock);
        record = debug_registry_add(registry, buffer->par->owner, (uintptr_t)buffer, &facts);
        if (record && birth->asked_bytes && birth->asked_bytes < buffer->size) {
                record->slack = buffer->size - birth->asked_bytes;
                memset(slack_of(record), POISON_RED, record->slack);
        }
        pthread_mutex_unlock(&registry->lock);
        buffer->record = record;
        if (!record)
                atomic_store(&debug_others, true);
}

/* ---- used ----------------------------------------------------------------------------------- */

/* With the lock held: the live record of a pointer of the user's; NULL: there is none. @ret_bad:
 * that is a mistake, and reported. */
static struct debug_record *find_live(struct debug_registry *registry, const void *object,
                                      const struct debug_moment *moment, const char *what,
                                      bool *ret_bad, struct debug_report *report)
{
        struct debug_record *record = debug_registry_find(registry, (uintptr_t)object);

        *ret_bad = record ? record->facts.ended.function != NULL : !atomic_load(&debug_others);
        if (!*ret_bad)
                return record;
        if (record) {
                debug_report_mistake(report, registry, record, what, moment);
                return NULL;
        }
        debug_report_begin(report, registry, NULL, LOG_ERR);
        line_add(&report->line, what);
        line_add(&report->line, ": there is no buffer ");
        line_add_hex(&report->line, (uintptr_t)object);
        line_add(&report->line, ", nor was one lately; by ");
        debug_moment_add(&report->line, moment);
        return NULL;
}

bool debug_buffer_is_stale(const struct par_buffer *buffer, enum debug_use use,
                           struct debug_call call)
{
        struct debug_registry *registry = debug_registry();
        struct debug_report report = { .level = -1 };
        struct debug_record *record;
        struct debug_moment moment;
        bool bad;

        if (!registry)
                return false;
        moment = debug_now(registry, call);
        pthread_mutex_lock(&registry->lock);
        record = find_live(registry, buffer, &moment, "use of a freed buffer", &bad, &report);
        if (record && record->slack && use == DEBUG_USE_WHOLE)
                end_slack(registry, record, &moment, &report);
        pthread_mutex_unlock(&registry->lock);
        debug_report_send(&report);
        return bad;
}

/* ---- freed ---------------------------------------------------------------------------------- */

/* With the lock held: a device may still be using it. */
static void judge_mappings(struct debug_registry *registry, struct debug_record *record,
                           const struct debug_moment *moment, struct debug_report *report)
{
        const struct debug_facts *facts = &record->facts;
        const struct debug_record *mapped = debug_map_of(registry, facts->first, facts->bytes);

        if (!mapped ||
            !debug_report_mistake(report, registry, record, "freed while it is mapped", moment))
                return;
        line_add(&report->line, "; as ");
        debug_facts_add(&report->line, &mapped->facts);
        line_add(&report->line, "; by ");
        debug_moment_add(&report->line, &mapped->facts.made);
}

bool debug_buffer_ends(struct par_buffer *buffer, struct debug_call call)
{
        struct debug_registry *registry = debug_registry();
        struct debug_report report = { .level = -1 }, other = { .level = -1 };
        struct debug_record *record;
        struct debug_moment moment;
        bool bad;

        if (!registry)
                return true;
        moment = debug_now(registry, call);
        pthread_mutex_lock(&registry->lock);
        record = find_live(registry, buffer, &moment, "freed twice", &bad, &report);
        if (record && atomic_load_explicit(&buffer->bounce, memory_order_relaxed))
                record = NULL; /* it stays: the user is not the one to free it */
        if (record && record->slack)
                end_slack(registry, record, &moment, &report);
        if (record) {
                judge_mappings(registry, record, &moment, &other);
                record->facts.ended = moment;
                debug_registry_end(registry, record);
        }
        pthread_mutex_unlock(&registry->lock);
        debug_report_send(&report);
        debug_report_send(&other);
        return !bad;
}

void debug_buffer_bury(struct par_buffer *buffer)
{
        struct debug_registry *registry = debug_registry();

        buffer_free_parts(buffer);
        if (!registry)
                return;
        pthread_mutex_lock(&registry->lock);
        debug_registry_bury(registry, buffer->record, buffer->room != NULL);
        pthread_mutex_unlock(&registry->lock);
}

/* ---- looked up ------------------------------------------------------------------------------ */

/* With the lock held: what is or was in memory at an address; NULL: nothing. */
static struct debug_record *memory_at(struct debug_registry *registry, const void *pointer)
{
        struct debug_record *record = debug_registry_at(registry, pointer);

        return record && (uintptr_t)pointer - record->facts.first < record->facts.bytes ? record
                                                                                        : NULL;
}

void debug_pointer_missed(const void *pointer, struct debug_call call)
{
        struct debug_registry *registry = debug_registry();
        struct debug_report report = { .level = -1 };
        struct debug_record *record;
        struct debug_moment moment;

        if (!registry)
                return;
        moment = debug_now(registry, call);
        pthread_mutex_lock(&registry->lock);
        record = memory_at(registry, pointer);
        if (record && record->facts.ended.function &&
            debug_report_mistake(&report, registry, record, "address of a freed buffer", &moment)) {
                line_add(&report.line, "; offset ");
                line_add_number(&report.line, (uintptr_t)pointer - record->facts.first);
        }
        pthread_mutex_unlock(&registry->lock);
        debug_report_send(&report);
}

void debug_pointer_measured(const void *pointer, struct debug_call call)
{
        struct debug_registry *registry = debug_registry();
        struct debug_report report = { .level = -1 };
        struct debug_record *record;
        struct debug_moment moment;

        if (!registry)
                return;
        moment = debug_now(registry, call);
        pthread_mutex_lock(&registry->lock);
        record = memory_at(registry, pointer);
        if (record && record->slack && !record->facts.ended.function)
                end_slack(registry, record, &moment, &report);
        pthread_mutex_unlock(&registry->lock);
        debug_report_send(&report);
}
