/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing but what the terminal was told: screen_leave() takes all of it back. Lines are
 * written over one another and never cleared first, so that nothing flickers.
 */
#include "screen.h"

#include <string.h>

#define OTHER_SCREEN "\033[?1049h"
#define FIRST_SCREEN "\033[?1049l"
#define HIDE_CURSOR  "\033[?25l"
#define SHOW_CURSOR  "\033[?25h"
#define CUT_LINES    "\033[?7l"
#define WRAP_LINES   "\033[?7h"
#define HOME         "\033[H"
#define CLEAR_LINE   "\033[K"
#define CLEAR_BELOW  "\033[J"
#define PLAIN        "\033[0m"
#define INVERSE      "\033[7m"

void screen_enter(FILE *stream)
{
        fputs(OTHER_SCREEN HIDE_CURSOR CUT_LINES, stream);
        fflush(stream);
}

void screen_leave(FILE *stream)
{
        fputs(PLAIN WRAP_LINES SHOW_CURSOR FIRST_SCREEN, stream);
        fflush(stream);
}

static size_t count_lines(const char *text)
{
        size_t lines = 0;

        for (; *text; text++)
                lines += *text == '\n';
        return lines;
}

void screen_draw(const struct output *terminal, const char *head, const char *text)
{
        FILE *stream = terminal->stream;
        const size_t height = terminal->height ? terminal->height : 24;
        size_t left = count_lines(text), room = height - 1;

        fprintf(stream, HOME INVERSE "%s" PLAIN CLEAR_LINE, head);
        if (left > room && room)
                room--;
        for (; left && room; left--, room--) {
                const size_t length = strcspn(text, "\n");

                fprintf(stream, "\r\n%.*s" PLAIN CLEAR_LINE, (int)length, text);
                text += length + 1;
        }
        if (left)
                fprintf(stream, "\r\n%zu more lines" CLEAR_LINE, left);
        fputs(CLEAR_BELOW, stream);
        fflush(stream);
}
