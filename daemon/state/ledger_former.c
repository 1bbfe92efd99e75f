/* SPDX-License-Identifier: MIT */
/*
 * Turns each record of version 2 into the one of the same number, alone. It believes the head,
 * which was checked, and nothing of the records: numbers and texts are copied and not followed.
 * A record whose sum was wrong gets one that is wrong by as much, so that ledger_read() judges it
 * as if it had been of this version from the beginning.
 */
#include "ledger_former.h"

#include "ledger_former_layout.h"
#include "ledger_private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct former_head) <= LEDGER_HEAD_BYTES &&
                       sizeof(struct ledger_head) <= LEDGER_HEAD_BYTES,
               "so much is read of it");
_Static_assert(FORMER_TEXT_BYTES == LEDGER_TEXT_BYTES && FORMER_DEVICES == LEDGER_DEVICES &&
                       FORMER_RIGHTS == LEDGER_RIGHTS &&
                       FORMER_PLACES_INSIDE == LEDGER_PLACES_INSIDE &&
                       FORMER_PLACES_EXTENT == LEDGER_PLACES_EXTENT,
               "otherwise records cannot be turned one by one");

static const size_t former_bytes[FORMER_TABLES] = {
        [FORMER_SESSIONS] = sizeof(struct former_session),
        [FORMER_BUFFERS] = sizeof(struct former_buffer),
        [FORMER_EXTENTS] = sizeof(struct former_extent),
        [FORMER_SHARES] = sizeof(struct former_share),
        [FORMER_HOLDERS] = sizeof(struct former_holder),
};

/* ---- heads ---------------------------------------------------------------------------------- */

static uint32_t former_room(enum former_table table, size_t bytes, uint32_t slots)
{
        static const uint32_t parts_of[FORMER_TABLES] = FORMER_PARTS;
        const size_t part =
                (bytes - sizeof(struct former_head) - slots * sizeof(struct former_frame)) / 16;

        return (uint32_t)(parts_of[table] * part / former_bytes[table]);
}

/* Whether it is what version 2 writes, and what it has fits into a ledger of this version. */
static bool former_head_checks(const struct former_head *head, size_t bytes, uint32_t slots)
{
        struct ledger_head now = { 0 };

        ledger_divide(&now, bytes, slots);
        if (head->version != LEDGER_FORMER_VERSION || head->slots != slots ||
            atomic_load(&head->last_owner) > LEDGER_NUMBER_MAX ||
            atomic_load(&head->last_buffer) > LEDGER_NUMBER_MAX)
                return false;
        for (enum former_table i = 0; i < FORMER_TABLES; i++)
                if (head->rooms[i] != former_room(i, bytes, slots) ||
                    atomic_load(&head->used[i]) > head->rooms[i] ||
                    atomic_load(&head->used[i]) > now.rooms[i])
                        return false;
        return true;
}

/* Return: its version; 0: there is none; -EPROTO. */
static int version_of(const void *memory, size_t bytes, uint32_t slots)
{
        const struct ledger_head *head = memory;

        if (!atomic_load(&head->magic))
                return 0;
        if (ledger_head_checks(head, bytes, slots))
                return (int)LEDGER_VERSION;
        if (atomic_load(&head->magic) == LEDGER_MAGIC && former_head_checks(memory, bytes, slots))
                return (int)LEDGER_FORMER_VERSION;
        return -EPROTO;
}

int ledger_half_in_force(const void *const heads[2], size_t bytes, uint32_t slots,
                         uint32_t *ret_version)
{
        const int first = version_of(heads[0], bytes, slots);
        const int second = version_of(heads[1], bytes, slots);

        if (first < 0 || second < 0 || (first && first == second))
                return -EPROTO;
        *ret_version = (uint32_t)(first > second ? first : second);
        return second > first;
}

/* ---- records -------------------------------------------------------------------------------- */

#define FORMER_SUM(record)                                                    \
        ledger_sum((const unsigned char *)(record) + sizeof((record)->begin), \
                   offsetof(__typeof__(*(record)), sum) - sizeof((record)->begin))

/* By how much the sum of a record is wrong; 0: it checks. */
#define FORMER_FAULT(record) ((record)->sum ^ FORMER_SUM(record))

/* Its references are counted anew when it is read. Groups that quotas and claims are of it gets
 * when its client comes back, which tells them. */
static void convert_session(const void *record, struct ledger *to, uint32_t number)
{
        const struct former_session *old = record;
        struct ledger_session_record *new = ledger_session(to, number);

        new->token = old->token;
        new->id = old->id;
        new->since_ns = old->since_ns;
        new->uid = old->uid;
        new->gid = old->gid;
        new->pid = old->pid;
        memcpy(new->name, old->name, sizeof(new->name));
        new->sum = ledger_session_sum(new) ^ FORMER_FAULT(old);
        new->ended_ns = old->ended_ns;
}

static void convert_buffer(const void *record, struct ledger *to, uint32_t number)
{
        const struct former_buffer *old = record;
        struct ledger_buffer_record *new = ledger_buffer(to, number);

        new->session = old->session;
        new->seq = old->seq;
        new->pool = old->pool;
        new->n_places = old->n_places;
        new->id = old->id;
        new->since_ns = old->since_ns;
        new->dma_offset = old->dma_offset;
        new->needs_below = old->needs_below;
        memcpy(&new->limits, &old->limits, sizeof(new->limits));
        memcpy(new->places, old->places, sizeof(new->places));
        memcpy(new->label, old->label, sizeof(new->label));
        new->extent = old->extent;
        new->n_devices = old->n_devices;
        memcpy(new->devices, old->devices, sizeof(new->devices));
        new->unwatched = old->unwatched;
        new->share = old->share;
        new->sum = ledger_buffer_sum(new) ^ FORMER_FAULT(old);
        new->revoked_ns = old->revoked_ns;
        new->exports = old->exports;
}

static void convert_extent(const void *record, struct ledger *to, uint32_t number)
{
        const struct former_extent *old = record;
        struct ledger_extent_record *new = ledger_extent(to, number);

        new->extent = old->extent;
        memcpy(new->places, old->places, sizeof(new->places));
        new->sum = ledger_extent_sum(new) ^ FORMER_FAULT(old);
}

static void convert_share(const void *record, struct ledger *to, uint32_t number)
{
        const struct former_share *old = record;
        struct ledger_share_record *new = ledger_share(to, number);

        new->lasting = old->lasting;
        new->n_rights = old->n_rights;
        for (size_t i = 0; i < FORMER_RIGHTS; i++)
                new->rights[i] =
                        (struct ledger_right){ old->rights[i].is_group, old->rights[i].id };
        memcpy(new->name, old->name, sizeof(new->name));
        new->sum = ledger_share_sum(new) ^ FORMER_FAULT(old);
        new->removed = old->removed;
        new->has_token = old->has_token;
        memcpy(new->token, old->token, sizeof(new->token));
        new->ended_ns = old->ended_ns;
        new->left = old->left;
        new->left_uid = old->left_uid;
        new->left_pid = old->left_pid;
        memcpy(new->left_name, old->left_name, sizeof(new->left_name));
}

static void convert_holder(const void *record, struct ledger *to, uint32_t number)
{
        const struct former_holder *old = record;
        struct ledger_holder_record *new = ledger_holder(to, number);

        new->session = old->session;
        new->buffer = old->buffer;
        new->seq = old->seq;
        new->sum = ledger_holder_sum(new) ^ FORMER_FAULT(old);
}

static void convert_frame(const struct former_frame *old, struct ledger_frame_record *new)
{
        const uint64_t mixed = ledger_mix(ledger_mix(0, old->generation), old->session);
        const uint32_t fault =
                old->sum ^ (uint32_t)ledger_mix(ledger_mix(mixed, old->uid), old->aside);

        if (!old->generation) /* nothing was ever said of it, as of most */
                return;
        new->generation = old->generation;
        new->session = old->session;
        new->uid = old->uid;
        new->marks = old->marks;
        new->aside = old->aside;
        new->sum = ledger_frame_sum(new) ^ fault;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static const struct {
        enum ledger_table table;
        void (*convert)(const void *record, struct ledger *to, uint32_t number);
} successors[FORMER_TABLES] = {
        [FORMER_SESSIONS] = { LEDGER_SESSIONS, convert_session },
        [FORMER_BUFFERS] = { LEDGER_BUFFERS, convert_buffer },
        [FORMER_EXTENTS] = { LEDGER_EXTENTS, convert_extent },
        [FORMER_SHARES] = { LEDGER_SHARES, convert_share },
        [FORMER_HOLDERS] = { LEDGER_HOLDERS, convert_holder },
};

/* Records that count, even with words that mean nothing. @at: the first one. */
static void convert_table(enum former_table table, const unsigned char *at, uint32_t used,
                          struct ledger *to)
{
        const enum ledger_table successor = successors[table].table;

        to->head->used[successor] = used;
        for (uint32_t i = 0; i < used; i++, at += former_bytes[table]) {
                const struct ledger_begin *begin = (const void *)at;
                const uint32_t word = begin->word;

                if (!word)
                        continue;
                successors[table].convert(at, to, i);
                ledger_commit(ledger_record(to, successor, i), word);
        }
}

void ledger_convert(const void *former, size_t bytes, uint32_t slots, void *memory)
{
        const struct former_head *head = former;
        const struct former_frame *frames = (const void *)(head + 1);
        const unsigned char *at = (const unsigned char *)(frames + slots);
        struct ledger to = { .head = memory, .bytes = bytes };

        assert(former_head_checks(head, bytes, slots));
        ledger_divide(to.head, bytes, slots);
        ledger_lay_out(&to);
        to.head->last_owner = head->last_owner;
        to.head->last_buffer = head->last_buffer;
        for (uint32_t i = 0; i < slots; i++)
                convert_frame(&frames[i], &to.frames[i]);
        for (enum former_table i = 0; i < FORMER_TABLES; i++) {
                convert_table(i, at, head->used[i], &to);
                at += head->rooms[i] * former_bytes[i];
        }
        atomic_store(&to.head->magic, LEDGER_MAGIC);
}
