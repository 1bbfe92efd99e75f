/* SPDX-License-Identifier: MIT */
/*
 * Owns the copy of the text that the parser sees. libconfuse counts the lines of comments twice and
 * takes the end of the file for the end of any section or comment: with comments blanked out and
 * brackets counted here, its line numbers are right and nothing half-written is accepted. Refuses
 * ${NAME} as well, because keeper and worker must read the same thing whatever their environments.
 */
#include "config_text.h"

#include "macros.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8 /* the grammar needs 3: sim, extent, a list */

/**
 * struct scan - a walk over the text
 * @at:    what comes next; the comments before it are blanked out already
 * @line:  of @at
 * @open:  lines of the braces that are open
 * @depth: how many
 * @error: why the walk ended; NULL: it goes on
 */
struct scan {
        char *at;
        unsigned line;
        unsigned open[DEPTH_MAX];
        size_t depth;
        const char *error;
};

static void blank(char *from, const char *to)
{
        for (; from < to; from++)
                if (*from != '\n')
                        *from = ' ';
}

static void skip_line_comment(struct scan *scan)
{
        size_t n = strcspn(scan->at, "\n");

        blank(scan->at, scan->at + n);
        scan->at += n;
}

static void skip_block_comment(struct scan *scan)
{
        char *last = strstr(scan->at + 2, "*/");

        if (!last) {
                scan->error = "this comment is never closed: \"*/\" is missing";
                return;
        }
        for (const char *p = scan->at; p < last; p++)
                scan->line += *p == '\n';
        blank(scan->at, last + 2);
        scan->at = last + 2;
}

static void skip_quoted(struct scan *scan)
{
        char quote = *scan->at++;

        for (; *scan->at != quote; scan->at++) {
                if (*scan->at == '\\' && scan->at[1])
                        scan->at++;
                if (!*scan->at || *scan->at == '\n') {
                        scan->error = "a quote is not closed on its line";
                        return;
                }
        }
        scan->at++;
}

/* What the parser takes for one unquoted word: "//" inside is no comment, "#" is. */
static void skip_word(struct scan *scan)
{
        scan->at += strcspn(scan->at, " \t\r\n\"'={}()#+,*");
}

static void brace(struct scan *scan)
{
        if (*scan->at == '{') {
                if (scan->depth == DEPTH_MAX) {
                        scan->error = "too many braces inside one another";
                        return;
                }
                scan->open[scan->depth++] = scan->line;
        } else {
                if (scan->depth == 0) {
                        scan->error = "a closing brace without an opening one";
                        return;
                }
                scan->depth--;
        }
        scan->at++;
}

static void step(struct scan *scan)
{
        char c = *scan->at;

        if (c == '#' || (c == '/' && scan->at[1] == '/'))
                skip_line_comment(scan);
        else if (c == '/' && scan->at[1] == '*')
                skip_block_comment(scan);
        else if (c == '"' || c == '\'')
                skip_quoted(scan);
        else if (c == '{' || c == '}')
                brace(scan);
        else if (c == '\n') {
                scan->line++;
                scan->at++;
        } else if (c == '\r')
                *scan->at++ = ' ';
        else if (strchr(" \t=()+,*", c))
                scan->at++;
        else
                skip_word(scan);
}

/* What no part of the text may contain, in comments neither. */
static const char *find_foreign(const char *text, unsigned *ret_line)
{
        *ret_line = 1;
        for (const char *p = text; *p; p++) {
                if ((unsigned char)*p < ' ' && !strchr("\t\r\n", *p))
                        return "a control character";
                if (p[0] == '$' && p[1] == '{')
                        return "\"${\": a configuration does not refer to the environment";
                *ret_line += *p == '\n';
        }
        return NULL;
}

int config_text_prepare(const char *text, char **ret, unsigned *ret_line, const char **ret_error)
{
        struct scan scan = { .line = 1 };
        char *copy;

        *ret_error = find_foreign(text, ret_line);
        if (*ret_error)
                return -EINVAL;
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;

        scan.at = copy;
        while (*scan.at && !scan.error)
                step(&scan);
        if (!scan.error && scan.depth > 0) {
                scan.line = scan.open[scan.depth - 1];
                scan.error = "this brace is never closed";
        }
        *ret_line = scan.line;
        *ret_error = scan.error;
        if (scan.error) {
                free(copy);
                return -EINVAL;
        }
        *ret = copy;
        return 0;
}
