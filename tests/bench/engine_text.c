/* SPDX-License-Identifier: MIT */
/* The tables for people. Owns nothing. */
#include "engine_text.h"

#include "macros.h"
#include "units.h"

#include <stdio.h>

#define FIGURE_BYTES 16

/* Three digits or more: "185", "13.6k", "1.24M"; "-" where there is nothing to tell. */
static const char *figure_text(double value, char text[FIGURE_BYTES])
{
        static const char suffixes[] = { ' ', 'k', 'M', 'G' };
        size_t i = 0;

        if (value < 0)
                return "-";
        while (value >= 10000 && i + 1 < sizeof(suffixes)) {
                value /= 1000;
                i++;
        }
        if (i == 0)
                snprintf(text, FIGURE_BYTES, "%.0f", value);
        else
                snprintf(text, FIGURE_BYTES, "%.*f%c", value < 100 ? 1 : 0, value, suffixes[i]);
        return text;
}

/* Of nothing: nothing. */
static double percent(uint64_t part, uint64_t whole)
{
        return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static void print_contender(const struct engine_state *state, const struct contender *contender)
{
        const struct churn *churn = &contender->churn;
        const uint64_t taken = state->size_bytes - churn->ops->free_bytes(churn->placer);
        char metadata[UNIT_TEXT_BYTES], living[UNIT_TEXT_BYTES];

        printf("%-7s %4.1f %% full, %zu requests of %s live; filled in %.1f s; %" PRIu64
               " operations of churn in %.1f s, %.2f %% of tries were refused, %" PRIu64
               " gave up; "
               "%s of metadata a GiB",
               churn->ops->name, percent(taken, state->size_bytes), churn->n_living,
               size_human(churn_living_bytes(churn), living), (double)contender->fill_ns / 1e9,
               contender->churned, (double)contender->churn_ns / 1e9,
               percent(churn->refused, churn->tries), churn->gave_up,
               size_human(figure_metadata_per_gib(state, contender), metadata));
        if (churn->ops->visits_max)
                printf("; a search visits at most %zu nodes",
                       churn->ops->visits_max(churn->placer));
        printf("\n");
}

static void print_figures(const struct histogram *histogram, const struct ticks *ticks)
{
        char text[FIGURE_BYTES];

        for (enum percentile p = P50; p <= P99_9; p++)
                printf(" %6s", figure_text(figure_ns(histogram, ticks, p), text));
        printf(" ");
}

static void print_heading(void)
{
        static const char *const groups[] = { "TAKE", "FIND", "GIVE", "REFUSE" };

        printf("%-18s %-7s %6s ", "SEARCH", "PLACER", "FOUND");
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
                printf(" %6s %6s %6s ", groups[i], "P99", "P99.9");
        printf("%7s %7s\n", "VISITS", "RATIO");
}

/* How often there was a place. */
static double found_percent(const struct cell *cell)
{
        const uint64_t found = cell->find.count + cell->take.count;

        return percent(found, found + cell->refusal.count);
}

static void print_visits(const struct contender *contender, enum search_id search)
{
        const struct visits *visits = &contender->visits[search];

        if (contender->churn.ops->count_visits)
                printf("%7zu", visits->find);
        else
                printf("%7s", "-");
}

/* How many times the median of the first contender. */
static void print_ratio(const struct engine_state *state, const struct contender *contender,
                        enum search_id search, const struct ticks *ticks)
{
        const double own = figure_median_ns(&contender->cells[search], search, ticks);
        const double first = figure_median_ns(&state->contenders[0]->cells[search], search, ticks);
        char text[FIGURE_BYTES];

        if (own < 0 || first <= 0)
                printf(" %7s\n", "-");
        else if (own < 100 * first)
                printf(" %7.2f\n", own / first);
        else
                printf(" %7s\n", figure_text(own / first, text));
}

static void print_row(const struct engine_state *state, const struct contender *contender,
                      enum search_id search, const struct ticks *ticks)
{
        const struct cell *cell = &contender->cells[search];

        printf("%-18s %-7s %5.1f%% ", search_name(search), contender->churn.ops->name,
               found_percent(cell));
        print_figures(&cell->take, ticks);
        print_figures(&cell->find, ticks);
        print_figures(&cell->give, ticks);
        print_figures(&cell->refusal, ticks);
        print_visits(contender, search);
        print_ratio(state, contender, search, ticks);
}

void engine_text_print(const struct engine_state *state, const struct ticks *ticks)
{
        char size[UNIT_TEXT_BYTES];

        printf("%s, %u %% full\n", size_human(state->size_bytes, size), state->fill_percent);
        for (size_t i = 0; i < state->n_contenders; i++)
                print_contender(state, state->contenders[i]);
        for (size_t i = 0; i < state->n_left_out; i++)
                printf("%-7s is left out: %s\n", state->left_out[i].ops->name,
                       state->left_out[i].reason);
        print_heading();
        for (enum search_id search = 0; search < SEARCHES; search++)
                for (size_t i = 0; i < state->n_contenders; i++)
                        print_row(state, state->contenders[i], search, ticks);
        printf("\n");
        fflush(stdout);
}
