/* SPDX-License-Identifier: MIT */
/*
 * Owns what is found out about streaming mappings: used after their end, ended twice, mapped twice,
 * and taken when it is not one's turn.
 *
 * Invariant: the pieces of a mapping that is there are in one of two trees: of what devices only
 * read, and of what they write. Refuses to call a mistake what a careful driver may do: to read
 * from two devices at once, to sync more than was touched, to hand memory back that was not
 * changed.
 */
#include "debug_map.h"

#include "debug_report.h"
#include "debug_sum.h"
#include "handle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uintptr_t key_of(uint64_t number)
{
        return (uintptr_t)number << 1 | 1; /* no address of a buffer is odd */
}

static bool writes(const struct debug_facts *facts)
{
        return facts->direction != PAR_TO_DEVICE;
}

static struct debug_ranges *ranges_of(struct debug_registry *registry,
                                      const struct debug_facts *facts)
{
        return writes(facts) ? &registry->writing : &registry->reading;
}

/* ---- the bytes themselves ------------------------------------------------------------------- */

/* Return: false where nothing can be said of them. */
static bool sum_of(const struct debug_map *map, uint64_t *ret)
{
        size_t left = SUM_BYTES_MAX;

        *ret = 0;
        for (size_t i = 0; i < map->n_pieces && left; i++) {
                const struct debug_range *piece = &map->pieces[i];
                size_t bytes = piece->last - piece->first + 1;

                bytes = bytes < left ? bytes : left;
                if (!debug_sum((const void *)piece->first, bytes, ret))
                        return false;
                left -= bytes;
        }
        return true;
}

/* All of it is the device's now. What that only reads has to stay as it is. */
static void begin_sum(struct debug_record *record)
{
        struct debug_map *map = record->map;

        map->summed =
                !writes(&record->facts) && turn_is_devices(&map->turn) && sum_of(map, &map->sum);
}

/* It is about to be the processor's. Return: whether it changed before. */
static bool end_sum(struct debug_map *map)
{
        uint64_t sum;
        bool changed;

        changed = map->summed && sum_of(map, &sum) && sum != map->sum;
        map->summed = false;
        return changed;
}

/* ---- made ----------------------------------------------------------------------------------- */

/* With the lock held: the freed buffer to which an address belonged; NULL: none. */
static struct debug_record *freed_at(const struct debug_registry *registry, const void *address)
{
        struct debug_record *record = debug_registry_at(registry, address);

        if (!record || !record->facts.ended.function ||
            (uintptr_t)address - record->facts.first >= record->facts.bytes)
                return NULL;
        return record;
}

bool debug_map_starts(const struct iovec *pieces, size_t n_pieces, struct debug_call call)
{
        struct debug_registry *registry = debug_registry();
        struct debug_report report = { .level = -1 };
        struct debug_record *freed = NULL;
        struct debug_moment moment;

        if (!registry)
                return true;
        moment = debug_now(registry, call);
        pthread_mutex_lock(&registry->lock);
        for (size_t i = 0; i < n_pieces && !freed; i++)
                freed = freed_at(registry, pieces[i].iov_base);
        if (freed)
                debug_report_mistake(&report, registry, freed,
                                     "mapping of memory of a freed buffer", &moment);
        pthread_mutex_unlock(&registry->lock);
        debug_report_send(&report);
        return !freed;
}

static struct debug_map *map_new(const struct debug_mapping *mapping)
{
        struct debug_map *map =
                calloc(1, sizeof(*map) + mapping->n_pieces * sizeof(map->pieces[0]));

        if (!map)
                return NULL;
        map->device = mapping->device;
        map->n_pieces = mapping->resource ? 0 : mapping->n_pieces;
        for (size_t i = 0; i < map->n_pieces; i++) {
                map->pieces[i].first = (uintptr_t)mapping->pieces[i].iov_base;
                map->pieces[i].last = map->pieces[i].first + mapping->pieces[i].iov_len - 1;
        }
        return map;
}

static struct debug_facts facts_of(const struct debug_mapping *mapping,
                                   const struct debug_moment *moment)
{
        struct debug_facts facts = {
                .kind = DEBUG_MAPPING,
                .first = (uintptr_t)mapping->pieces[0].iov_base,
                .dma = mapping->dma,
                .direction = mapping->direction,
                .made = *moment,
        };

        for (size_t i = 0; i < mapping->n_pieces; i++)
                facts.bytes += mapping->pieces[i].iov_len;
        snprintf(facts.label, sizeof(facts.label), "%s", mapping->label ? mapping->label : "");
        snprintf(facts.device, sizeof(facts.device), "%s", mapping->device->name);
        memcpy(facts.owner, mapping->device->par->owner->name, sizeof(facts.owner));
        return facts;
}

struct debug_record *debug_map_of(const struct debug_registry *registry, uint64_t first,
                                  uint64_t bytes)
{
        const uintptr_t last = first + bytes - 1;
        const struct debug_range *range = debug_ranges_find(&registry->writing, first, last);

        if (!range)
                range = debug_ranges_find(&registry->reading, first, last);
        return range ? range->record : NULL;
}

/* With the lock held: report what is wrong with one piece. Return: whether anything is. */
static bool judge_piece(struct debug_registry *registry, struct debug_record *record,
                        const struct debug_range *piece, const struct debug_moment *moment,
                        struct debug_report *report)
{
        const uintptr_t first = piece->first, last = piece->last;
        const struct debug_range *other = debug_ranges_find(&registry->writing, first, last);

        if (!other && writes(&record->facts))
                other = debug_ranges_find(&registry->reading, first, last);
        if (!other || !debug_report_mistake(report, registry, other->record,
                                            "mapped twice, and a device writes", moment))
                return false;
        line_add(&report->line, "; again as ");
        debug_facts_add(&report->line, &record->facts);
        return true;
}

/* With the lock held: pieces of the same list may not overlap either, so one comes after the other.
 */
static void insert_pieces(struct debug_registry *registry, struct debug_record *record,
                          const struct debug_moment *moment, struct debug_report *report)
{
        struct debug_ranges *ranges = ranges_of(registry, &record->facts);
        struct debug_map *map = record->map;
        bool said = false;

        for (size_t i = 0; i < map->n_pieces; i++) {
                if (!said)
                        said = judge_piece(registry, record, &map->pieces[i], moment, report);
                map->pieces[i].record = record;
                debug_ranges_insert(ranges, &map->pieces[i]);
        }
}

/* With the lock held. Return: its number; 0 without memory. */
static uint64_t add(struct debug_registry *registry, const struct debug_mapping *mapping,
                    struct debug_map *map, const struct debug_moment *moment,
                    struct debug_report *report)
{
        const struct debug_facts facts = facts_of(mapping, moment);
        const uint64_t number = registry->mappings + 1;
        struct debug_record *record;

        record = debug_registry_add(registry, mapping->device->par->owner, key_of(number), &facts);
        if (!record)
                return 0;
        registry->mappings = number;
        record->map = map;
        insert_pieces(registry, record, moment, report);
        if (mapping->processors)
                turn_take(&map->turn, 0, facts.bytes - 1);
        begin_sum(record);
        return number;
}

uint64_t debug_map_made(const struct debug_mapping *mapping, struct debug_call call)
{
        struct debug_registry *registry = debug_registry();
        struct debug_report report = { .level = -1 };
        struct debug_moment moment;
        struct debug_map *map;
        uint64_t number;

        if (!registry || !mapping->device->par->owner)
                return 0;
        map = map_new(mapping);
        if (!map)
                return 0;
        moment = debug_now(registry, call);
        pthread_mutex_lock(&registry->lock);
        number = add(registry, mapping, map, &moment, &report);
        pthread_mutex_unlock(&registry->lock);
        if (!number)
                free(map);
        debug_report_send(&report);
        return number;
}

/* ---- used ----------------------------------------------------------------------------------- */

static bool has_shape(const struct debug_record *record, const struct debug_shape *shape)
{
        const struct debug_facts *facts = &record->facts;

        return shape->device == record->map->device && (uintptr_t)shape->pointer == facts->first &&
               shape->length == facts->bytes && shape->dma == facts->dma &&
               shape->direction == facts->direction;
}

/**
 * find_live() - the mapping that is meant
 * @what: the mistake where it has ended
 * @ret_bad: it has, or is not what was made, which is reported
 *
 * With the lock held. Return: NULL where there is none to be looked after.
 */
static struct debug_record *find_live(struct debug_registry *registry, uint64_t number,
                                      const struct debug_shape *shape, const char *what,
                                      const struct debug_moment *moment, bool *ret_bad,
                                      struct debug_report *report)
{
        struct debug_record *record = debug_registry_find(registry, key_of(number));

        *ret_bad = record && (record->facts.ended.function || !has_shape(record, shape));
        if (*ret_bad)
                debug_report_mistake(report, registry, record,
                                     record->facts.ended.function
                                             ? what
                                             : "a mapping that says something else than when it "
                                               "was made",
                                     moment);
        return *ret_bad ? NULL : record;
}

static const char changed[] = "memory changed while it was the device's, which only reads it";

/* With the lock held: a turn is taken, of bytes @first to @last. */
static void take_turn(struct debug_registry *registry, struct debug_record *record, size_t first,
                      size_t last, bool for_device, const struct debug_moment *moment,
                      struct debug_report *report)
{
        struct debug_map *map = record->map;
        const bool all = !first && last == record->facts.bytes - 1;

        if (for_device) {
                if (!turn_give(&map->turn, first, last, all))
                        debug_report_mistake(report, registry, record,
                                             "synced for the device, whose turn it is", moment);
                if (turn_is_devices(&map->turn) && !map->summed)
                        begin_sum(record);
                return;
        }
        if (end_sum(map))
                debug_report_mistake(report, registry, record, changed, moment);
        if (!turn_take(&map->turn, first, last))
                debug_report_mistake(report, registry, record,
                                     "synced for the processor, whose turn it is", moment);
}

bool debug_map_syncs(uint64_t number, const struct debug_shape *shape, size_t offset, size_t length,
                     bool for_device, struct debug_call call)
{
        struct debug_registry *registry = debug_registry();
        struct debug_report report = { .level = -1 };
        struct debug_record *record;
        struct debug_moment moment;
        bool bad;

        if (!registry || !number)
                return true;
        moment = debug_now(registry, call);
        pthread_mutex_lock(&registry->lock);
        record = find_live(registry, number, shape, "sync of what was unmapped", &moment, &bad,
                           &report);
        if (record && length)
                take_turn(registry, record, offset, offset + length - 1, for_device, &moment,
                          &report);
        pthread_mutex_unlock(&registry->lock);
        debug_report_send(&report);
        return !bad;
}

/* ---- ended ---------------------------------------------------------------------------------- */

void debug_map_abandon(struct debug_registry *registry, struct debug_record *record,
                       const struct debug_moment *moment)
{
        struct debug_ranges *ranges = ranges_of(registry, &record->facts);
        struct debug_map *map = record->map;

        for (size_t i = 0; i < map->n_pieces; i++)
                debug_ranges_remove(ranges, &map->pieces[i]);
        free(map);
        record->map = NULL;
        record->facts.ended = *moment;
        debug_registry_end(registry, record);
        debug_registry_bury(registry, record, false);
}

bool debug_map_ends(uint64_t number, const struct debug_shape *shape, struct debug_call call)
{
        struct debug_registry *registry = debug_registry();
        struct debug_report report = { .level = -1 };
        struct debug_record *record;
        struct debug_moment moment;
        bool bad;

        if (!registry || !number)
                return true;
        moment = debug_now(registry, call);
        pthread_mutex_lock(&registry->lock);
        record = find_live(registry, number, shape, "unmapped twice", &moment, &bad, &report);
        if (record && end_sum(record->map))
                debug_report_mistake(&report, registry, record, changed, &moment);
        if (record)
                debug_map_abandon(registry, record, &moment);
        pthread_mutex_unlock(&registry->lock);
        debug_report_send(&report);
        return !bad;
}
