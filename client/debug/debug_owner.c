/* SPDX-License-Identifier: MIT */
/*
 * Owns what is known of a connection that is looked after, and tells what it leaves behind.
 *
 * Invariant: the log of a connection that is gone is not called. Refuses to fail: without memory a
 * connection is not looked after.
 */
#include "debug_map.h"
#include "debug_report.h"
#include "handle.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

/* So many are told one by one. */
#define LEAKS_TOLD 32

static struct debug_owner *owner_new(struct debug_registry *registry, const struct par *par)
{
        struct debug_owner *owner = calloc(1, sizeof(*owner));

        if (!owner)
                return NULL;
        memcpy(owner->name, par->name, sizeof(owner->name));
        owner->log = par->log;
        owner->log_data = par->log_data;
        owner->to_stderr = par->debug;
        TAILQ_INIT(&owner->live);
        pthread_mutex_lock(&registry->lock);
        LIST_INSERT_HEAD(&registry->owners, owner, link);
        pthread_mutex_unlock(&registry->lock);
        return owner;
}

void debug_begin(struct par *par, bool wanted)
{
        struct debug_registry *registry = wanted ? debug_registry_get() : NULL;

        if (registry)
                par->owner = owner_new(registry, par);
        if (!par->owner)
                atomic_store(&debug_others, true);
}

void debug_end(struct par *par)
{
        struct debug_registry *registry = debug_registry();
        struct debug_owner *owner = par->owner;

        if (!registry || !owner)
                return;
        pthread_mutex_lock(&registry->lock);
        LIST_REMOVE(owner, link);
        owner->log = NULL;
        owner->gone = true;
        if (!owner->records)
                free(owner);
        pthread_mutex_unlock(&registry->lock);
        par->owner = NULL;
}

/* ---- what is left behind -------------------------------------------------------------------- */

/* struct leaks - @n of them, of which the first are told; @reports: room for @room */
struct leaks {
        size_t n, room;
        struct debug_report *reports;
};

/* With the lock held: one is left behind, and ends with what it belongs to. */
static void take_leak(struct debug_registry *registry, struct debug_record *record,
                      const struct debug_moment *moment, struct leaks *leaks)
{
        const bool is_mapping = record->facts.kind == DEBUG_MAPPING;
        const char *what = is_mapping ? "not unmapped" : "not freed";
        const bool is_leak = record->facts.holder != DEBUG_OF_SLOTS;

        if (is_leak && leaks->n < leaks->room &&
            debug_report_mistake(&leaks->reports[leaks->n], registry, record, what, moment))
                leaks->reports[leaks->n].level = LOG_WARNING;
        leaks->n += is_leak;
        if (is_mapping) {
                debug_map_abandon(registry, record, moment);
        } else {
                record->facts.ended = *moment;
                debug_registry_end(registry, record);
        }
}

/* With the lock held: all of a connection; with @device, its mappings. */
static void take_leaks(struct debug_registry *registry, struct debug_owner *owner,
                       const struct par_device *device, const struct debug_moment *moment,
                       struct leaks *leaks)
{
        struct debug_record *record = TAILQ_FIRST(&owner->live), *next;

        for (; record; record = next) {
                next = TAILQ_NEXT(record, of_owner);
                if (!device || (record->map && record->map->device == device))
                        take_leak(registry, record, moment, leaks);
        }
}

/* Without memory they end all the same, untold. */
static void tell_leaks(struct par *par, const struct par_device *device, struct debug_call call)
{
        struct debug_registry *registry = debug_registry();
        struct leaks leaks = { .n = 0 };
        struct debug_moment moment;

        if (!registry || !par->owner)
                return;
        leaks.reports = calloc(LEAKS_TOLD, sizeof(leaks.reports[0]));
        leaks.room = leaks.reports ? LEAKS_TOLD : 0;
        moment = debug_now(registry, call);
        pthread_mutex_lock(&registry->lock);
        take_leaks(registry, par->owner, device, &moment, &leaks);
        pthread_mutex_unlock(&registry->lock);

        for (size_t i = 0; i < leaks.n && i < leaks.room; i++)
                debug_report_send(&leaks.reports[i]);
        if (leaks.n > leaks.room)
                handle_log(par, LOG_WARNING, "and %zu more", leaks.n - leaks.room);
        free(leaks.reports);
}

void debug_tell_leaks(struct par *par, struct debug_call call)
{
        tell_leaks(par, NULL, call);
}

void debug_map_tell_leaks(const struct par_device *device, struct debug_call call)
{
        tell_leaks(device->par, device, call);
}
