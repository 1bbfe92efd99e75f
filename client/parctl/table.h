/* SPDX-License-Identifier: MIT */
/*
 * A list to print: one description of its columns for text and JSON alike.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum cell_type {
        CELL_TEXT,
        CELL_NAME, /* text of somebody's choice: cut off where the terminal is too narrow */
        CELL_NUMBER,
        CELL_SIZE,    /* bytes; in text human or exact, in JSON a number */
        CELL_ADDRESS, /* hexadecimal; in text "-" for the last of all; in JSON a string */
        CELL_SECONDS, /* in text such as "3h 5m", in JSON a number */
        CELL_BOOL,    /* in text yes or no */
};

/* Where a column stands in text. JSON always has all of them. */
enum column_show {
        SHOW_ALWAYS,
        SHOW_WIDE,    /* where there is room for it; the last of them goes first */
        SHOW_UNUSUAL, /* where a row has another value than 0, or "no" */
        SHOW_BELOW,   /* texts too long for a cell: a line each, below the table */
        SHOW_JSON,    /* in JSON alone */
};

/**
 * struct column - one column
 * @name: key in JSON, name for --sort, and in capitals the heading
 * @type: how its cells are shown
 * @show: when
 */
struct column {
        const char *name;
        enum cell_type type;
        enum column_show show;
};

/**
 * struct cell - one value
 * @text:   for CELL_TEXT and CELL_NAME; "" and NULL are missing
 * @number: for all others
 * @missing: null in JSON, "-" in text
 * @is_size: in a column of CELL_NUMBER: as in one of CELL_SIZE
 */
struct cell {
        const char *text;
        uint64_t number;
        bool missing, is_size;
};

#define CELL_OF(value)             ((struct cell){ .number = (value) })
#define CELL_TEXT_OF(value)        ((struct cell){ .text = (value) })
#define CELL_YES_IF(condition)     ((struct cell){ .number = (condition) ? 1 : 0 })
#define CELL_IF(known, value)      ((struct cell){ .number = (value), .missing = !(known) })
#define CELL_TEXT_IF(known, value) ((struct cell){ .text = (value), .missing = !(known) })

/**
 * struct table_style - how to print
 * @sort:    columns to sort by, with commas between them; highest first behind a "-"; NULL: as rows
 *           came
 * @columns: which columns text has, in this order, with commas between them; NULL: as there is room
 * @stream:  NULL: standard output
 * @width:   characters of a line; 0: as the terminal behind @stream has them
 */
struct table_style {
        bool json, bytes, no_headings;
        const char *sort, *columns;
        FILE *stream;
        size_t width;
};

struct table;

/**
 * table_new() - an empty table
 * @name:    key of the list in JSON; static
 * @columns: @n_columns entries, static
 *
 * Return: owned by the caller: table_free(); NULL without memory.
 */
struct table *table_new(const char *name, const struct column *columns, size_t n_columns);
void table_free(struct table *table);

/**
 * table_add() - add a row
 * @cells: one a column; texts are copied
 *
 * Return: 0; -ENOMEM.
 */
int table_add(struct table *table, const struct cell *cells);

/* Which column has this name, of @length bytes; @n_columns: none. */
size_t table_find_column(const struct column *columns, size_t n_columns, const char *name,
                         size_t length);

/* Bytes, for people or exact; returns @buffer, of UNIT_TEXT_BYTES. */
const char *size_text(uint64_t bytes, bool exact, char *buffer);

/* A time span for people: "3h 5m"; returns @buffer, of 64 bytes. */
const char *duration_text(uint64_t seconds, char *buffer);

/**
 * table_print() - print all rows
 *
 * Return: 0; -ENOMEM; -EIO where the output fails.
 */
int table_print(struct table *table, const struct table_style *style);
