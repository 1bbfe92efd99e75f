/* SPDX-License-Identifier: MIT */
/*
 * Owns the rows until they are printed; libsmartcols lays them out, in text and in JSON. Refuses
 * nothing: names of columns are checked before.
 */
#include "table.h"

#include "units.h"

#include <assert.h>
#include <ctype.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <strings.h>

#define CELL_BYTES 64

struct table {
        const char *name;
        const struct column *columns;
        size_t n_columns;
        struct cell *cells; /* row after row; texts are owned */
        size_t n_rows;
};

struct table *table_new(const char *name, const struct column *columns, size_t n_columns)
{
        struct table *table = calloc(1, sizeof(*table));

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

static size_t find_column(const struct column *columns, size_t n_columns, const char *name)
{
        size_t i;

        name += *name == '-';
        for (i = 0; i < n_columns; i++)
                if (strcasecmp(columns[i].name, name) == 0)
                        break;
        return i;
}

bool table_has_column(const struct column *columns, size_t n_columns, const char *name)
{
        return find_column(columns, n_columns, name) < n_columns;
}

static bool is_missing(const struct column *column, const struct cell *cell)
{
        return cell->missing || (column->type == CELL_TEXT && !cell->text);
}

struct order {
        const struct column *column;
        size_t index;
        bool descending;
};

/* Missing values are last either way. */
static int compare_rows(const void *a, const void *b, void *data)
{
        const struct order *order = data;
        const struct cell *x = *(const struct cell *const *)a + order->index;
        const struct cell *y = *(const struct cell *const *)b + order->index;
        const bool no_x = is_missing(order->column, x), no_y = is_missing(order->column, y);
        int r;

        if (no_x || no_y)
                return no_x - no_y;
        if (order->column->type == CELL_TEXT)
                r = strcmp(x->text, y->text);
        else
                r = (x->number > y->number) - (x->number < y->number);
        return order->descending ? -r : r;
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

/* What the cell looks like; NULL where it is missing and libsmartcols shall say null. */
static const char *cell_text(const struct column *column, const struct cell *cell,
                             const struct table_style *style, char buffer[CELL_BYTES])
{
        if (is_missing(column, cell))
                return style->json ? NULL : "-";
        switch (column->type) {
        case CELL_TEXT: return cell->text;
        case CELL_BOOL:
                if (style->json)
                        return cell->number ? "true" : "false";
                return cell->number ? "yes" : "no";
        case CELL_ADDRESS: snprintf(buffer, CELL_BYTES, "0x%" PRIx64, cell->number); return buffer;
        case CELL_SIZE:
                if (!style->json && !style->bytes)
                        return size_human(cell->number, buffer);
                break;
        case CELL_SECONDS:
                if (!style->json)
                        return duration_text(cell->number, buffer);
                break;
        case CELL_NUMBER: break;
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

static int add_columns(struct libscols_table *out, const struct table *table,
                       const struct table_style *style)
{
        for (size_t i = 0; i < table->n_columns; i++) {
                const struct column *column = &table->columns[i];
                struct libscols_column *made;
                char heading[CELL_BYTES];

                if (column->json_only && !style->json)
                        continue;
                make_heading(heading, column->name, style->json);
                made = scols_table_new_column(out, heading, 0.0,
                                              column->type == CELL_TEXT ? 0 : SCOLS_FL_RIGHT);
                if (!made || scols_column_set_json_type(made, json_type(column->type)))
                        return -ENOMEM;
        }
        return 0;
}

static int add_line(struct libscols_table *out, const struct table *table, const struct cell *cells,
                    const struct table_style *style)
{
        struct libscols_line *line = scols_table_new_line(out, NULL);
        char buffer[CELL_BYTES];
        size_t column = 0;

        if (!line)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_columns; i++) {
                const char *text;

                if (table->columns[i].json_only && !style->json)
                        continue;
                text = cell_text(&table->columns[i], &cells[i], style, buffer);
                if (text && scols_line_set_data(line, column, text))
                        return -ENOMEM;
                column++;
        }
        return 0;
}

static int fill(struct libscols_table *out, const struct table *table,
                const struct table_style *style)
{
        const struct cell **rows = calloc(table->n_rows + 1, sizeof(*rows));
        int r;

        if (!rows)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_rows; i++)
                rows[i] = table->cells + i * table->n_columns;
        if (style->sort) {
                struct order order = {
                        .index = find_column(table->columns, table->n_columns, style->sort),
                        .descending = style->sort[0] == '-',
                };

                assert(order.index < table->n_columns);
                order.column = &table->columns[order.index];
                qsort_r(rows, table->n_rows, sizeof(*rows), compare_rows, &order);
        }
        r = add_columns(out, table, style);
        for (size_t i = 0; i < table->n_rows && !r; i++)
                r = add_line(out, table, rows[i], style);
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
        r = scols_table_set_name(out, table->name) || scols_table_enable_json(out, style->json) ||
                            scols_table_enable_noheadings(out, style->no_headings) ||
                            scols_table_set_stream(out, stream)
                    ? -ENOMEM
                    : 0;
        if (!r)
                r = fill(out, table, style);
        if (!r && scols_print_table(out))
                r = -EIO;
        if (!r && fflush(stream))
                r = -EIO;
        scols_unref_table(out);
        return r;
}
