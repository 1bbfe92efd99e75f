/* SPDX-License-Identifier: MIT */
/*
 * Owns the rows until they are printed; libsmartcols lays them out, in text and in JSON. Which
 * columns text has depends on what they have to tell and on the width of the terminal; JSON has
 * always the same. Refuses nothing: names of columns are checked before.
 */
#include "table.h"

#include "units.h"

#include <assert.h>
#include <ctype.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CELL_BYTES   64
#define COLUMNS_MAX  32
#define NAME_ROOM    12 /* what a name gets at least before columns are left out for it */
#define WIDTH_NO_END SIZE_MAX

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

static bool is_text(const struct column *column)
{
        return column->type == CELL_TEXT || column->type == CELL_NAME;
}

static bool is_missing(const struct column *column, const struct cell *cell)
{
        return cell->missing || (is_text(column) && !cell->text);
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
        if (is_text(order->column))
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

const char *size_text(uint64_t bytes, bool exact, char *buffer)
{
        if (!exact)
                return size_human(bytes, buffer);
        snprintf(buffer, UNIT_TEXT_BYTES, "%" PRIu64, bytes);
        return buffer;
}

/* What the cell looks like; NULL where it is missing and libsmartcols shall say null. */
static const char *cell_text(const struct column *column, const struct cell *cell,
                             const struct table_style *style, char buffer[CELL_BYTES])
{
        if (is_missing(column, cell))
                return style->json ? NULL : "-";
        switch (column->type) {
        case CELL_TEXT:
        case CELL_NAME: return cell->text;
        case CELL_BOOL:
                if (style->json)
                        return cell->number ? "true" : "false";
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

/* ---- which columns text has ----------------------------------------------------------------- */

/* Whether a row has something in this column that goes without saying nowhere. */
static bool is_unusual(const struct table *table, size_t index)
{
        const struct column *column = &table->columns[index];

        for (size_t i = 0; i < table->n_rows; i++) {
                const struct cell *cell = &table->cells[i * table->n_columns + index];

                if (!is_missing(column, cell) &&
                    (is_text(column) || !cell->number == (column->type == CELL_BOOL)))
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

/* How many characters a line of the output may have. */
static size_t stream_width(FILE *stream)
{
        struct winsize size;

        if (!isatty(fileno(stream)) || ioctl(fileno(stream), TIOCGWINSZ, &size) || !size.ws_col)
                return WIDTH_NO_END;
        return size.ws_col;
}

/* Leave columns out that may be, until a line is no longer than @room or none is left of them. */
static void leave_out(const struct table *table, const struct table_style *style, size_t room,
                      bool shown[COLUMNS_MAX])
{
        size_t widths[COLUMNS_MAX], total = 0;

        for (size_t i = 0; i < table->n_columns; i++) {
                widths[i] = shown[i] ? column_width(table, i, style) + 1 : 0;
                total += widths[i];
        }
        for (size_t i = table->n_columns; i-- && total > room;) {
                if (table->columns[i].show != SHOW_WIDE)
                        continue;
                shown[i] = false;
                total -= widths[i];
        }
}

static void choose_columns(const struct table *table, const struct table_style *style, FILE *stream,
                           bool shown[COLUMNS_MAX])
{
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
                leave_out(table, style, stream_width(stream), shown);
}

/* ---- printing ------------------------------------------------------------------------------- */

static int add_column(struct libscols_table *out, const struct column *column,
                      const struct table_style *style)
{
        struct libscols_column *made;
        char heading[CELL_BYTES];
        int flags = is_text(column) ? 0 : SCOLS_FL_RIGHT;

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
                    const struct table_style *style, const bool shown[COLUMNS_MAX])
{
        struct libscols_line *line = scols_table_new_line(out, NULL);
        char buffer[CELL_BYTES];
        size_t column = 0;

        if (!line)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_columns; i++) {
                const char *text;

                if (!shown[i])
                        continue;
                text = cell_text(&table->columns[i], &cells[i], style, buffer);
                if (text && scols_line_set_data(line, column, text))
                        return -ENOMEM;
                column++;
        }
        return 0;
}

/* All rows in the order in which they are printed; owned by the caller. NULL without memory. */
static const struct cell **sorted(const struct table *table, const char *sort)
{
        const struct cell **rows = calloc(table->n_rows + 1, sizeof(*rows));

        if (!rows)
                return NULL;
        for (size_t i = 0; i < table->n_rows; i++)
                rows[i] = table->cells + i * table->n_columns;
        if (sort) {
                struct order order = {
                        .index = find_column(table->columns, table->n_columns, sort),
                        .descending = *sort == '-',
                };

                assert(order.index < table->n_columns);
                order.column = &table->columns[order.index];
                qsort_r(rows, table->n_rows, sizeof(*rows), compare_rows, &order);
        }
        return rows;
}

static int fill(struct libscols_table *out, const struct table *table, const struct cell **rows,
                const struct table_style *style, FILE *stream)
{
        bool shown[COLUMNS_MAX];
        int r = 0;

        choose_columns(table, style, stream, shown);
        for (size_t i = 0; i < table->n_columns && !r; i++)
                if (shown[i])
                        r = add_column(out, &table->columns[i], style);
        for (size_t i = 0; i < table->n_rows && !r; i++)
                r = add_line(out, table, rows[i], style, shown);
        return r;
}

/* Lines below the table: which row, by its first cell, and what there is to say of it. */
static void print_below(const struct table *table, const struct cell **rows,
                        const struct table_style *style, FILE *stream)
{
        char buffer[CELL_BYTES];

        for (size_t i = 0; i < table->n_rows; i++) {
                for (size_t k = 0; k < table->n_columns; k++) {
                        if (table->columns[k].show != SHOW_BELOW || !rows[i][k].text)
                                continue;
                        fprintf(stream, "%s %s: %s\n", table->columns[0].name,
                                cell_text(&table->columns[0], &rows[i][0], style, buffer),
                                rows[i][k].text);
                }
        }
}

static int print_rows(struct libscols_table *out, const struct table *table,
                      const struct table_style *style, FILE *stream)
{
        const struct cell **rows = sorted(table, style->sort);
        int r = -ENOMEM;

        if (rows && !scols_table_set_name(out, table->name) &&
            !scols_table_enable_json(out, style->json) &&
            !scols_table_enable_noheadings(out, style->no_headings) &&
            !scols_table_set_stream(out, stream))
                r = fill(out, table, rows, style, stream);
        if (!r && scols_print_table(out))
                r = -EIO;
        /* Where headings are not wanted a script reads, which takes every line for a row. */
        if (!r && !style->json && !style->no_headings)
                print_below(table, rows, style, stream);
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
