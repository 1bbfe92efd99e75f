/* SPDX-License-Identifier: MIT */
/*
 * Owns the order in which records are written, so that a process may end between any two stores:
 * fill in, sum up, then the word that makes it count. What is not used any more loses its word
 * first.
 *
 * Refuses to allocate anything after it was opened: records come from tables of a fixed size, and
 * those without a use are linked through themselves.
 */
#include "ledger_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ledger_begin *ledger_record(const struct ledger *ledger, enum ledger_table table,
                                   uint32_t number)
{
        const struct ledger_records *records = &ledger->tables[table];

        assert(number < records->room);
        return (struct ledger_begin *)(void *)(records->at + number * records->record_bytes);
}

void ledger_spare(struct ledger *ledger, enum ledger_table table, uint32_t number)
{
        struct ledger_begin *begin = ledger_record(ledger, table, number);

        atomic_store_explicit(&begin->word, 0, memory_order_release);
        begin->link = ledger->tables[table].spare;
        ledger->tables[table].spare = number;
}

uint32_t ledger_claim(struct ledger *ledger, enum ledger_table table)
{
        struct ledger_records *records = &ledger->tables[table];
        uint32_t number = records->spare, used;
        struct ledger_begin *begin;

        if (number != LEDGER_NONE) {
                begin = ledger_record(ledger, table, number);
                records->spare = begin->link;
                memset(begin, 0, records->record_bytes);
                return number;
        }
        used = atomic_load(&ledger->head->used[table]);
        if (used == records->room)
                return LEDGER_NONE;
        atomic_store(&ledger->head->used[table], used + 1);
        return used;
}

void ledger_copy_text(char to[LEDGER_TEXT_BYTES], const char *from)
{
        size_t n = strlen(from);

        assert(n < LEDGER_TEXT_BYTES);
        memcpy(to, from, n + 1);
}

/* ---- sessions ------------------------------------------------------------------------------- */

int ledger_add_session(struct ledger *ledger, const struct ledger_session *session, uint32_t *ret)
{
        struct ledger_session_record *record;
        uint32_t number;

        *ret = LEDGER_NONE;
        if (!ledger)
                return 0;
        number = ledger_claim(ledger, LEDGER_SESSIONS);
        if (number == LEDGER_NONE)
                return -ENOSPC;
        record = ledger_session(ledger, number);
        record->token = session->token;
        record->id = session->id;
        record->since_ns = session->since_ns;
        record->uid = session->uid;
        record->gid = session->gid;
        record->pid = session->pid;
        ledger_copy_text(record->name, session->name);
        assert(session->n_groups <= LEDGER_GROUPS);
        record->n_groups = (uint32_t)session->n_groups;
        if (session->n_groups)
                memcpy(record->groups, session->groups,
                       session->n_groups * sizeof(record->groups[0]));
        record->sum = ledger_session_sum(record);
        record->references = 1;
        if (session->id > atomic_load(&ledger->head->last_owner))
                atomic_store(&ledger->head->last_owner, session->id);
        ledger_commit(&record->begin, 1);
        *ret = number;
        return 0;
}

void ledger_end_session(struct ledger *ledger, uint32_t session, uint64_t now_ns)
{
        if (ledger && session != LEDGER_NONE)
                atomic_store(&ledger_session(ledger, session)->ended_ns, now_ns);
}

void ledger_drop_session(struct ledger *ledger, uint32_t session)
{
        struct ledger_session_record *record;

        if (!ledger || session == LEDGER_NONE)
                return;
        record = ledger_session(ledger, session);
        assert(record->references);
        if (!--record->references)
                ledger_spare(ledger, LEDGER_SESSIONS, session);
}

/* ---- buffers -------------------------------------------------------------------------------- */

static void spare_extents(struct ledger *ledger, uint32_t number)
{
        while (number != LEDGER_NONE) {
                uint32_t next = ledger_extent(ledger, number)->extent;

                ledger_spare(ledger, LEDGER_EXTENTS, number);
                number = next;
        }
}

/* Return: the first of a chain with room for so many places, or LEDGER_NONE with none; -ENOSPC. */
static int claim_extents(struct ledger *ledger, size_t n_places, uint32_t *ret)
{
        uint32_t first = LEDGER_NONE;

        for (size_t room = 0; room < n_places; room += LEDGER_PLACES_EXTENT) {
                uint32_t number = ledger_claim(ledger, LEDGER_EXTENTS);

                if (number == LEDGER_NONE) {
                        spare_extents(ledger, first);
                        return -ENOSPC;
                }
                ledger_extent(ledger, number)->extent = first;
                first = number;
        }
        *ret = first;
        return 0;
}

static bool has_room_in(const struct ledger *ledger, enum ledger_table table)
{
        const struct ledger_records *records = &ledger->tables[table];

        return records->spare != LEDGER_NONE ||
               atomic_load(&ledger->head->used[table]) < records->room;
}

bool ledger_has_room(const struct ledger *ledger)
{
        return !ledger || has_room_in(ledger, LEDGER_BUFFERS);
}

bool ledger_has_room_to_share(const struct ledger *ledger)
{
        return !ledger ||
               (has_room_in(ledger, LEDGER_BUFFERS) && has_room_in(ledger, LEDGER_SHARES) &&
                has_room_in(ledger, LEDGER_HOLDERS));
}

bool ledger_has_room_to_open(const struct ledger *ledger)
{
        return !ledger || has_room_in(ledger, LEDGER_HOLDERS);
}

int ledger_hold_buffer(struct ledger *ledger, size_t n_places, uint32_t *ret)
{
        struct ledger_buffer_record *record;
        uint32_t number;
        int r;

        *ret = LEDGER_NONE;
        if (!ledger)
                return 0;
        number = ledger_claim(ledger, LEDGER_BUFFERS);
        if (number == LEDGER_NONE)
                return -ENOSPC;
        record = ledger_buffer(ledger, number);
        record->session = LEDGER_NONE;
        record->extent = record->share = LEDGER_NONE;
        r = n_places > LEDGER_PLACES_INSIDE
                    ? claim_extents(ledger, n_places - LEDGER_PLACES_INSIDE, &record->extent)
                    : 0;
        if (r) {
                ledger_spare(ledger, LEDGER_BUFFERS, number);
                return r;
        }
        *ret = number;
        return 0;
}

static size_t at_most(size_t n, size_t most)
{
        return n < most ? n : most;
}

static void write_extents(struct ledger *ledger, uint32_t number, const struct range *places,
                          size_t n_places)
{
        while (number != LEDGER_NONE) {
                struct ledger_extent_record *record = ledger_extent(ledger, number);
                size_t n = at_most(n_places, LEDGER_PLACES_EXTENT);

                memcpy(record->places, places, n * sizeof(places[0]));
                record->sum = ledger_extent_sum(record);
                ledger_commit(&record->begin, 1);
                places += n;
                n_places -= n;
                number = record->extent;
        }
        assert(!n_places);
}

void ledger_commit_buffer(struct ledger *ledger, uint32_t number,
                          const struct ledger_buffer *buffer)
{
        struct ledger_buffer_record *record;
        size_t inside = at_most(buffer->n_places, LEDGER_PLACES_INSIDE);

        if (!ledger || number == LEDGER_NONE)
                return;
        record = ledger_buffer(ledger, number);
        record->session = buffer->session;
        record->seq = buffer->seq;
        record->pool = buffer->pool;
        record->n_places = (uint32_t)buffer->n_places;
        record->id = buffer->id;
        record->since_ns = buffer->since_ns;
        record->dma_offset = buffer->dma_offset;
        record->needs_below = buffer->needs_below;
        record->limits = *buffer->limits;
        record->n_devices = buffer->n_devices;
        memcpy(record->devices, buffer->devices, sizeof(record->devices));
        record->unwatched = buffer->unwatched;
        record->share = buffer->share;
        record->exports = buffer->exports;
        ledger_copy_text(record->label, buffer->label);
        memcpy(record->places, buffer->places, inside * sizeof(buffer->places[0]));
        write_extents(ledger, record->extent, buffer->places + inside, buffer->n_places - inside);
        record->sum = ledger_buffer_sum(record);
        ledger_session(ledger, record->session)->references++;
        if (record->id > atomic_load(&ledger->head->last_buffer))
                atomic_store(&ledger->head->last_buffer, record->id);
        ledger_commit(&record->begin, LEDGER_GRANTED);
}

void ledger_export_buffer(struct ledger *ledger, uint32_t number, uint32_t exports)
{
        if (ledger && number != LEDGER_NONE)
                ledger_buffer(ledger, number)->exports = exports;
}

void ledger_revoke_buffer(struct ledger *ledger, uint32_t number, uint64_t now_ns)
{
        struct ledger_buffer_record *record;

        if (!ledger || number == LEDGER_NONE)
                return;
        record = ledger_buffer(ledger, number);
        record->revoked_ns = now_ns;
        ledger_commit(&record->begin, LEDGER_REVOKED);
}

void ledger_drop_buffer(struct ledger *ledger, uint32_t number)
{
        struct ledger_buffer_record *record;
        uint32_t session, extent, share;

        if (!ledger || number == LEDGER_NONE)
                return;
        record = ledger_buffer(ledger, number);
        session = record->session;
        extent = record->extent;
        share = record->share;
        ledger_spare(ledger, LEDGER_BUFFERS, number); /* before what it refers to */
        spare_extents(ledger, extent);
        ledger_drop_share(ledger, share);
        ledger_drop_session(ledger, session);
}

/* ---- frames --------------------------------------------------------------------------------- */

static void write_frame(struct ledger *ledger, uint32_t slot, struct ledger_frame_record record)
{
        if (!ledger)
                return;
        assert(slot < ledger->head->slots);
        record.sum = ledger_frame_sum(&record);
        ledger->frames[slot] = record;
}

void ledger_charge_frame(struct ledger *ledger, uint32_t slot, uint32_t generation,
                         uint32_t session, uint32_t uid)
{
        write_frame(ledger, slot,
                    (struct ledger_frame_record){
                            .generation = generation, .session = session, .uid = uid });
}

void ledger_put_aside(struct ledger *ledger, uint32_t slot, uint32_t generation)
{
        write_frame(ledger, slot,
                    (struct ledger_frame_record){
                            .generation = generation, .session = LEDGER_NONE, .aside = 1 });
}

void ledger_export_frame(struct ledger *ledger, uint32_t slot)
{
        if (ledger)
                ledger->frames[slot].marks |= LEDGER_EXPORTED;
}

void ledger_close_frame(struct ledger *ledger, uint32_t slot)
{
        if (ledger)
                ledger->frames[slot].marks |= LEDGER_CLOSED;
}

void ledger_lose_frame(struct ledger *ledger, uint32_t slot)
{
        uint32_t last;

        if (!ledger || ledger->frames[slot].marks & LEDGER_LOST)
                return;
        last = (uint32_t)atomic_load(&ledger->head->last_buffer) & LEDGER_LOST_AT_MASK;
        ledger->frames[slot].marks |= LEDGER_LOST | last << LEDGER_LOST_AT_SHIFT;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static const size_t record_bytes[LEDGER_TABLES] = {
        [LEDGER_SESSIONS] = sizeof(struct ledger_session_record),
        [LEDGER_BUFFERS] = sizeof(struct ledger_buffer_record),
        [LEDGER_EXTENTS] = sizeof(struct ledger_extent_record),
        [LEDGER_SHARES] = sizeof(struct ledger_share_record),
        [LEDGER_HOLDERS] = sizeof(struct ledger_holder_record),
};

/* Of 16 parts of the memory beside the frames' records. */
static const uint32_t parts_of[LEDGER_TABLES] = {
        [LEDGER_SESSIONS] = 1, [LEDGER_BUFFERS] = 10, [LEDGER_EXTENTS] = 3,
        [LEDGER_SHARES] = 1,   [LEDGER_HOLDERS] = 1,
};

size_t ledger_bytes(uint32_t slots, uint32_t sessions, uint32_t buffers, uint32_t extents)
{
        return sizeof(struct ledger_head) + slots * sizeof(struct ledger_frame_record) +
               sessions * record_bytes[LEDGER_SESSIONS] + buffers * record_bytes[LEDGER_BUFFERS] +
               extents * record_bytes[LEDGER_EXTENTS];
}

void ledger_divide(struct ledger_head *head, size_t bytes, uint32_t slots)
{
        const size_t part = (bytes - ledger_bytes(slots, 0, 0, 0)) / 16;

        head->version = LEDGER_VERSION;
        head->slots = slots;
        for (size_t i = 0; i < LEDGER_TABLES; i++)
                head->rooms[i] = (uint32_t)(parts_of[i] * part / record_bytes[i]);
}

void ledger_lay_out(struct ledger *ledger)
{
        const uint32_t *rooms = ledger->head->rooms;
        unsigned char *at = (unsigned char *)(ledger->head + 1);

        ledger->frames = (struct ledger_frame_record *)(void *)at;
        at += ledger->head->slots * sizeof(ledger->frames[0]);
        for (size_t i = 0; i < LEDGER_TABLES; i++) {
                ledger->tables[i] = (struct ledger_records){
                        .at = at,
                        .record_bytes = record_bytes[i],
                        .room = rooms[i],
                        .spare = LEDGER_NONE,
                };
                at += rooms[i] * record_bytes[i];
        }
}

/* In memory that is all zero. */
static void begin_empty(struct ledger *ledger, uint32_t slots)
{
        ledger_divide(ledger->head, ledger->bytes, slots);
        atomic_store(&ledger->head->magic, LEDGER_MAGIC);
}

bool ledger_head_checks(const struct ledger_head *head, size_t bytes, uint32_t slots)
{
        struct ledger_head expected = { 0 };

        ledger_divide(&expected, bytes, slots);
        if (atomic_load(&head->magic) != LEDGER_MAGIC || head->version != LEDGER_VERSION ||
            head->slots != slots || atomic_load(&head->last_owner) > LEDGER_NUMBER_MAX ||
            atomic_load(&head->last_buffer) > LEDGER_NUMBER_MAX)
                return false;
        for (size_t i = 0; i < LEDGER_TABLES; i++)
                if (head->rooms[i] != expected.rooms[i] ||
                    atomic_load(&head->used[i]) > head->rooms[i])
                        return false;
        return true;
}

int ledger_open(void *memory, size_t bytes, uint32_t slots, struct ledger **ret)
{
        struct ledger *ledger;

        if (bytes < ledger_bytes(slots, 1, 1, 1) * 2)
                return -ENOSPC;
        ledger = calloc(1, sizeof(*ledger));
        if (!ledger)
                return -ENOMEM;
        ledger->head = memory;
        ledger->bytes = bytes;
        if (!atomic_load(&ledger->head->magic))
                begin_empty(ledger, slots);
        if (!ledger_head_checks(ledger->head, bytes, slots)) {
                free(ledger);
                return -EPROTO;
        }
        ledger_lay_out(ledger);
        *ret = ledger;
        return 0;
}

void ledger_free(struct ledger *ledger)
{
        free(ledger);
}
