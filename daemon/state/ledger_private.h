/* SPDX-License-Identifier: MIT */
/*
 * The ledger's own parts, for those who write and those who read it.
 */
#pragma once

#include "ledger.h"

enum ledger_table {
        LEDGER_SESSIONS,
        LEDGER_BUFFERS,
        LEDGER_EXTENTS,
        LEDGER_SHARES,
        LEDGER_HOLDERS,
        LEDGER_TABLES,
};

/**
 * struct ledger_records - a table of equal records
 * @at:    the first one
 * @room:  how many there may be
 * @spare: the first one that was used and is not; LEDGER_NONE
 */
struct ledger_records {
        unsigned char *at;
        size_t record_bytes;
        uint32_t room, spare;
};

struct ledger {
        struct ledger_head *head;
        struct ledger_records tables[LEDGER_TABLES];
        struct ledger_frame_record *frames;
        size_t bytes;
};

/* Write version and rooms into a head that is all zero, but nothing that makes it count. */
void ledger_divide(struct ledger_head *head, size_t bytes, uint32_t slots);

/* Whether it is one that this program writes. */
bool ledger_head_checks(const struct ledger_head *head, size_t bytes, uint32_t slots);

/* Where everything is, as the head says. */
void ledger_lay_out(struct ledger *ledger);

struct ledger_begin *ledger_record(const struct ledger *ledger, enum ledger_table table,
                                   uint32_t number);

static inline struct ledger_session_record *ledger_session(const struct ledger *ledger,
                                                           uint32_t number)
{
        return (void *)ledger_record(ledger, LEDGER_SESSIONS, number);
}

static inline struct ledger_buffer_record *ledger_buffer(const struct ledger *ledger,
                                                         uint32_t number)
{
        return (void *)ledger_record(ledger, LEDGER_BUFFERS, number);
}

static inline struct ledger_extent_record *ledger_extent(const struct ledger *ledger,
                                                         uint32_t number)
{
        return (void *)ledger_record(ledger, LEDGER_EXTENTS, number);
}

static inline struct ledger_share_record *ledger_share(const struct ledger *ledger, uint32_t number)
{
        return (void *)ledger_record(ledger, LEDGER_SHARES, number);
}

static inline struct ledger_holder_record *ledger_holder(const struct ledger *ledger,
                                                         uint32_t number)
{
        return (void *)ledger_record(ledger, LEDGER_HOLDERS, number);
}

/* A record that is all zero. Return: its number; LEDGER_NONE: the table is full. */
uint32_t ledger_claim(struct ledger *ledger, enum ledger_table table);

/* From here on it counts. */
static inline void ledger_commit(struct ledger_begin *begin, uint32_t word)
{
        atomic_store_explicit(&begin->word, word, memory_order_release);
}

/* @from: shorter than LEDGER_TEXT_BYTES; @to: all zero. */
void ledger_copy_text(char to[LEDGER_TEXT_BYTES], const char *from);

/* Put a record among the spare ones. */
void ledger_spare(struct ledger *ledger, enum ledger_table table, uint32_t number);

/* Of @bytes, a multiple of 8; and what becomes of a sum with one word more. The same in all
 * versions. */
uint64_t ledger_sum(const void *from, size_t bytes);
uint64_t ledger_mix(uint64_t sum, uint64_t word);

/* Of what a record says once and for all. */
uint64_t ledger_session_sum(const struct ledger_session_record *record);
uint64_t ledger_buffer_sum(const struct ledger_buffer_record *record);
uint64_t ledger_extent_sum(const struct ledger_extent_record *record);
uint64_t ledger_share_sum(const struct ledger_share_record *record);
uint64_t ledger_holder_sum(const struct ledger_holder_record *record);
uint32_t ledger_frame_sum(const struct ledger_frame_record *record);
