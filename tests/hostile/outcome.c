/* SPDX-License-Identifier: MIT */
/* Owns nothing. Refuses to round up to what looks better: figures are printed as they are. */
#include "outcome.h"

#include "macros.h"
#include "process.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#define ALLOWED_NS (5 * NS_PER_MS)

static double us_at(const struct histogram *histogram, unsigned permille)
{
        return histogram->count ? (double)histogram_at(histogram, permille) / 1e3 : 0;
}

void outcome_print_head(FILE *to)
{
        static const char *const rows[2][17] = {
                { "", "", "", "alloc", "+ free", "64 KiB", "served", "bare", "ping", "2 MiB", "",
                  "connect", "away", "RssAnon", "KiB", "settled", "log" },
                { "attack", "pids", "tries/s", "p50 us", "p99 us", "max us", "p99 us", "p50 us",
                  "p99 us", "p99 us", "max us", "p99 us", "", "keeper", "worker", "ms", "lines" },
        };

        for (int i = 0; i < 2; i++) {
                const char *const *w = rows[i];

                fprintf(to,
                        "%-18s %4s %9s | %7s %7s %7s %7s | %7s %7s | %7s %7s | %7s %5s | %7s %7s | "
                        "%7s %5s\n",
                        w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11],
                        w[12], w[13], w[14], w[15], w[16]);
        }
}

void outcome_print(const struct outcome *outcome, FILE *to)
{
        const struct good_report *report = outcome->report;
        const struct footprint *before = &outcome->before, *after = &outcome->after;

        fprintf(to, "%-18s %4u %9.0f | %7.0f %7.0f %7.0f %7.0f | %7.0f %7.0f | ", outcome->name,
                outcome->processes, (double)outcome->tries / outcome->seconds,
                us_at(&report->answers, 500), us_at(&report->answers, 990),
                (double)report->answers.max / 1e3, us_at(&report->served, 990),
                us_at(&report->pings, 500), us_at(&report->pings, 990));
        fprintf(to, "%7.0f %7.0f | %7.0f %5" PRIu64 " | %+7ld %+7ld | %7" PRIu64 " %5" PRIu64 "\n",
                us_at(&report->pages, 990), (double)report->pages.max / 1e3,
                us_at(&report->newcomers, 990), report->turned_away,
                after->resident_kib[0] - before->resident_kib[0],
                after->resident_kib[1] - before->resident_kib[1], outcome->settle_ms,
                outcome->log_lines);
        fflush(to);
}

static json_t *of_histogram(const struct histogram *histogram)
{
        return json_pack("{s:I, s:f, s:f, s:f}", "count", (json_int_t)histogram->count, "p50_us",
                         us_at(histogram, 500), "p99_us", us_at(histogram, 990), "max_us",
                         (double)histogram->max / 1e3);
}

static json_t *of_footprint(const struct footprint *print)
{
        return json_pack("{s:I, s:I, s:I, s:I}", "keeper_descriptors",
                         (json_int_t)print->descriptors[0], "worker_descriptors",
                         (json_int_t)print->descriptors[1], "keeper_rss_anon_kib",
                         (json_int_t)print->resident_kib[0], "worker_rss_anon_kib",
                         (json_int_t)print->resident_kib[1]);
}

void outcome_print_json(const struct outcome *outcome, FILE *to)
{
        const struct good_report *report = outcome->report;
        json_t *row;

        row = json_pack(
                "{s:s, s:s, s:s, s:f, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, "
                "s:o, s:I, s:I}",
                "attack", outcome->name, "about", outcome->about, "backend",
                outcome->real ? "hugetlb" : "sim", "seconds", outcome->seconds, "processes",
                (json_int_t)outcome->processes, "tries", (json_int_t)outcome->tries,
                "alloc_free_64k", of_histogram(&report->answers), "alloc_free_64k_served",
                of_histogram(&report->served), "alloc_2m", of_histogram(&report->pages), "connect",
                of_histogram(&report->newcomers), "ping", of_histogram(&report->pings), "refused",
                (json_int_t)report->refused, "turned_away", (json_int_t)report->turned_away,
                "checks", (json_int_t)report->checks, "fresh", of_footprint(&outcome->fresh),
                "before", of_footprint(&outcome->before), "after", of_footprint(&outcome->after),
                "settle_ms", (json_int_t)outcome->settle_ms, "log_lines",
                (json_int_t)outcome->log_lines);
        if (!row || json_dumpf(row, to, JSON_COMPACT | JSON_REAL_PRECISION(6)))
                die("no memory for JSON");
        json_decref(row);
        fputc('\n', to);
        fflush(to);
}

const char *outcome_late(const struct outcome *outcome)
{
        static char sentence[160];
        double p99_us = us_at(&outcome->report->answers, 990);
        double allowed_us = 3 * us_at(&outcome->report->pings, 990);

        if (allowed_us < (double)ALLOWED_NS / 1e3)
                allowed_us = (double)ALLOWED_NS / 1e3;
        if (p99_us <= allowed_us)
                return NULL;
        snprintf(sentence, sizeof(sentence), "%s: p99 of %.0f us, %.0f us allowed", outcome->name,
                 p99_us, allowed_us);
        return sentence;
}
