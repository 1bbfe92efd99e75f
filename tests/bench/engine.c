/* SPDX-License-Identifier: MIT */
/*
 * The measurement: for each size of memory all contenders are filled, and then emptied from one
 * state to the next. Owns the contenders. Refuses to start what would leave the system less than
 * 3 GiB of memory.
 */
#include "engine.h"

#include "engine_json.h"
#include "engine_options.h"
#include "engine_text.h"
#include "macros.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GRANULE   (4 * KiB)
#define KEEP_FREE (3 * GiB)

/**
 * struct engine - a run
 * @states: what JSON will have; NULL where tables are printed
 */
struct engine {
        struct engine_options options;
        struct ticks ticks;
        json_t *states;
};

/* What is going on, for whoever looks on; it is no part of the result. */
static void progress(const struct engine_state *state, const char *what, const char *who)
{
        if (isatty(STDERR_FILENO))
                fprintf(stderr, "\r\033[K%" PRIu64 " GiB: %s %s", state->size_bytes / GiB, what,
                        who);
}

static void progress_end(void)
{
        if (isatty(STDERR_FILENO))
                fprintf(stderr, "\r\033[K");
}

/* MemAvailable; 0 where it is not known. */
static uint64_t available_bytes(void)
{
        static const char key[] = "MemAvailable:";
        FILE *file = fopen("/proc/meminfo", "re");
        uint64_t kib = 0;
        char line[128];

        while (file && fgets(line, sizeof(line), file)) {
                const char *number = line + strlen(key), *rest;

                if (strncmp(line, key, strlen(key)) != 0)
                        continue;
                if (units_number(number + strspn(number, " "), &kib, &rest))
                        kib = 0;
                break;
        }
        if (file)
                fclose(file);
        return kib * KiB;
}

/* ---- contenders ------------------------------------------------------------------------------ */

static void leave_out(struct engine_state *state, const struct placer_ops *ops, int r)
{
        struct left_out *left_out = &state->left_out[state->n_left_out++];

        left_out->ops = ops;
        if (r == -ENOTSUP)
                snprintf(left_out->reason, sizeof(left_out->reason),
                         "it cannot represent so much memory");
        else
                snprintf(left_out->reason, sizeof(left_out->reason),
                         "there is not enough memory for what it needs beside it");
}

/*
 * Begin with one placer. Arrays are not in memory yet when they are there: whether they will fit
 * is seen from what all contenders say that they use.
 */
static int add_contender(struct engine *engine, struct engine_state *state,
                         const struct placer_ops *ops, uint64_t *budget)
{
        struct contender *contender = malloc(sizeof(*contender));
        size_t metadata = 0;
        int r;

        if (!contender)
                return -ENOMEM;
        r = contender_init(contender, ops, state->size_bytes, GRANULE, engine->options.seed);
        if (!r) {
                metadata = ops->metadata_bytes(contender->churn.placer);
                if (metadata > *budget)
                        r = -ENOMEM;
        }
        if (r) {
                contender_deinit(contender);
                free(contender);
                leave_out(state, ops, r);
                return 0;
        }
        *budget -= metadata;
        state->contenders[state->n_contenders++] = contender;
        return 0;
}

static void free_contenders(struct engine_state *state)
{
        for (size_t i = 0; i < state->n_contenders; i++) {
                contender_deinit(state->contenders[i]);
                free(state->contenders[i]);
        }
}

static int add_contenders(struct engine *engine, struct engine_state *state)
{
        const uint64_t available = available_bytes();
        uint64_t budget = available > KEEP_FREE ? available - KEEP_FREE : 0;
        int r = 0;

        for (size_t i = 0; i < engine->options.n_placers && !r; i++)
                r = add_contender(engine, state, engine->options.placers[i], &budget);
        for (size_t i = 0; i < state->n_contenders && !r; i++) {
                progress(state, "filling", state->contenders[i]->churn.ops->name);
                r = contender_fill(state->contenders[i]);
        }
        return r;
}

/* ---- states ---------------------------------------------------------------------------------- */

/* Turn by turn, until nobody has anything left to do. */
static int take_samples(struct engine *engine, struct engine_state *state)
{
        const struct contender_plan *plan = &engine->options.plan;
        bool goes_on = true;
        int r = 0;

        progress(state, "searching in", "all");
        while (goes_on) {
                goes_on = false;
                for (size_t i = 0; i < state->n_contenders; i++) {
                        if (!contender_goes_on(state->contenders[i], plan))
                                continue;
                        r = contender_turn(state->contenders[i], &engine->ticks, plan);
                        if (r)
                                return r;
                        goes_on = true;
                }
        }
        return 0;
}

static int show(struct engine *engine, const struct engine_state *state)
{
        progress_end();
        if (!engine->states) {
                engine_text_print(state, &engine->ticks);
                return ferror(stdout) ? -EIO : 0;
        }
        return json_array_append_new(engine->states, engine_json_state(state, &engine->ticks))
                       ? -ENOMEM
                       : 0;
}

static int measure_state(struct engine *engine, struct engine_state *state)
{
        int r;

        for (size_t i = 0; i < state->n_contenders; i++) {
                progress(state, "churning", state->contenders[i]->churn.ops->name);
                r = contender_enter(state->contenders[i], state->fill_percent,
                                    &engine->options.plan);
                if (r)
                        return r;
        }
        r = take_samples(engine, state);
        return r ? r : show(engine, state);
}

static int measure_size(struct engine *engine, uint64_t size_bytes)
{
        struct engine_state state = { .size_bytes = size_bytes };
        int r;

        r = add_contenders(engine, &state);
        for (size_t i = 0; i < engine->options.n_fills && !r; i++) {
                state.fill_percent = engine->options.fills[i];
                r = measure_state(engine, &state);
        }
        free_contenders(&state);
        return r;
}

static int measure(struct engine *engine)
{
        int r = 0;

        ticks_calibrate(&engine->ticks);
        if (!engine->options.json)
                printf("Nanoseconds by the %s, of which a reading costs %.1f. TAKE, FIND, GIVE and "
                       "REFUSE: medians.\nRATIO: of the median of TAKE (where it fails: REFUSE) to "
                       "that of the first placer.\n\n",
                       engine->ticks.name, (double)engine->ticks.cost * engine->ticks.ns_each);
        for (size_t i = 0; i < engine->options.n_sizes && !r; i++)
                r = measure_size(engine, engine->options.sizes[i]);
        return r;
}

int engine_main(int argc, char **argv)
{
        struct engine engine = { 0 };
        int r;

        if (engine_options_parse(argc, argv, &engine.options))
                return 2;
        if (engine.options.help)
                return fputs(engine_options_help, stdout) == EOF || fflush(stdout);
        if (engine.options.json) {
                engine.states = json_array();
                if (!engine.states)
                        return 1;
        }
        r = measure(&engine);
        if (!r && engine.states)
                r = engine_json_print(engine.states, &engine.options, &engine.ticks);
        else
                json_decref(engine.states);
        if (r)
                fprintf(stderr, "par-bench engine: %s\n", strerror(-r));
        return r ? 1 : 0;
}
