/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. A bar is for those who look; others get the figures.
 */
#include "progress.h"

#include "folded.h"
#include "progress_bar.h"
#include "safe_text.h"
#include "table.h"
#include "units.h"

#include <string.h>

static bool is_short(const struct pool_view *pool)
{
        return strcmp(pool->state, "short") == 0;
}

/* Whether a pool is on its way somewhere. */
static bool is_busy(const struct pool_view *pool)
{
        return pool->taking || pool->draining || (pool->held < pool->goal && !is_short(pool)) ||
               strcmp(pool->state, "filling") == 0;
}

void progress_line(const struct pool_view *pool, size_t name_width, bool exact,
                   const struct output *output)
{
        const uint64_t have = pool->taking ? pool->taken : pool->held;
        const uint64_t want = pool->taking ? pool->taking : pool->goal;
        FILE *stream = output->stream;
        char safe[SAFE_TEXT_BYTES], bar[PROGRESS_BAR_BYTES];
        char first[UNIT_TEXT_BYTES], second[UNIT_TEXT_BYTES];

        fprintf(stream, "%-*s  ", (int)name_width, safe_text(pool->name, safe));
        if (have < want || pool->taking) {
                if (output->terminal)
                        fprintf(stream, "%s  ", progress_bar(have, want, output->utf8, bar));
                fprintf(stream, "%s of %s, ", size_text(have, exact, first),
                        size_text(want, exact, second));
        }
        fputs(safe_text(pool->state, safe), stream);
        if (pool->held_aside)
                fprintf(stream, ", %s held aside", size_text(pool->held_aside, exact, first));
        if (pool->draining)
                fprintf(stream, ", %s to drain", size_text(pool->draining, exact, first));
        fputc('\n', stream);
}

/* Why a pool is short, in lines of its own below. */
static void print_reason(const struct pool_view *pool, const struct output *output)
{
        char safe[SAFE_TEXT_BYTES];

        if (!is_short(pool) || !*pool->note)
                return;
        fputs("  ", output->stream);
        folded_print(output->stream, safe_text(pool->note, safe), 2, 2, output->width);
}

void progress_lines(const struct pools *pools, const char *only, bool with_short, bool exact,
                    const struct output *output)
{
        size_t width = 0;

        for (size_t i = 0; i < pools->n; i++)
                if (strlen(pools->views[i].name) > width)
                        width = strlen(pools->views[i].name);
        for (size_t i = 0; i < pools->n; i++) {
                const struct pool_view *pool = &pools->views[i];

                if (only && strcmp(pool->name, only) != 0)
                        continue;
                if (!is_busy(pool) && !(with_short && is_short(pool)))
                        continue;
                progress_line(pool, width, exact, output);
                if (with_short)
                        print_reason(pool, output);
        }
}
