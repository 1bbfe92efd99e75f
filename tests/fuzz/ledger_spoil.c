/* SPDX-License-Identifier: MIT */
/* Owns nothing: the ledger is the caller's, and no process reads it meanwhile. */
#include "ledger_spoil.h"

#include "macros.h"

#include <assert.h>
#include <string.h>

/* A sum over all words between the beginning that all records have and the sum itself. */
#define SEALER(name, type)                                                                     \
        static void name(unsigned char *record)                                                \
        {                                                                                      \
                const size_t from = sizeof(struct ledger_begin), to = offsetof(type, sum);     \
                const uint64_t sum = ledger_sum(record + from, to - from);                     \
                                                                                               \
                _Static_assert(sizeof(type) <= SPOIL_RECORD_BYTES_MAX, "it is kept in there"); \
                memcpy(record + to, &sum, sizeof(sum));                                        \
        }

SEALER(seal_session, struct ledger_session_record)
SEALER(seal_buffer, struct ledger_buffer_record)
SEALER(seal_extent, struct ledger_extent_record)
SEALER(seal_share, struct ledger_share_record)
SEALER(seal_holder, struct ledger_holder_record)
SEALER(seal_former_session, struct former_session)
SEALER(seal_former_buffer, struct former_buffer)
SEALER(seal_former_extent, struct former_extent)

static void seal_frame(unsigned char *record)
{
        struct ledger_frame_record frame;

        memcpy(&frame, record, sizeof(frame));
        frame.sum = ledger_frame_sum(&frame);
        memcpy(record, &frame, sizeof(frame));
}

static void add_table(struct spoil *spoil, uint32_t table, uint32_t used, void *at,
                      size_t record_bytes, void (*seal)(unsigned char *record))
{
        assert(spoil->n_tables < ARRAY_SIZE(spoil->tables));
        spoil->tables[spoil->n_tables++] =
                (struct spoil_table){ table, used, at, record_bytes, seal };
}

void spoil_begin(struct spoil *spoil, const struct ledger *ledger)
{
        static void (*const seals[LEDGER_TABLES])(unsigned char *record) = {
                [LEDGER_SESSIONS] = seal_session, [LEDGER_BUFFERS] = seal_buffer,
                [LEDGER_EXTENTS] = seal_extent,   [LEDGER_SHARES] = seal_share,
                [LEDGER_HOLDERS] = seal_holder,
        };

        *spoil = (struct spoil){ .head = (unsigned char *)ledger->head,
                                 .head_bytes = sizeof(*ledger->head) };
        for (uint32_t i = 0; i < LEDGER_TABLES; i++)
                add_table(spoil, i, ledger->head->used[i], ledger->tables[i].at,
                          ledger->tables[i].record_bytes, seals[i]);
        add_table(spoil, LEDGER_TABLES, ledger->head->slots, ledger->frames,
                  sizeof(ledger->frames[0]), seal_frame);
}

void spoil_begin_former(struct spoil *spoil, void *memory)
{
        const struct former_ledger former = former_ledger_at(memory);
        const uint32_t used_sessions = former.head->used[FORMER_SESSIONS];
        const uint32_t used_buffers = former.head->used[FORMER_BUFFERS];
        const uint32_t used_extents = former.head->used[FORMER_EXTENTS];

        *spoil = (struct spoil){ .head = memory, .head_bytes = sizeof(*former.head) };
        add_table(spoil, LEDGER_SESSIONS, used_sessions, former.sessions,
                  sizeof(former.sessions[0]), seal_former_session);
        add_table(spoil, LEDGER_BUFFERS, used_buffers, former.buffers, sizeof(former.buffers[0]),
                  seal_former_buffer);
        add_table(spoil, LEDGER_EXTENTS, used_extents, former.extents, sizeof(former.extents[0]),
                  seal_former_extent);
        add_table(spoil, LEDGER_TABLES, former.head->slots, former.frames, sizeof(former.frames[0]),
                  NULL);
}

/* ---- one record ----------------------------------------------------------------------------- */

static unsigned char *record_at(const struct spoil_table *table, uint32_t number)
{
        return table->at + number * table->record_bytes;
}

/* Remember what it was. Return: NULL: no more may be changed. */
static unsigned char *touch(struct spoil *spoil, const struct spoil_table *table, uint32_t number)
{
        struct spoilt *spoilt = &spoil->spoilt[spoil->n_spoilt];
        unsigned char *record = record_at(table, number);

        if (spoil_touched(spoil, table->table, number))
                return record;
        if (spoil->n_spoilt == SPOIL_RECORDS_MAX)
                return NULL;
        spoilt->table = table;
        spoilt->number = number;
        memcpy(spoilt->before, record, table->record_bytes);
        spoil->n_spoilt++;
        return record;
}

/* What programs trip over: ends of ranges, neighbours of what was there, numbers of records. */
static uint64_t strange_word(struct choices *choices, uint64_t was)
{
        switch (choose(choices, 10)) {
        case 0: return 0;
        case 1: return UINT64_MAX;
        case 2: return LEDGER_NONE;
        case 3: return was + 1;
        case 4: return was - 1;
        case 5: return was ^ UINT64_C(1) << choose(choices, 64);
        case 6: return choose(choices, 64);
        case 7: return UINT64_MAX / 2 + choose(choices, 3);
        case 8: return align_down(was, 4096) + choose(choices, 5) * 4096 - 8192;
        default: return choose_any(choices);
        }
}

static void change_word(unsigned char *from, size_t bytes, struct choices *choices)
{
        const size_t width = choose(choices, 2) ? sizeof(uint64_t) : sizeof(uint32_t);
        unsigned char *at = from + choose(choices, bytes / width) * width;
        uint64_t word = 0;

        memcpy(&word, at, width);
        word = strange_word(choices, word);
        memcpy(at, &word, width);
}

/* Like a page that was written by halves. */
static void blank(unsigned char *from, size_t bytes, struct choices *choices)
{
        const size_t first = choose(choices, bytes), n = choose(choices, bytes - first) + 1;

        memset(from + first, 0, n);
}

static void set_word(unsigned char *record, struct choices *choices)
{
        const uint32_t word = (uint32_t)choose(choices, 4);

        memcpy(record + offsetof(struct ledger_begin, word), &word, sizeof(word));
}

static void spoil_record(struct spoil *spoil, struct choices *choices)
{
        const struct spoil_table *table = &spoil->tables[choose(choices, spoil->n_tables)];
        const uint32_t number = (uint32_t)choose(choices, table->used < 64 ? table->used + 1 : 64);
        unsigned char *record = number < table->used ? touch(spoil, table, number) : NULL;

        if (!record)
                return;
        switch (choose(choices, 8)) {
        case 0: blank(record, table->record_bytes, choices); break;
        case 1: set_word(record, choices); break;
        case 2: {
                const uint32_t other = (uint32_t)choose(choices, table->used);

                memmove(record, record_at(table, other), table->record_bytes);
                break;
        }
        default: change_word(record, table->record_bytes, choices); break;
        }
        if (choose(choices, 2) && table->seal)
                table->seal(record);
}

void spoil_some(struct spoil *spoil, struct choices *choices)
{
        const uint64_t n = choose(choices, 12);

        for (uint64_t i = 0; i < n && !choices->over; i++)
                spoil_record(spoil, choices);
        if (choose_one_in(choices, 8)) {
                change_word(spoil->head, spoil->head_bytes, choices);
                spoil->head_too = true;
        }
}

/* ---- what became of it ---------------------------------------------------------------------- */

bool spoil_touched(const struct spoil *spoil, uint32_t table, uint32_t number)
{
        for (size_t i = 0; i < spoil->n_spoilt; i++)
                if (spoil->spoilt[i].table->table == table && spoil->spoilt[i].number == number)
                        return true;
        return false;
}

bool spoil_touched_any(const struct spoil *spoil, uint32_t table)
{
        for (size_t i = 0; i < spoil->n_spoilt; i++)
                if (spoil->spoilt[i].table->table == table)
                        return true;
        return false;
}

enum verdict { SAYS_NOTHING, IS_WRONG, IS_RIGHT };

/* What a reader that looks at words and sums makes of it. */
static enum verdict judge(const struct spoilt *spoilt)
{
        const struct spoil_table *table = spoilt->table;
        const unsigned char *now = record_at(table, spoilt->number);
        unsigned char sealed[SPOIL_RECORD_BYTES_MAX];
        uint32_t word;

        memcpy(&word, now + offsetof(struct ledger_begin, word), sizeof(word));
        if (table->table == LEDGER_TABLES || !word)
                return SAYS_NOTHING;
        memcpy(sealed, now, table->record_bytes);
        table->seal(sealed);
        return memcmp(sealed, now, table->record_bytes) ? IS_WRONG : IS_RIGHT;
}

bool spoil_is_plausible(const struct spoil *spoil)
{
        for (size_t i = 0; i < spoil->n_spoilt; i++)
                if (judge(&spoil->spoilt[i]) == IS_RIGHT)
                        return true;
        return false;
}

bool spoil_is_noticed(const struct spoil *spoil)
{
        for (size_t i = 0; i < spoil->n_spoilt; i++) {
                const uint32_t table = spoil->spoilt[i].table->table;

                if (table != LEDGER_EXTENTS && table != LEDGER_SHARES &&
                    judge(&spoil->spoilt[i]) == IS_WRONG)
                        return true;
        }
        return false;
}
