/* SPDX-License-Identifier: MIT */
/*
 * Owns the text while it grows. Invariant: where there was no memory for all of it, it is called
 * failed, and nothing more is added.
 */
#include "metrics_text.h"

#include "macros.h"

#include <stdlib.h>
#include <string.h>

static void put_bytes(struct metrics_text *text, const char *bytes, size_t n)
{
        if (n > text->room - text->used) {
                size_t room = (text->room + n) * 2;
                char *grown = text->failed ? NULL : realloc(text->start, room);

                if (!grown) {
                        text->failed = true;
                        return;
                }
                text->start = grown;
                text->room = room;
        }
        memcpy(text->start + text->used, bytes, n);
        text->used += n;
}

void metrics_put(struct metrics_text *text, const char *string)
{
        put_bytes(text, string, strlen(string));
}

void metrics_put_number(struct metrics_text *text, uint64_t number, unsigned digits)
{
        char all[20]; /* as many as 64 bits have */
        size_t i = sizeof(all);

        do {
                all[--i] = (char)('0' + number % 10);
                number /= 10;
        } while (number || sizeof(all) - i < digits);
        put_bytes(text, all + i, sizeof(all) - i);
}

/* "# WORD name_suffix value" */
static void put_comment(struct metrics_text *text, const char *word, const char *name,
                        const char *suffix, const char *value)
{
        const char *const parts[] = { "# ", word, " ", name, suffix, " ", value, "\n" };

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
                metrics_put(text, parts[i]);
}

void metrics_head(struct metrics_text *text, enum metrics_kind kind, const char *name,
                  const char *unit, const char *help)
{
        static const char *const types[] = { "gauge", "counter", "histogram", "info" };
        /* A metric is called like its samples only where that is older than OpenMetrics. */
        const char *suffix = text->open_metrics        ? ""
                             : kind == METRICS_COUNTER ? "_total"
                             : kind == METRICS_INFO    ? "_info"
                                                       : "";
        const char *type = kind == METRICS_INFO && !text->open_metrics ? "gauge" : types[kind];

        put_comment(text, "TYPE", name, suffix, type);
        if (unit && text->open_metrics)
                put_comment(text, "UNIT", name, "", unit);
        put_comment(text, "HELP", name, suffix, help);
}

/* key="value" */
static void put_label(struct metrics_text *text, const char *key, const char *value)
{
        metrics_put(text, key);
        metrics_put(text, "=\"");
        for (; *value; value++) {
                switch (*value) {
                case '\\': metrics_put(text, "\\\\"); break;
                case '"': metrics_put(text, "\\\""); break;
                case '\n': metrics_put(text, "\\n"); break;
                default: put_bytes(text, value, 1);
                }
        }
        metrics_put(text, "\"");
}

void metrics_put_name(struct metrics_text *text, const char *name, const char *suffix,
                      const char *key, const char *value, const char *key2, const char *value2)
{
        metrics_put(text, name);
        metrics_put(text, suffix);
        if (key || key2) {
                metrics_put(text, "{");
                if (key)
                        put_label(text, key, value);
                if (key && key2)
                        metrics_put(text, ",");
                if (key2)
                        put_label(text, key2, value2);
                metrics_put(text, "}");
        }
        metrics_put(text, " ");
}

void metrics_end_sample(struct metrics_text *text, uint64_t number)
{
        metrics_put_number(text, number, 1);
        metrics_put(text, "\n");
}

void metrics_sample(struct metrics_text *text, const char *name, const char *suffix,
                    const char *key, const char *value, uint64_t number)
{
        metrics_put_name(text, name, suffix, key, value, NULL, NULL);
        metrics_end_sample(text, number);
}
