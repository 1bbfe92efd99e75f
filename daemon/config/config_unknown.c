/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing beyond a call. Goes by the parser's own tables, so that it knows all keys and
 * sections that there are.
 */
#include "config_unknown.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* No key is longer. */
#define KEY_LENGTH_MAX 24

/* Letters that a wrong key may differ in: fewer where it is short, or it is like any other. */
#define DIFFERENCES_MAX 2
#define SHORT_KEY_MAX   4

static size_t least(size_t a, size_t b)
{
        return a < b ? a : b;
}

/* How many letters are to be added, removed or changed to make @b of @a (Levenshtein's distance).
 * Both have at most KEY_LENGTH_MAX. */
static size_t differences(const char *a, const char *b)
{
        const size_t length = strlen(b);
        size_t row[KEY_LENGTH_MAX + 1];

        for (size_t j = 0; j <= length; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= length; j++) {
                        const size_t changed = diagonal + (a[i - 1] != b[j - 1]);

                        diagonal = row[j];
                        row[j] = least(changed, least(row[j], row[j - 1]) + 1);
                }
        }
        return row[length];
}

/* Return: the key or section that @key is most like; NULL where it is like none. */
static const char *find_like(const cfg_opt_t *opts, const char *key)
{
        const size_t length = strlen(key);
        size_t fewest = length > SHORT_KEY_MAX ? DIFFERENCES_MAX + 1 : 2;
        const char *found = NULL;

        if (length > KEY_LENGTH_MAX)
                return NULL;
        for (; opts->name; opts++) {
                size_t n;

                if (strlen(opts->name) > KEY_LENGTH_MAX)
                        continue;
                n = differences(key, opts->name);
                if (n < fewest) {
                        fewest = n;
                        found = opts->name;
                }
        }
        return found;
}

/* Return: the section, at any depth, that has such a key or section; NULL where none has. */
static const char *find_section(const cfg_opt_t *opts, const char *key)
{
        for (; opts->name; opts++) {
                const char *found;

                if (opts->type != CFGT_SEC)
                        continue;
                for (const cfg_opt_t *sub = opts->subopts; sub->name; sub++)
                        if (strcmp(sub->name, key) == 0)
                                return opts->name;
                found = find_section(opts->subopts, key);
                if (found)
                        return found;
        }
        return NULL;
}

static bool is_there(const cfg_opt_t *opts, const char *key)
{
        for (; opts->name; opts++)
                if (strcmp(opts->name, key) == 0)
                        return true;
        return false;
}

void config_unknown_words(const cfg_t *root, const cfg_t *section, const char *key, char *text,
                          size_t room)
{
        const char *like = find_like(section->opts, key);
        const char *elsewhere = find_section(root->opts, key);

        if (is_there(root->opts, key))
                snprintf(text, room,
                         "there is no key \"%s\" here: it belongs outside of all sections", key);
        else if (elsewhere)
                snprintf(text, room, "there is no key \"%s\" here: it belongs into \"%s\"", key,
                         elsewhere);
        else if (like)
                snprintf(text, room, "there is no key \"%s\": is \"%s\" meant?", key, like);
        else
                snprintf(text, room, "there is no key \"%s\"", key);
}
