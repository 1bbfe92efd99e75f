/* SPDX-License-Identifier: MIT */
/*
 * Owns the line on the terminal while it waits, and leaves it clean.
 */
#include "pool_wait.h"

#include "complain.h"
#include "exits.h"
#include "macros.h"
#include "progress.h"
#include "progress_bar.h"
#include "safe_text.h"
#include "stop.h"
#include "table.h"
#include "units.h"

#include <string.h>

#define PERIOD_NS (200 * NS_PER_MS)
#define SHORT_MAX 3 /* so often in a row a pool says that it is short before that is believed */

/**
 * struct pool_waiting - one wait
 * @most_bytes: the most that was still to go, of a drain or a shrinking
 * @shorts:     how often in a row the pool has been short
 */
struct pool_waiting {
        const char *name;
        enum pool_wait what;
        bool exact;
        struct output output;
        uint64_t most_bytes;
        unsigned shorts;
};

/* What a pool may hold that has been told to shrink: what it needs is not taken away. */
static uint64_t shrunk_bytes(const struct pool_view *pool)
{
        const uint64_t needed = pool->in_use + pool->spare;

        return needed > pool->goal ? needed : pool->goal;
}

/* What has still to go, of a pool that is drained or shrinks. */
static uint64_t left_bytes(const struct pool_waiting *waiting, const struct pool_view *pool)
{
        const uint64_t shrunk = shrunk_bytes(pool);

        if (waiting->what == POOL_WAIT_DRAIN)
                return pool->draining;
        return pool->held > shrunk ? pool->held - shrunk : 0;
}

/* The line of the terminal, instead of what it had. */
static void draw(struct pool_waiting *waiting, const struct pool_view *pool)
{
        const struct output *output = &waiting->output;
        const uint64_t left = left_bytes(waiting, pool);
        char bar[PROGRESS_BAR_BYTES], size[UNIT_TEXT_BYTES];

        if (!output->terminal)
                return;
        fputs("\r\033[K", output->stream);
        if (waiting->what == POOL_WAIT_GROW) {
                progress_line(pool, 0, waiting->exact, output);
                /* Back to the line that this has ended. */
                fputs("\033[A", output->stream);
                fflush(output->stream);
                return;
        }
        if (left > waiting->most_bytes)
                waiting->most_bytes = left;
        progress_bar(waiting->most_bytes - left, waiting->most_bytes, output->utf8, bar);
        fprintf(output->stream, "%s  %s  %s %s", waiting->name, bar,
                size_text(left, waiting->exact, size),
                waiting->what == POOL_WAIT_DRAIN ? "still in use" : "to give back");
        fflush(output->stream);
}

static void clean(const struct pool_waiting *waiting)
{
        if (!waiting->output.terminal)
                return;
        fputs("\r\033[K", waiting->output.stream);
        fflush(waiting->output.stream);
}

static bool is_there(const struct pool_waiting *waiting, const struct pool_view *pool)
{
        switch (waiting->what) {
        case POOL_WAIT_GROW: return pool->held >= pool->goal;
        case POOL_WAIT_SHRINK:
        case POOL_WAIT_DRAIN: return left_bytes(waiting, pool) == 0;
        }
        return true;
}

/* Whether the pool says itself that it does not get any further. */
static bool is_stuck(struct pool_waiting *waiting, const struct pool_view *pool)
{
        if (waiting->what != POOL_WAIT_GROW || strcmp(pool->state, "short") != 0)
                waiting->shorts = 0;
        else
                waiting->shorts++;
        return waiting->shorts >= SHORT_MAX;
}

static int tell(const struct pool_waiting *waiting, const struct pool_view *pool, bool stopped)
{
        char held[UNIT_TEXT_BYTES], goal[UNIT_TEXT_BYTES], safe[SAFE_TEXT_BYTES];

        size_text(pool->held, waiting->exact, held);
        size_text(pool->goal, waiting->exact, goal);
        if (waiting->what == POOL_WAIT_DRAIN)
                complain("stopped waiting; pool %s goes on draining, %s still in use",
                         waiting->name, size_text(pool->draining, waiting->exact, held));
        else if (stopped)
                complain("stopped waiting; pool %s goes on towards %s, and holds %s", waiting->name,
                         goal, held);
        else
                complain("pool %s holds %s of %s, and is short: %s", waiting->name, held, goal,
                         *pool->note ? safe_text(pool->note, safe) : "no memory is to be had");
        return EXIT_REFUSED;
}

/* Told to stop while it asks, it asks once more: it tells in the end where the pool stands. */
static int look(struct ask *ask, struct pools *ret)
{
        const int status = pools_ask(ask, ret);

        return status && stop_signal() ? pools_ask(ask, ret) : status;
}

int pool_wait(struct ask *ask, const char *name, enum pool_wait what,
              const struct arguments *arguments, struct pools *ret)
{
        struct pool_waiting waiting = {
                .name = name,
                .what = what,
                .exact = arguments->bytes,
                .output = output_of(stderr, arguments->no_color),
        };

        stop_prepare();
        for (;;) {
                const struct pool_view *pool;
                bool stuck;
                int status;

                status = look(ask, ret);
                if (status)
                        return status;
                pool = pools_find(ret, name);
                if (!pool)
                        return EXIT_OTHER;
                draw(&waiting, pool);
                stuck = is_stuck(&waiting, pool);
                if (is_there(&waiting, pool) || stuck || stop_signal()) {
                        clean(&waiting);
                        return is_there(&waiting, pool) ? EXIT_DONE : tell(&waiting, pool, !stuck);
                }
                stop_wait(PERIOD_NS);
        }
}
