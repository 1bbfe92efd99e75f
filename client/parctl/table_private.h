/* SPDX-License-Identifier: MIT */
/*
 * What the files of the table share.
 */
#pragma once

#include "table.h"

#define CELL_BYTES  64
#define COLUMNS_MAX 48

struct table {
        const char *name;
        const struct column *columns;
        size_t n_columns;
        struct cell *cells; /* row after row; texts are owned */
        size_t n_rows;
};

bool column_is_text(const struct column *column);
bool cell_is_missing(const struct column *column, const struct cell *cell);

/* What the cell looks like; NULL where it is missing and JSON shall say null. */
const char *cell_text(const struct column *column, const struct cell *cell,
                      const struct table_style *style, char buffer[CELL_BYTES]);

/* All rows in the order in which they are printed; owned by the caller. NULL without memory. */
const struct cell **table_sorted(const struct table *table, const char *sort);

#define NAME_ROOM 12 /* what a name gets at least before columns are left out for it */

/**
 * table_choose() - which columns are printed
 * @room: characters of a line of text
 * @ret:  their places in the table, in the order in which they are printed
 *
 * Return: how many.
 */
size_t table_choose(const struct table *table, const struct table_style *style, size_t room,
                    size_t ret[COLUMNS_MAX]);
