/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Asks the system what is behind a stream, each time anew: terminals change their
 * size.
 */
#include "output.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool wants_color(void)
{
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        if (no_color && *no_color)
                return false;
        return term && *term && strcmp(term, "dumb") != 0;
}

struct output output_of(FILE *stream, bool plain)
{
        struct output output = { .stream = stream, .width = OUTPUT_NO_END };
        const int fd = fileno(stream);
        struct winsize size;

        output.terminal = fd >= 0 && isatty(fd);
        if (!output.terminal)
                return output;
        if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
                output.height = size.ws_row;
                if (size.ws_col)
                        output.width = size.ws_col;
        }
        output.color = !plain && wants_color();
        output.utf8 = output.color && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
        return output;
}
