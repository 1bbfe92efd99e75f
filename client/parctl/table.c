/* SPDX-License-Identifier: MIT */
/*
 * Owns the rows until they are printed; libsmartcols lays them out, in text and in JSON. JSON has
 * always the same columns. Refuses nothing: names of columns are checked before.
 */
#include "table_private.h"

#include "folded.h"
#include "output.h"
#include "safe_text.h"
#include "units.h"

#include <assert.h>
#include <ctype.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <strings.h>

struct table *table_new(const char *name, const struct column *columns, size_t n_columns)
{
        struct table *table = calloc(1, sizeof(*table));

        assert(n_columns <= COLUMNS_MAX);
        if (!table)
                return NULL;
        table->name = name;
        table->columns = columns;
        table->n_columns = n_columns;
        return table;
}

void table_free(struct table *table)
{
        if (!table)
                return;
        for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
                free((char *)table->cells[i].text);
        free(table->cells);
        free(table);
}

static bool copy_cells(struct cell *to, const struct cell *from, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                to[i] = from[i];
                to[i].text = NULL;
                if (!from[i].text || !*from[i].text)
                        continue;
                to[i].text = strdup(from[i].text);
                if (to[i].text)
                        continue;
                while (i--)
                        free((char *)to[i].text);
                return false;
        }
        return true;
}

int table_add(struct table *table, const struct cell *cells)
{
        const size_t n = table->n_columns;
        struct cell *grown;

        grown = reallocarray(table->cells, (table->n_rows + 1) * n, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        table->cells = grown;
        if (!copy_cells(grown + table->n_rows * n, cells, n))
                return -ENOMEM;
        table->n_rows++;
        return 0;
}

size_t table_find_column(const struct column *columns, size_t n_columns, const char *name,
                         size_t length)
{
        size_t i;

        for (i = 0; i < n_columns; i++)
                if (strlen(columns[i].name) == length &&
                    strncasecmp(columns[i].name, name, length) == 0)
                        break;
        return i;
}

bool column_is_text(const struct column *column)
{
        return column->type == CELL_TEXT || column->type == CELL_NAME;
}

bool cell_is_missing(const struct column *column, const struct cell *cell)
{
        return cell->missing || (column_is_text(column) && !cell->text);
}

const char *duration_text(uint64_t seconds, char *buffer)
{
        static const struct {
                uint64_t seconds;
                char name;
        } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
        size_t i = 0;

        while (i + 1 < ARRAY_SIZE(units) && seconds < units[i].seconds)
                i++;
        if (i + 1 == ARRAY_SIZE(units))
                snprintf(buffer, CELL_BYTES, "%" PRIu64 "s", seconds);
        else
                snprintf(buffer, CELL_BYTES, "%" PRIu64 "%c %" PRIu64 "%c",
                         seconds / units[i].seconds, units[i].name,
                         seconds % units[i].seconds / units[i + 1].seconds, units[i + 1].name);
        return buffer;
}

const char *size_text(uint64_t bytes, bool exact, char *buffer)
{
        if (!exact)
                return size_human(bytes, buffer);
        snprintf(buffer, UNIT_TEXT_BYTES, "%" PRIu64, bytes);
        return buffer;
}

const char *cell_text(const struct column *column, const struct cell *cell,
                      const struct table_style *style, char buffer[CELL_BYTES])
{
        if (cell_is_missing(column, cell))
                return style->json ? NULL : "-";
        switch (column->type) {
        case CELL_TEXT:
        case CELL_NAME: return cell->text;
        case CELL_BOOL:
                if (style->json)
                        return cell->number ? "1" : "0"; /* to libsmartcols "false" is true */
                return cell->number ? "yes" : "no";
        case CELL_ADDRESS:
                if (!style->json && cell->number == UINT64_MAX)
                        return "-";
                snprintf(buffer, CELL_BYTES, "0x%" PRIx64, cell->number);
                return buffer;
        case CELL_SIZE: return size_text(cell->number, style->json || style->bytes, buffer);
        case CELL_SECONDS:
                if (!style->json)
                        return duration_text(cell->number, buffer);
                break;
        case CELL_NUMBER:
                if (cell->is_size)
                        return size_text(cell->number, style->json || style->bytes, buffer);
                break;
        }
        snprintf(buffer, CELL_BYTES, "%" PRIu64, cell->number);
        return buffer;
}

static int json_type(enum cell_type type)
{
        switch (type) {
        case CELL_NUMBER:
        case CELL_SIZE:
        case CELL_SECONDS: return SCOLS_JSON_NUMBER;
        case CELL_BOOL: return SCOLS_JSON_BOOLEAN;
        default: return SCOLS_JSON_STRING;
        }
}

/* The key in JSON; in text the same in capitals. */
static void make_heading(char heading[CELL_BYTES], const char *name, bool json)
{
        static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        size_t n;

        for (n = 0; name[n] && n + 1 < CELL_BYTES; n++) {
                heading[n] = name[n];
                if (!json && islower((unsigned char)name[n]))
                        heading[n] = capitals[name[n] - 'a'];
        }
        heading[n] = '\0';
}

static int add_column(struct libscols_table *out, const struct column *column,
                      const struct table_style *style)
{
        struct libscols_column *made;
        char heading[CELL_BYTES];
        int flags = column_is_text(column) ? 0 : SCOLS_FL_RIGHT;

        if (column->type == CELL_NAME)
                flags |= SCOLS_FL_TRUNC;
        make_heading(heading, column->name, style->json);
        made = scols_table_new_column(out, heading, column->type == CELL_NAME ? NAME_ROOM : 0.0,
                                      flags);
        if (!made || scols_column_set_json_type(made, json_type(column->type)))
                return -ENOMEM;
        return 0;
}

static int add_line(struct libscols_table *out, const struct table *table, const struct cell *cells,
                    const struct table_style *style, const size_t *chosen, size_t n_chosen)
{
        struct libscols_line *line = scols_table_new_line(out, NULL);
        char buffer[CELL_BYTES];

        if (!line)
                return -ENOMEM;
        for (size_t i = 0; i < n_chosen; i++) {
                const size_t column = chosen[i];
                const char *text =
                        cell_text(&table->columns[column], &cells[column], style, buffer);

                if (text && scols_line_set_data(line, i, text))
                        return -ENOMEM;
        }
        return 0;
}

static int fill(struct libscols_table *out, const struct table *table, const struct cell **rows,
                const struct table_style *style, size_t width)
{
        size_t chosen[COLUMNS_MAX];
        const size_t n = table_choose(table, style, width, chosen);
        int r = 0;

        for (size_t i = 0; i < n && !r; i++)
                r = add_column(out, &table->columns[chosen[i]], style);
        for (size_t i = 0; i < table->n_rows && !r; i++)
                r = add_line(out, table, rows[i], style, chosen, n);
        return r;
}

/* libsmartcols looks at standard output, wherever it prints. */
static int set_width(struct libscols_table *out, size_t width)
{
        if (width == OUTPUT_NO_END)
                return scols_table_set_termforce(out, SCOLS_TERMFORCE_NEVER);
        return scols_table_set_termforce(out, SCOLS_TERMFORCE_ALWAYS) ||
               scols_table_set_termwidth(out, width);
}

/* Below the table: which row, by its first cell, and what there is to say of it. */
static void print_below(const struct table *table, const struct cell **rows,
                        const struct table_style *style, FILE *stream, size_t width)
{
        char buffer[CELL_BYTES], safe[SAFE_TEXT_BYTES];

        for (size_t i = 0; i < table->n_rows; i++) {
                for (size_t k = 0; k < table->n_columns; k++) {
                        int at;

                        if (table->columns[k].show != SHOW_BELOW || !rows[i][k].text)
                                continue;
                        at = fprintf(stream, "%s %s: ", table->columns[0].name,
                                     cell_text(&table->columns[0], &rows[i][0], style, buffer));
                        folded_print(stream, safe_text(rows[i][k].text, safe), (size_t)at, 2,
                                     width);
                }
        }
}

static int print_rows(struct libscols_table *out, const struct table *table,
                      const struct table_style *style, FILE *stream)
{
        const size_t width = style->width ? style->width : output_of(stream, true).width;
        const struct cell **rows = table_sorted(table, style->sort);
        int r = -ENOMEM;

        if (rows && !scols_table_set_name(out, table->name) &&
            !scols_table_enable_json(out, style->json) &&
            !scols_table_enable_noheadings(out, style->no_headings) &&
            !scols_table_set_stream(out, stream) && !set_width(out, width))
                r = fill(out, table, rows, style, width);
        if (!r && scols_print_table(out))
                r = -EIO;
        /* Where headings are not wanted a script reads, which takes every line for a row. */
        if (!r && !style->json && !style->no_headings && !style->columns)
                print_below(table, rows, style, stream, width);
        free(rows);
        return r;
}

int table_print(struct table *table, const struct table_style *style)
{
        FILE *stream = style->stream ? style->stream : stdout;
        struct libscols_table *out;
        int r;

        /* libsmartcols prints nothing at all for a table without rows. */
        if (table->n_rows == 0) {
                if (style->json)
                        fprintf(stream, "{\"%s\": []}\n", table->name);
                return fflush(stream) ? -EIO : 0;
        }
        out = scols_new_table();
        if (!out)
                return -ENOMEM;
        r = print_rows(out, table, style, stream);
        if (!r && fflush(stream))
                r = -EIO;
        scols_unref_table(out);
        return r;
}
