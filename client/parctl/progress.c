/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. A bar is for those who look; others get the figures.
 */
#include "progress.h"

#include "progress_bar.h"
#include "safe_text.h"
#include "table.h"
#include "units.h"

#include <string.h>

bool progress_is_busy(const struct pool_view *pool)
{
        return pool->taking || pool->draining || pool->held < pool->goal ||
               strcmp(pool->state, "filling") == 0 || strcmp(pool->state, "growing") == 0 ||
               strcmp(pool->state, "harvesting") == 0;
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

void progress_lines(const struct pools *pools, const char *only, bool exact,
                    const struct output *output)
{
        size_t width = 0;

        for (size_t i = 0; i < pools->n; i++)
                if (progress_is_busy(&pools->views[i]) && strlen(pools->views[i].name) > width)
                        width = strlen(pools->views[i].name);
        for (size_t i = 0; i < pools->n; i++)
                if (progress_is_busy(&pools->views[i]) &&
                    (!only || strcmp(pools->views[i].name, only) == 0))
                        progress_line(&pools->views[i], width, exact, output);
}
