/* SPDX-License-Identifier: MIT */
/* Names: which are good, and what becomes of the others. */
#include "text.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROOM 8

static const struct {
        const char *name, *text, *copy;
        bool good;
} cases[] = {
        { "an empty one is good", "", "", true },
        { "letters are", "radio0", "radio0", true },
        { "two bytes a character", "pr\xc3\xb6g", "pr\xc3\xb6g", true },
        { "four bytes a character", "\xf0\x9f\x93\xa1", "\xf0\x9f\x93\xa1", true },
        { "as long as possible", "12345678", "12345678", true },
        { "too long", "123456789", "12345678", false },
        { "no character is cut in two", "1234567\xc3\xb6", "1234567", false },
        { "Latin-1 is none", "pr\xf6g", "pr?g", false },
        { "half a character at the end", "ab\xc3", "ab?", false },
        { "longer than needed", "\xc0\xaf", "??", false },
        { "half a surrogate pair", "\xed\xa0\x80", "???", false },
        { "beyond the last character", "\xf4\x90\x80\x80", "????", false },
};

static void test_text_is_judged_and_made_good(void **state)
{
        char copy[ROOM + 1];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                if (text_is_good(cases[i].text, ROOM) != cases[i].good)
                        fail_msg("%s: judged %d", cases[i].name, !cases[i].good);
                text_copy_good(copy, ROOM, cases[i].text);
                if (strcmp(copy, cases[i].copy) != 0)
                        fail_msg("%s: made \"%s\"", cases[i].name, copy);
                if (!text_is_good(copy, ROOM))
                        fail_msg("%s: the copy is no better", cases[i].name);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text_is_judged_and_made_good),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
