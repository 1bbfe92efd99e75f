/* SPDX-License-Identifier: MIT */
/*
 * Small texts of parctl: bars, folded lines, and texts that others chose.
 */
#include "folded.h"
#include "macros.h"
#include "output.h"
#include "progress_bar.h"
#include "safe_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_progress_bar(void **state)
{
        static const struct {
                const char *name;
                uint64_t have, want;
                const char *text;
        } cases[] = {
                { "nothing yet", 0, 100, "[........................]   0%" },
                { "a half", 50, 100, "[############............]  50%" },
                { "nearly all is not all", 999, 1000, "[#######################.]  99%" },
                { "all", 100, 100, "[########################] 100%" },
                { "more than all", 300, 100, "[########################] 100%" },
                { "all of nothing", 0, 0, "[########################] 100%" },
                { "large", UINT64_MAX / 2, UINT64_MAX, "[############............]  50%" },
        };
        char text[PROGRESS_BAR_BYTES];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("%s\n", cases[i].name);
                progress_bar(cases[i].have, cases[i].want, false, text);
                assert_string_equal(text, cases[i].text);
        }
        progress_bar(1, 24, true, text);
        assert_int_equal(strncmp(text, "[█░░", strlen("[█░░")), 0);
        assert_int_equal(strlen(text), 2 + 24 * strlen("█") + strlen("   4%"));
}

static void test_folded_print(void **state)
{
        static const struct {
                const char *name, *text;
                size_t at, indent, width;
                const char *lines;
        } cases[] = {
                { "fits", "one two", 0, 0, 7, "one two\n" },
                { "does not", "one two", 0, 0, 6, "one\ntwo\n" },
                { "further lines stand in", "one two three", 0, 2, 9, "one two\n  three\n" },
                { "what is there already counts", "one two", 4, 2, 10, "one\n  two\n" },
                { "a long word", "a wordthatislong b", 0, 0, 5, "a\nwordthatislong\nb\n" },
                { "paragraphs", "one\n\ntwo", 0, 0, 20, "one\n\ntwo\n" },
                { "no end", "one two", 0, 0, OUTPUT_NO_END, "one two\n" },
                { "nothing", "", 0, 0, 5, "\n" },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char *printed = NULL;
                size_t size;
                FILE *stream = open_memstream(&printed, &size);

                print_message("%s\n", cases[i].name);
                assert_non_null(stream);
                folded_print(stream, cases[i].text, cases[i].at, cases[i].indent, cases[i].width);
                fclose(stream);
                assert_string_equal(printed, cases[i].lines);
                free(printed);
        }
}

static void test_safe_text(void **state)
{
        static const struct {
                const char *name, *text, *safe;
        } cases[] = {
                { "as it is", "iq-ring \"ä\" 漢", "iq-ring \"ä\" 漢" },
                { "a command of a terminal", "a\033[2Jb", "a?[2Jb" },
                { "another line", "a\nb\rc\td", "a?b?c?d" },
                { "the same in one character",
                  "a\302\233"
                  "2Jb",
                  "a??2Jb" },
                { "delete", "a\177", "a?" },
                { "no UTF-8", "a\377b", "a?b" },
                { "what looks like it and is none", "\302\240x", "\302\240x" },
        };
        char safe[SAFE_TEXT_BYTES], *text;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("%s\n", cases[i].name);
                assert_string_equal(safe_text(cases[i].text, safe), cases[i].safe);
        }
        text = malloc(3 * SAFE_TEXT_BYTES);
        assert_non_null(text);
        memset(text, 'x', 3 * SAFE_TEXT_BYTES - 1);
        text[3 * SAFE_TEXT_BYTES - 1] = '\0';
        assert_int_equal(strlen(safe_text(text, safe)), SAFE_TEXT_BYTES - 1);
        free(text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_progress_bar),
                cmocka_unit_test(test_folded_print),
                cmocka_unit_test(test_safe_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
