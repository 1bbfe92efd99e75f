/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing: appends to a text of somebody else's.
 *
 * Invariant: the text is terminated after each call. Refuses to call anything: what is here may be
 * used in a signal handler, whatever the program was doing.
 */
#include "debug_line.h"

#define DIGITS_MAX 20 /* of UINT64_MAX */

struct line line_begin(char *text, size_t room)
{
        text[0] = '\0';
        return (struct line){ .text = text, .room = room };
}

static void add_character(struct line *line, char c)
{
        if (line->length + 1 >= line->room)
                return;
        line->text[line->length++] = c;
        line->text[line->length] = '\0';
}

void line_add(struct line *line, const char *text)
{
        for (; *text; text++)
                add_character(line, *text);
}

static void add_digits(struct line *line, uint64_t number, unsigned base)
{
        char digits[DIGITS_MAX];
        size_t n = 0;

        do {
                digits[n++] = "0123456789abcdef"[number % base];
                number /= base;
        } while (number);
        while (n)
                add_character(line, digits[--n]);
}

void line_add_number(struct line *line, uint64_t number)
{
        add_digits(line, number, 10);
}

void line_add_hex(struct line *line, uint64_t number)
{
        line_add(line, "0x");
        add_digits(line, number, 16);
}

void line_add_bytes(struct line *line, uint64_t bytes)
{
        line_add_number(line, bytes);
        line_add(line, bytes == 1 ? " byte" : " bytes");
}
