/* SPDX-License-Identifier: MIT */
/*
 * Reads what another process has left, and believes nothing: sums, numbers, texts and chains are
 * looked at before anybody hears of a record. What does not check is given up, alone.
 *
 * An extent or a share that belongs to a buffer has that buffer's number + 1 in its @link while
 * this goes on, so that no other gets it as well; all others are spare in the end.
 */
#include "ledger_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/**
 * struct reading - a ledger_read() under way
 * @places: room for the places of a buffer, owned
 */
struct reading {
        struct ledger *ledger;
        const struct ledger_visitor *visitor;
        void *data;
        struct ledger_found *found;
        struct range *places;
        size_t places_room;
};

static uint32_t used(const struct ledger *ledger, enum ledger_table table)
{
        return atomic_load(&ledger->head->used[table]);
}

static uint32_t word_of(const struct ledger *ledger, enum ledger_table table, uint32_t number)
{
        return atomic_load_explicit(&ledger_record(ledger, table, number)->word,
                                    memory_order_acquire);
}

static bool counts(const struct ledger *ledger, enum ledger_table table, uint32_t number)
{
        return number < used(ledger, table) && word_of(ledger, table, number);
}

static bool text_ends(const char text[LEDGER_TEXT_BYTES])
{
        return memchr(text, '\0', LEDGER_TEXT_BYTES) != NULL;
}

/* What a visitor says of a record, or a fault of it: it does not count any more. Return: 0; what
 * ends the reading. */
static int judge(struct reading *reading, enum ledger_table table, uint32_t number, int r)
{
        if (r >= 0)
                reading->found->refused += r > 0;
        else if (r == -EBADMSG)
                reading->found->faults++;
        else
                return r;
        if (r)
                ledger_record(reading->ledger, table, number)->word = 0;
        return 0;
}

/* ---- sessions ------------------------------------------------------------------------------- */

/* Return: 0; -EBADMSG; what the visitor returned. */
static int read_session(struct reading *reading, uint32_t number)
{
        struct ledger_session_record *record = ledger_session(reading->ledger, number);
        struct ledger_session session = {
                .token = record->token,
                .id = record->id,
                .since_ns = record->since_ns,
                .uid = record->uid,
                .gid = record->gid,
                .pid = record->pid,
                .name = record->name,
                .groups = record->groups,
                .n_groups = record->n_groups,
        };

        if (record->sum != ledger_session_sum(record) || !text_ends(record->name) || !record->id ||
            record->n_groups > LEDGER_GROUPS)
                return -EBADMSG;
        record->references = 1;
        reading->found->sessions++;
        return reading->visitor->session(reading->data, number, &session,
                                         atomic_load(&record->ended_ns));
}

static int read_sessions(struct reading *reading)
{
        const struct ledger *ledger = reading->ledger;
        int r = 0;

        for (uint32_t i = 0; i < used(ledger, LEDGER_SESSIONS) && !r; i++)
                if (counts(ledger, LEDGER_SESSIONS, i))
                        r = judge(reading, LEDGER_SESSIONS, i, read_session(reading, i));
        return r;
}

/* ---- buffers -------------------------------------------------------------------------------- */

static int make_room(struct reading *reading, size_t n_places)
{
        struct range *places;

        if (n_places <= reading->places_room)
                return 0;
        places = reallocarray(reading->places, n_places, sizeof(places[0]));
        if (!places)
                return -ENOMEM;
        reading->places = places;
        reading->places_room = n_places;
        return 0;
}

static bool extent_checks(const struct reading *reading, uint32_t number, uint32_t buffer)
{
        const struct ledger_extent_record *record;

        if (!counts(reading->ledger, LEDGER_EXTENTS, number))
                return false;
        record = ledger_extent(reading->ledger, number);
        return record->sum == ledger_extent_sum(record) &&
               (!record->begin.link || record->begin.link == buffer + 1);
}

/* Collect the places. Return: 0; -EBADMSG where the chain is not just as long as it has to be;
 * -ENOMEM. */
static int read_places(struct reading *reading, uint32_t number,
                       const struct ledger_buffer_record *record)
{
        size_t rest = record->n_places, n, at = 0;
        uint32_t next = record->extent;
        int r;

        if (!rest ||
            rest > (uint64_t)reading->ledger->head->rooms[LEDGER_EXTENTS] * LEDGER_PLACES_EXTENT)
                return -EBADMSG;
        r = make_room(reading, rest);
        if (r)
                return r;
        n = rest < LEDGER_PLACES_INSIDE ? rest : LEDGER_PLACES_INSIDE;
        memcpy(reading->places, record->places, n * sizeof(record->places[0]));
        for (at = n, rest -= n; rest; at += n, rest -= n) {
                struct ledger_extent_record *extent;

                if (!extent_checks(reading, next, number))
                        return -EBADMSG;
                extent = ledger_extent(reading->ledger, next);
                n = rest < LEDGER_PLACES_EXTENT ? rest : LEDGER_PLACES_EXTENT;
                memcpy(reading->places + at, extent->places, n * sizeof(extent->places[0]));
                extent->begin.link = number + 1;
                next = extent->extent;
        }
        return next == LEDGER_NONE ? 0 : -EBADMSG;
}

/* What it says of its sharing, where it is shared. Return: 0; -EBADMSG. */
static int read_share(const struct reading *reading, uint32_t number,
                      const struct ledger_buffer_record *buffer, struct ledger_share *ret)
{
        struct ledger_share_record *record;

        if (!counts(reading->ledger, LEDGER_SHARES, buffer->share))
                return -EBADMSG;
        record = ledger_share(reading->ledger, buffer->share);
        if (record->sum != ledger_share_sum(record) || !text_ends(record->name) ||
            !text_ends(record->left_name) || record->n_rights > LEDGER_RIGHTS || record->begin.link)
                return -EBADMSG;
        record->begin.link = number + 1;
        *ret = (struct ledger_share){
                .name = record->name,
                .lasting = record->lasting,
                .removed = atomic_load(&record->removed),
                .rights = record->rights,
                .n_rights = record->n_rights,
                .token = atomic_load(&record->has_token) ? record->token : NULL,
                .left = atomic_load(&record->left),
                .left_uid = record->left_uid,
                .left_pid = record->left_pid,
                .left_name = record->left_name,
                .ended_ns = atomic_load(&record->ended_ns),
        };
        return 0;
}

/* Return: 0; -EBADMSG; -ENOMEM; what the visitor returned. */
static int read_buffer(struct reading *reading, uint32_t number, bool revoked)
{
        const struct ledger *ledger = reading->ledger;
        struct ledger_buffer_record *record = ledger_buffer(ledger, number);
        struct ledger_buffer buffer = {
                .session = record->session,
                .seq = record->seq,
                .pool = record->pool,
                .id = record->id,
                .since_ns = record->since_ns,
                .dma_offset = record->dma_offset,
                .needs_below = record->needs_below,
                .limits = &record->limits,
                .label = record->label,
                .n_places = record->n_places,
                .n_devices = record->n_devices,
                .exports = record->exports > UINT32_MAX ? UINT32_MAX : (uint32_t)record->exports,
                .unwatched = record->unwatched,
                .share = record->share,
        };
        struct ledger_share share;
        int r;

        memcpy(buffer.devices, record->devices, sizeof(buffer.devices));
        if (record->sum != ledger_buffer_sum(record) || !text_ends(record->label) || !record->id ||
            !counts(ledger, LEDGER_SESSIONS, record->session) || record->n_devices > LEDGER_DEVICES)
                return -EBADMSG;
        r = read_places(reading, number, record);
        if (!r && record->share != LEDGER_NONE) {
                r = read_share(reading, number, record, &share);
                buffer.shared = &share;
        }
        if (r)
                return r;
        buffer.places = reading->places;
        reading->found->buffers++;
        if (revoked && !record->revoked_ns)
                return -EBADMSG;
        r = reading->visitor->buffer(reading->data, number, &buffer,
                                     revoked ? record->revoked_ns : 0);
        if (!r)
                ledger_session(ledger, record->session)->references++;
        return r;
}

static int read_buffers(struct reading *reading, uint32_t word)
{
        const struct ledger *ledger = reading->ledger;
        int r = 0;

        for (uint32_t i = 0; i < used(ledger, LEDGER_BUFFERS) && !r; i++)
                if (word_of(ledger, LEDGER_BUFFERS, i) == word)
                        r = judge(reading, LEDGER_BUFFERS, i,
                                  read_buffer(reading, i, word == LEDGER_REVOKED));
        return r;
}

/* ---- holders -------------------------------------------------------------------------------- */

/* Return: 0; -EBADMSG; what the visitor returned. */
static int read_holder(struct reading *reading, uint32_t number)
{
        const struct ledger *ledger = reading->ledger;
        const struct ledger_holder_record *record = ledger_holder(ledger, number);
        const struct ledger_buffer_record *buffer;

        if (record->sum != ledger_holder_sum(record) ||
            !counts(ledger, LEDGER_SESSIONS, record->session))
                return -EBADMSG;
        /* It comes before its buffer: where that never came it is none, which is no fault. */
        if (!counts(ledger, LEDGER_BUFFERS, record->buffer)) {
                ledger_record(ledger, LEDGER_HOLDERS, number)->word = 0;
                return 0;
        }
        buffer = ledger_buffer(ledger, record->buffer);
        if (buffer->share == LEDGER_NONE)
                return -EBADMSG;
        return reading->visitor->holder(reading->data, number, record->session, buffer->id,
                                        record->seq);
}

static int read_holders(struct reading *reading)
{
        const struct ledger *ledger = reading->ledger;
        int r = 0;

        for (uint32_t i = 0; i < used(ledger, LEDGER_HOLDERS) && !r; i++)
                if (counts(ledger, LEDGER_HOLDERS, i))
                        r = judge(reading, LEDGER_HOLDERS, i, read_holder(reading, i));
        return r;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void forget_links(const struct ledger *ledger)
{
        for (uint32_t i = 0; i < used(ledger, LEDGER_EXTENTS); i++)
                ledger_extent(ledger, i)->begin.link = 0;
        for (uint32_t i = 0; i < used(ledger, LEDGER_SHARES); i++)
                ledger_share(ledger, i)->begin.link = 0;
}

/* Records whose words mean nothing. */
static void drop_strange(struct reading *reading, enum ledger_table table, uint32_t word_max)
{
        struct ledger *ledger = reading->ledger;

        for (uint32_t i = 0; i < used(ledger, table); i++)
                if (word_of(ledger, table, i) > word_max)
                        (void)judge(reading, table, i, -EBADMSG);
}

/* An extent or a share whose buffer was given up has no use, whether it counts or not. */
static bool is_in_use(const struct ledger *ledger, enum ledger_table table, uint32_t number)
{
        const struct ledger_begin *begin = ledger_record(ledger, table, number);

        if (!counts(ledger, table, number))
                return false;
        return (table != LEDGER_EXTENTS && table != LEDGER_SHARES) ||
               (begin->link && counts(ledger, LEDGER_BUFFERS, begin->link - 1));
}

/* From the top down, so that the lowest are used first. */
static void collect_spare(struct ledger *ledger)
{
        for (enum ledger_table table = 0; table < LEDGER_TABLES; table++)
                for (uint32_t i = used(ledger, table); i-- > 0;)
                        if (!is_in_use(ledger, table, i))
                                ledger_spare(ledger, table, i);
}

int ledger_read(struct ledger *ledger, const struct ledger_visitor *visitor, void *data,
                struct ledger_found *ret)
{
        struct reading reading = {
                .ledger = ledger, .visitor = visitor, .data = data, .found = ret
        };
        int r;

        *ret = (struct ledger_found){ 0 };
        forget_links(ledger);
        drop_strange(&reading, LEDGER_SESSIONS, 1);
        drop_strange(&reading, LEDGER_BUFFERS, LEDGER_REVOKED);
        drop_strange(&reading, LEDGER_EXTENTS, 1);
        drop_strange(&reading, LEDGER_SHARES, 1);
        drop_strange(&reading, LEDGER_HOLDERS, 1);
        r = read_sessions(&reading);
        if (!r)
                r = read_buffers(&reading, LEDGER_REVOKED);
        if (!r)
                r = visitor->between(data);
        if (!r)
                r = read_buffers(&reading, LEDGER_GRANTED);
        if (!r)
                r = read_holders(&reading);
        free(reading.places);
        if (!r)
                collect_spare(ledger);
        return r;
}

/* NULL: nothing that checks is said of this frame. */
static const struct ledger_frame_record *frame_record(const struct ledger *ledger, uint32_t slot,
                                                      uint32_t generation)
{
        const struct ledger_frame_record *record;

        if (!ledger || slot >= ledger->head->slots)
                return NULL;
        record = &ledger->frames[slot];
        if (!generation || record->generation != generation ||
            record->sum != ledger_frame_sum(record))
                return NULL;
        return record;
}

bool ledger_frame_aside(const struct ledger *ledger, uint32_t slot, uint32_t generation)
{
        const struct ledger_frame_record *record = frame_record(ledger, slot, generation);

        return record && record->aside;
}

bool ledger_frame_charged(const struct ledger *ledger, uint32_t slot, uint32_t generation,
                          uint32_t *ret_session, uint32_t *ret_uid)
{
        const struct ledger_frame_record *record = frame_record(ledger, slot, generation);

        if (!record || record->aside)
                return false;
        *ret_session = record->session;
        *ret_uid = record->uid;
        return true;
}

bool ledger_frame_exported(const struct ledger *ledger, uint32_t slot)
{
        return slot < ledger->head->slots && ledger->frames[slot].marks & LEDGER_EXPORTED;
}

bool ledger_frame_closed(const struct ledger *ledger, uint32_t slot)
{
        return slot < ledger->head->slots && ledger->frames[slot].marks & LEDGER_CLOSED;
}

bool ledger_frame_lost(const struct ledger *ledger, uint32_t slot, uint32_t generation,
                       uint64_t *ret_last_buffer)
{
        const struct ledger_frame_record *record = frame_record(ledger, slot, generation);
        uint64_t last;

        if (!record || !(record->marks & LEDGER_LOST))
                return false;
        last = atomic_load(&ledger->head->last_buffer);
        last -= (last - (record->marks >> LEDGER_LOST_AT_SHIFT)) & LEDGER_LOST_AT_MASK;
        *ret_last_buffer = last;
        return true;
}

uint64_t ledger_last_owner(const struct ledger *ledger)
{
        return atomic_load(&ledger->head->last_owner);
}

uint64_t ledger_last_buffer(const struct ledger *ledger)
{
        return atomic_load(&ledger->head->last_buffer);
}
