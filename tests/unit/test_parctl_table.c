/* SPDX-License-Identifier: MIT */
/*
 * parctl's tables: which rows come first, and which columns there is room for.
 */
#include "macros.h"
#include "table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct column columns[] = {
        { "name", CELL_TEXT, SHOW_ALWAYS },
        { "size", CELL_SIZE, SHOW_ALWAYS },
        { "limit", CELL_ADDRESS, SHOW_WIDE },
        { "lost", CELL_NUMBER, SHOW_UNUSUAL },
};

static const struct cell rows[][ARRAY_SIZE(columns)] = {
        { CELL_TEXT_OF("b"), CELL_OF(2048), CELL_OF(0xfff), CELL_OF(0) },
        { CELL_TEXT_OF("a"), CELL_OF(1024), CELL_IF(false, 0), CELL_OF(7) },
        { CELL_TEXT_OF("c"), CELL_OF(1024), CELL_OF(0xffff), CELL_OF(0) },
        { CELL_TEXT_OF("d"), CELL_OF(2048), CELL_OF(0xff), CELL_OF(0) },
};

/* The first @n_rows rows as text. */
static const char *print(const struct table_style *wanted, size_t n_rows, char *text, size_t room)
{
        struct table *table = table_new("things", columns, ARRAY_SIZE(columns));
        struct table_style style = *wanted;
        char *printed = NULL;
        size_t size;

        assert_non_null(table);
        style.stream = open_memstream(&printed, &size);
        assert_non_null(style.stream);
        for (size_t i = 0; i < n_rows; i++)
                assert_int_equal(table_add(table, rows[i]), 0);
        assert_int_equal(table_print(table, &style), 0);
        fclose(style.stream);
        table_free(table);
        assert_true(size < room);
        memcpy(text, printed, size + 1);
        free(printed);
        return text;
}

/* JSON of a list says no where the answer is no. */
static void test_table_json_of_answers(void **state)
{
        static const struct column answers[] = { { "pinned", CELL_BOOL, SHOW_ALWAYS } };
        struct table *table = table_new("things", answers, 1);
        struct table_style style = { .json = true };
        char *printed = NULL;
        size_t size;

        (void)state;
        assert_non_null(table);
        style.stream = open_memstream(&printed, &size);
        assert_non_null(style.stream);
        assert_int_equal(table_add(table, &CELL_YES_IF(true)), 0);
        assert_int_equal(table_add(table, &CELL_YES_IF(false)), 0);
        assert_int_equal(table_print(table, &style), 0);
        fclose(style.stream);
        table_free(table);
        assert_true(strstr(printed, "true") && strstr(printed, "false") &&
                    strstr(printed, "true") < strstr(printed, "false"));
        free(printed);
}

static void test_table_sort(void **state)
{
        static const struct {
                const char *name, *sort, *order;
        } cases[] = {
                { "as they came", NULL, "b\na\nc\nd\n" },
                { "by text", "name", "a\nb\nc\nd\n" },
                { "from the highest", "-name", "d\nc\nb\na\n" },
                { "equal ones stay as they came", "size", "a\nc\nb\nd\n" },
                { "the second decides between equal ones", "size,-name", "c\na\nd\nb\n" },
                { "each has its own sign", "-size,name", "b\nd\na\nc\n" },
                { "missing is last", "limit", "d\nb\nc\na\n" },
                { "missing is last from the highest, too", "-limit", "c\nb\nd\na\n" },
                { "capitals do not matter", "SIZE,-Name", "c\na\nd\nb\n" },
        };
        char text[512];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct table_style style = {
                        .no_headings = true,
                        .sort = cases[i].sort,
                        .columns = "name",
                };

                print_message("%s\n", cases[i].name);
                assert_string_equal(print(&style, ARRAY_SIZE(rows), text, sizeof(text)),
                                    cases[i].order);
        }
}

static void test_table_columns(void **state)
{
        static const struct {
                const char *name, *columns;
                size_t n_rows, width;
                const char *headings;
        } cases[] = {
                { "what is as always is left out", NULL, 1, 80, "NAME SIZE LIMIT" },
                { "what is not is shown", NULL, 2, 80, "NAME SIZE LIMIT LOST" },
                { "what may go goes first", NULL, 2, 17, "NAME SIZE LOST" },
                { "then what is unusual", NULL, 2, 11, "NAME SIZE" },
                { "the rest stays", NULL, 2, 3, "NAME SIZE" },
                { "as asked for", "limit,name", 2, 80, "LIMIT NAME" },
        };
        char text[512], got[64];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct table_style style = {
                        .columns = cases[i].columns,
                        .width = cases[i].width,
                };
                size_t n = 0;
                const char *at;

                print_message("%s\n", cases[i].name);
                at = print(&style, cases[i].n_rows, text, sizeof(text));
                for (; *at && *at != '\n'; at++)
                        if (*at != ' ' || (n && got[n - 1] != ' '))
                                got[n++] = *at;
                got[n && got[n - 1] == ' ' ? n - 1 : n] = '\0';
                assert_string_equal(got, cases[i].headings);
        }
}

static void test_table_find_column(void **state)
{
        (void)state;
        assert_int_equal(table_find_column(columns, ARRAY_SIZE(columns), "size", 4), 1);
        assert_int_equal(table_find_column(columns, ARRAY_SIZE(columns), "size,name", 4), 1);
        assert_int_equal(table_find_column(columns, ARRAY_SIZE(columns), "siz", 3), 4);
        assert_int_equal(table_find_column(columns, ARRAY_SIZE(columns), "", 0), 4);
}

static void test_table_booleans_in_json(void **state)
{
        static const struct column is[] = { { "is", CELL_BOOL, SHOW_ALWAYS } };
        const struct cell yes = CELL_YES_IF(true), no = CELL_YES_IF(false);
        struct table *table = table_new("things", is, ARRAY_SIZE(is));
        struct table_style style = { .json = true };
        char *printed = NULL, *first;
        size_t size;

        (void)state;
        assert_non_null(table);
        style.stream = open_memstream(&printed, &size);
        assert_non_null(style.stream);
        assert_int_equal(table_add(table, &yes), 0);
        assert_int_equal(table_add(table, &no), 0);
        assert_int_equal(table_print(table, &style), 0);
        fclose(style.stream);
        table_free(table);
        first = strstr(printed, "\"is\": true");
        assert_non_null(first);
        assert_non_null(strstr(first, "\"is\": false"));
        free(printed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table_json_of_answers),
                cmocka_unit_test(test_table_sort),
                cmocka_unit_test(test_table_columns),
                cmocka_unit_test(test_table_find_column),
                cmocka_unit_test(test_table_booleans_in_json),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
