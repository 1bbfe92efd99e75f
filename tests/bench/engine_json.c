/* SPDX-License-Identifier: MIT */
/*
 * Owns what it has not handed on yet. json_pack() passes "no memory" on: a NULL that is packed
 * makes the whole NULL, and what was packed with it is freed.
 */
#include "engine_json.h"

#include <errno.h>
#include <stdio.h>

static json_int_t number(uint64_t value)
{
        return value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

/* Tenths of a nanosecond are more than the clock tells. */
static json_t *nanoseconds(double ns)
{
        return ns < 0 ? json_null() : json_real((double)(int64_t)(ns * 10 + 0.5) / 10);
}

static json_t *of_histogram(const struct histogram *histogram, const struct ticks *ticks)
{
        return json_pack("{s:I, s:o, s:o, s:o, s:o}", "count", number(histogram->count), "p50",
                         nanoseconds(figure_ns(histogram, ticks, P50)), "p99",
                         nanoseconds(figure_ns(histogram, ticks, P99)), "p99_9",
                         nanoseconds(figure_ns(histogram, ticks, P99_9)), "max",
                         nanoseconds(figure_ns(histogram, ticks, P_MAX)));
}

static json_t *of_visits(const struct contender *contender, enum search_id search)
{
        const struct visits *visits = &contender->visits[search];

        if (!contender->churn.ops->count_visits)
                return json_null();
        return json_pack("{s:I, s:I, s:I}", "find", number(visits->find), "take",
                         number(visits->take), "give", number(visits->give));
}

/* How many times the median of the first contender; null where one of them has none. */
static json_t *of_ratio(const struct engine_state *state, const struct contender *contender,
                        enum search_id search, const struct ticks *ticks)
{
        const double own = figure_median_ns(&contender->cells[search], search, ticks);
        const double first = figure_median_ns(&state->contenders[0]->cells[search], search, ticks);

        return own < 0 || first <= 0 ? json_null() : json_real(own / first);
}

static json_t *of_search(const struct engine_state *state, const struct contender *contender,
                         enum search_id search, const struct ticks *ticks)
{
        const struct cell *cell = &contender->cells[search];

        return json_pack(
                "{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "search", search_name(search), "take_ns",
                of_histogram(&cell->take, ticks), "find_ns", of_histogram(&cell->find, ticks),
                "give_ns", of_histogram(&cell->give, ticks), "refuse_ns",
                of_histogram(&cell->refusal, ticks), "visits", of_visits(contender, search),
                "ratio", of_ratio(state, contender, search, ticks));
}

static json_t *of_searches(const struct engine_state *state, const struct contender *contender,
                           const struct ticks *ticks)
{
        json_t *searches = json_array();

        for (enum search_id i = 0; i < SEARCHES; i++)
                if (json_array_append_new(searches, of_search(state, contender, i, ticks))) {
                        json_decref(searches);
                        return NULL;
                }
        return searches;
}

static json_t *of_contender(const struct engine_state *state, const struct contender *contender,
                            const struct ticks *ticks)
{
        const struct churn *churn = &contender->churn;
        json_t *visits_max = json_null();

        if (churn->ops->visits_max)
                visits_max = json_integer(number(churn->ops->visits_max(churn->placer)));
        return json_pack(
                "{s:s, s:I, s:I, s:I, s:f, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "placer",
                churn->ops->name, "free", number(churn->ops->free_bytes(churn->placer)), "living",
                number(churn->n_living), "living_bytes", number(churn_living_bytes(churn)),
                "fill_s", (double)contender->fill_ns / 1e9, "churned", number(contender->churned),
                "churn_s", (double)contender->churn_ns / 1e9, "tries", number(churn->tries),
                "refused", number(churn->refused), "gave_up", number(churn->gave_up), "metadata",
                number(churn->ops->metadata_bytes(churn->placer)), "metadata_per_gib",
                number(figure_metadata_per_gib(state, contender)), "visits_max", visits_max,
                "searches", of_searches(state, contender, ticks));
}

static json_t *of_left_out(const struct engine_state *state)
{
        json_t *list = json_array();

        for (size_t i = 0; i < state->n_left_out; i++)
                if (json_array_append_new(list, json_pack("{s:s, s:s}", "placer",
                                                          state->left_out[i].ops->name, "reason",
                                                          state->left_out[i].reason))) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

json_t *engine_json_state(const struct engine_state *state, const struct ticks *ticks)
{
        json_t *placers = json_array();

        for (size_t i = 0; i < state->n_contenders; i++)
                if (json_array_append_new(placers,
                                          of_contender(state, state->contenders[i], ticks))) {
                        json_decref(placers);
                        return NULL;
                }
        return json_pack("{s:I, s:i, s:o, s:o}", "size", number(state->size_bytes), "fill",
                         (int)state->fill_percent, "placers", placers, "left_out",
                         of_left_out(state));
}

int engine_json_print(json_t *states, const struct engine_options *options,
                      const struct ticks *ticks)
{
        json_t *all;
        int r;

        all = json_pack("{s:{s:I, s:I, s:I, s:{s:s, s:f, s:f}, s:o}}", "engine", "seed",
                        number(options->seed), "churn", number(options->plan.operations), "samples",
                        number(options->plan.cycles), "clock", "name", ticks->name, "tick_ns",
                        ticks->ns_each, "cost_ns", (double)ticks->cost * ticks->ns_each, "states",
                        states);
        if (!all)
                return -ENOMEM;
        r = json_dumpf(all, stdout, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
        json_decref(all);
        return r || putchar('\n') == EOF || fflush(stdout) ? -EIO : 0;
}
