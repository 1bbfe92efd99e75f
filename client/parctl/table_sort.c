/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Several columns: where rows are equal in the first, the next decides; where they
 * are equal in all, they stay as they came.
 */
#include "table_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct order {
        const struct table *table;
        const char *sort;
};

/* Missing values are last either way. */
static int compare_cells(const struct column *column, const struct cell *x, const struct cell *y,
                         bool descending)
{
        const bool no_x = cell_is_missing(column, x), no_y = cell_is_missing(column, y);
        int r;

        if (no_x || no_y)
                return no_x - no_y;
        if (column_is_text(column))
                r = strcmp(x->text, y->text);
        else
                r = (x->number > y->number) - (x->number < y->number);
        return descending ? -r : r;
}

static int compare_rows(const void *a, const void *b, void *data)
{
        const struct order *order = data;
        const struct table *table = order->table;
        const struct cell *x = *(const struct cell *const *)a;
        const struct cell *y = *(const struct cell *const *)b;
        const char *name = order->sort;

        for (;;) {
                const bool descending = *name == '-';
                const size_t length = strcspn(name += descending, ",");
                const size_t i = table_find_column(table->columns, table->n_columns, name, length);
                int r;

                assert(i < table->n_columns);
                r = compare_cells(&table->columns[i], &x[i], &y[i], descending);
                if (r)
                        return r;
                if (!name[length])
                        break;
                name += length + 1;
        }
        return (x > y) - (x < y);
}

const struct cell **table_sorted(const struct table *table, const char *sort)
{
        const struct cell **rows = calloc(table->n_rows + 1, sizeof(*rows));
        struct order order = { .table = table, .sort = sort };

        if (!rows)
                return NULL;
        for (size_t i = 0; i < table->n_rows; i++)
                rows[i] = table->cells + i * table->n_columns;
        if (sort)
                qsort_r(rows, table->n_rows, sizeof(*rows), compare_rows, &order);
        return rows;
}
