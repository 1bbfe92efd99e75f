/* SPDX-License-Identifier: MIT */
/*
 * Changes records of a ledger, by field, whole, or with their sums made right again. What it knows
 * of a layout comes from its structs: how many words a record has, and where its sum is.
 */
#pragma once

#include "choices.h"
#include "former_ledger.h"
#include "ledger_private.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOIL_RECORDS_MAX      8
#define SPOIL_RECORD_BYTES_MAX 512

/**
 * struct spoil_table - equal records
 * @table: that the next worker finds them in; LEDGER_TABLES: those of frames
 * @at:    the first of @used
 * @seal:  makes the sum of a record right; NULL: that is not known here
 */
struct spoil_table {
        uint32_t table, used;
        unsigned char *at;
        size_t record_bytes;
        void (*seal)(unsigned char *record);
};

/* A record that was changed, and what it was. */
struct spoilt {
        const struct spoil_table *table;
        uint32_t number;
        unsigned char before[SPOIL_RECORD_BYTES_MAX];
};

/**
 * struct spoil - a ledger that is being changed
 * @tables:    @n_tables of them; the last is that of the frames
 * @head:      @head_bytes of it
 * @spoilt:    @n_spoilt records that were changed
 * @head_too:  the head was changed
 */
struct spoil {
        struct spoil_table tables[LEDGER_TABLES + 1];
        size_t n_tables;
        unsigned char *head;
        size_t head_bytes;
        struct spoilt spoilt[SPOIL_RECORDS_MAX];
        size_t n_spoilt;
        bool head_too;
};

/* A ledger of this version, opened; or one of the version before, that former_ledger_write() wrote
 * at @memory. Borrowed. */
void spoil_begin(struct spoil *spoil, const struct ledger *ledger);
void spoil_begin_former(struct spoil *spoil, void *memory);

/* Change as much as is chosen, perhaps nothing. */
void spoil_some(struct spoil *spoil, struct choices *choices);

/* Whether the record of this number was changed; and whether any of the table was. */
bool spoil_touched(const struct spoil *spoil, uint32_t table, uint32_t number);
bool spoil_touched_any(const struct spoil *spoil, uint32_t table);

/* Whether a changed record still counts and says what can be believed: then others may have to
 * yield to it. */
bool spoil_is_plausible(const struct spoil *spoil);

/* Whether a changed record cannot be believed, whatever the others say. */
bool spoil_is_noticed(const struct spoil *spoil);
