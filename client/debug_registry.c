/* SPDX-License-Identifier: MIT */
/*
 * Owns what is known of the things that the program was given, and the address space and the
 * pointers of those that have ended.
 *
 * Invariant: a pointer that a record has is nobody else's, since its memory is freed with the
 * record; nor are the addresses that belong to it. So whoever comes with one means that thing.
 * Refuses to call out of the library with its lock held, and to be used by a child of fork().
 */
#include "debug_registry.h"

#include "mapping.h"

#include <stdlib.h>
#include <unistd.h>

atomic_bool debug_wanted, debug_others;

static _Atomic(struct debug_registry *) current;

static int compare(const struct debug_record *a, const struct debug_record *b)
{
        return (a->key > b->key) - (a->key < b->key);
}

TREE_GENERATE(debug_key_tree, debug_record, by_key, compare)

/* ---- the registry itself -------------------------------------------------------------------- */

const struct debug_registry *debug_registry_look(void)
{
        return atomic_load_explicit(&current, memory_order_acquire);
}

struct debug_registry *debug_registry(void)
{
        struct debug_registry *registry = atomic_load_explicit(&current, memory_order_acquire);

        return registry && registry->pid == getpid() ? registry : NULL;
}

static struct debug_registry *make(void)
{
        struct debug_registry *registry = calloc(1, sizeof(*registry));

        if (!registry)
                return NULL;
        registry->pid = getpid();
        debug_sites_init(&registry->sites);
        pthread_mutex_init(&registry->lock, NULL);
        RB_INIT(&registry->by_key);
        debug_ranges_init(&registry->reading);
        debug_ranges_init(&registry->writing);
        for (unsigned i = 0; i < DEBUG_KINDS; i++)
                STAILQ_INIT(&registry->ended[i]);
        STAILQ_INIT(&registry->free);
        LIST_INIT(&registry->owners);
        return registry;
}

struct debug_registry *debug_registry_get(void)
{
        struct debug_registry *before = atomic_load_explicit(&current, memory_order_acquire);
        struct debug_registry *registry;

        if (before && before->pid == getpid())
                return before;
        registry = make();
        if (!registry)
                return NULL;
        /* A parent's stays where it is, unused. Its mappings are not known under numbers of ours.
         */
        if (before) {
                atomic_store(&debug_others, true);
                registry->mappings = before->mappings;
        }
        if (atomic_compare_exchange_strong(&current, &before, registry)) {
                atomic_store_explicit(&debug_wanted, true, memory_order_release);
                return registry;
        }
        free(registry); /* another thread was faster */
        return before;
}

struct debug_moment debug_now(struct debug_registry *registry, struct debug_call call)
{
        return (struct debug_moment){
                .function = call.function,
                .site = debug_site(&registry->sites, call.address),
                .thread = (uint64_t)gettid(),
        };
}

/* ---- finding -------------------------------------------------------------------------------- */

struct debug_record *debug_registry_find(struct debug_registry *registry, uintptr_t key)
{
        struct debug_record like = { .key = key };

        return RB_FIND(debug_key_tree, &registry->by_key, &like);
}

/* The index keeps pointers, and asks nothing of what they lead to. */
static struct span *as_span(struct debug_record *record)
{
        return (struct span *)(void *)record;
}

struct debug_record *debug_registry_at(const struct debug_registry *registry, const void *address)
{
        const struct span *span = address_index_find(&registry->by_address, 0, (uintptr_t)address);

        return (struct debug_record *)(uintptr_t)span;
}

/* All addresses by which it is found: where nothing is taken for it alone, those of its memory as
 * long as it lives. */
static struct index_range range_of(const struct debug_facts *facts)
{
        return (struct index_range){
                .first = facts->room_bytes ? facts->room_first : facts->first,
                .bytes = facts->room_bytes ? facts->room_bytes : facts->bytes,
        };
}

/* ---- life ----------------------------------------------------------------------------------- */

static struct debug_record *get_record(struct debug_registry *registry)
{
        struct debug_record *record = STAILQ_FIRST(&registry->free);

        if (record) {
                STAILQ_REMOVE_HEAD(&registry->free, by_end);
                return record;
        }
        return calloc(1, sizeof(*record));
}

struct debug_record *debug_registry_add(struct debug_registry *registry, struct debug_owner *owner,
                                        uintptr_t key, const struct debug_facts *facts)
{
        const struct index_range range = range_of(facts);
        const bool has_memory = facts->kind == DEBUG_BUFFER;
        struct debug_record *record;

        if (has_memory && address_index_reserve(&registry->by_address, &range))
                return NULL;
        record = get_record(registry);
        if (!record)
                return NULL;
        record->key = key;
        record->owner = owner;
        record->facts = *facts;
        record->map = NULL;
        record->slack = 0;
        record->told.what = NULL;
        owner->records++;
        TAILQ_INSERT_TAIL(&owner->live, record, of_owner);
        RB_INSERT(debug_key_tree, &registry->by_key, record);
        debug_record_publish(record);
        if (has_memory)
                address_index_set(&registry->by_address, &range, as_span(record));
        return record;
}

void debug_registry_end(struct debug_registry *registry, struct debug_record *record)
{
        const struct index_range range = range_of(&record->facts);

        TAILQ_REMOVE(&record->owner->live, record, of_owner);
        debug_record_publish(record);
        if (record->facts.kind == DEBUG_BUFFER && !record->facts.room_bytes)
                address_index_clear(&registry->by_address, &range, as_span(record));
}

/* Its addresses are anybody's. */
static void forget_room(struct debug_registry *registry, struct debug_record *record)
{
        const struct index_range range = range_of(&record->facts);

        address_index_clear(&registry->by_address, &range, as_span(record));
        record->facts.room_bytes = 0;
        debug_record_publish(record);
}

static void forget(struct debug_registry *registry, struct debug_record *record)
{
        const struct index_range range = range_of(&record->facts);
        struct debug_owner *owner = record->owner;

        registry->n_ended[record->facts.kind]--;
        registry->ended_bytes -= record->facts.room_bytes;
        if (record->facts.room_bytes) {
                forget_room(registry, record);
                mapping_release((char *)(uintptr_t)range.first, range.bytes);
        }
        RB_REMOVE(debug_key_tree, &registry->by_key, record);
        if (record->facts.kind == DEBUG_BUFFER)
                free((void *)record->key);
        STAILQ_INSERT_HEAD(&registry->free, record, by_end);
        if (!--owner->records && owner->gone)
                free(owner);
}

void debug_registry_bury(struct debug_registry *registry, struct debug_record *record,
                         bool room_kept)
{
        const uint64_t kind = record->facts.kind;
        struct debug_record_queue *ended = &registry->ended[kind];

        if (record->facts.room_bytes && !room_kept)
                forget_room(registry, record);
        STAILQ_INSERT_TAIL(ended, record, by_end);
        registry->n_ended[kind]++;
        registry->ended_bytes += record->facts.room_bytes;
        while (registry->n_ended[kind] > DEBUG_ENDED_MAX ||
               (record->facts.room_bytes && registry->ended_bytes > DEBUG_ENDED_BYTES_MAX &&
                registry->n_ended[kind] > 1)) {
                struct debug_record *oldest = STAILQ_FIRST(ended);

                STAILQ_REMOVE_HEAD(ended, by_end);
                forget(registry, oldest);
        }
}
