/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. What has nothing to tell is left out of text first, then what there is no room for:
 * of the columns that may go, the last first.
 */
#include "table_private.h"

#include <assert.h>
#include <string.h>

/* Whether a row has something in this column that goes without saying nowhere. */
static bool is_unusual(const struct table *table, size_t index)
{
        const struct column *column = &table->columns[index];

        for (size_t i = 0; i < table->n_rows; i++) {
                const struct cell *cell = &table->cells[i * table->n_columns + index];

                if (!cell_is_missing(column, cell) &&
                    (column_is_text(column) || !cell->number == (column->type == CELL_BOOL)))
                        return true;
        }
        return false;
}

/* How wide a column would be: its heading, or the longest of its cells. */
static size_t column_width(const struct table *table, size_t index, const struct table_style *style)
{
        const struct column *column = &table->columns[index];
        size_t width = strlen(column->name), longest = 0;
        char buffer[CELL_BYTES];

        for (size_t i = 0; i < table->n_rows; i++) {
                const struct cell *cell = &table->cells[i * table->n_columns + index];
                const size_t length = strlen(cell_text(column, cell, style, buffer));

                longest = length > longest ? length : longest;
        }
        if (column->type == CELL_NAME && longest > NAME_ROOM)
                longest = NAME_ROOM;
        return longest > width ? longest : width;
}

/* Leave columns of one kind out, until a line is no longer than @room or none of them is left. */
static void leave_out(const struct table *table, enum column_show kind, size_t room, bool *shown,
                      const size_t *widths)
{
        size_t total = 0;

        for (size_t i = 0; i < table->n_columns; i++)
                total += shown[i] ? widths[i] : 0;
        for (size_t i = table->n_columns; i-- && total > room;) {
                if (table->columns[i].show != kind || !shown[i])
                        continue;
                shown[i] = false;
                total -= widths[i];
        }
}

static void fit(const struct table *table, const struct table_style *style, size_t room,
                bool shown[COLUMNS_MAX])
{
        size_t widths[COLUMNS_MAX];

        for (size_t i = 0; i < table->n_columns; i++)
                widths[i] = shown[i] ? column_width(table, i, style) + 1 : 0;
        leave_out(table, SHOW_WIDE, room, shown, widths);
        leave_out(table, SHOW_UNUSUAL, room, shown, widths);
}

static size_t as_asked(const struct table *table, const char *names, size_t ret[COLUMNS_MAX])
{
        size_t n = 0;

        for (;;) {
                const size_t length = strcspn(names, ",");

                if (n < COLUMNS_MAX)
                        ret[n++] =
                                table_find_column(table->columns, table->n_columns, names, length);
                if (!names[length])
                        return n;
                names += length + 1;
        }
}

size_t table_choose(const struct table *table, const struct table_style *style, size_t room,
                    size_t ret[COLUMNS_MAX])
{
        bool shown[COLUMNS_MAX];
        size_t n = 0;

        if (style->columns && !style->json)
                return as_asked(table, style->columns, ret);
        for (size_t i = 0; i < table->n_columns; i++) {
                switch (table->columns[i].show) {
                case SHOW_ALWAYS:
                case SHOW_WIDE: shown[i] = true; break;
                case SHOW_UNUSUAL: shown[i] = style->json || is_unusual(table, i); break;
                case SHOW_BELOW:
                case SHOW_JSON: shown[i] = style->json; break;
                }
        }
        if (!style->json)
                fit(table, style, room, shown);
        for (size_t i = 0; i < table->n_columns; i++)
                if (shown[i])
                        ret[n++] = i;
        return n;
}
