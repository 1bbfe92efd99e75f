/* SPDX-License-Identifier: MIT */
/* Owns nothing. Puts the rounds of a row in order to tell their median; the order is of no use. */
#include "path_report.h"

#include "path.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

void path_figures_add(struct path_figures *figures, double ours_ns, double peers_ns)
{
        const unsigned i = figures->count;

        if (i == PATH_ROUNDS_MAX)
                return;
        figures->ours[i] = ours_ns;
        figures->peers[i] = peers_ns;
        figures->ratios[i] = peers_ns > 0 ? ours_ns / peers_ns : 0;
        figures->count++;
}

static int compare(const void *left, const void *right)
{
        const double a = *(const double *)left, b = *(const double *)right;

        return (a > b) - (a < b);
}

static double median(double *values, unsigned count)
{
        qsort(values, count, sizeof(*values), compare);
        return values[count / 2];
}

int path_report_text(struct path_report *report)
{
        printf("%-15s %10s %10s %7s %15s %6s\n", "", "ours/ns", "peer/ns", "ratio", "of the rounds",
               "bar");
        for (unsigned i = 0; i < n_path_rows; i++) {
                struct path_figures *figures = &report->figures[i];
                const struct path_row *row = &path_rows[i];
                const unsigned n = figures->count;

                if (!n)
                        continue;
                printf("%-15s %10.0f %10.0f", row->name, median(figures->ours, n),
                       median(figures->peers, n));
                printf(" %7.2f", median(figures->ratios, n));
                printf("   %5.2f to %5.2f", figures->ratios[0], figures->ratios[n - 1]);
                if (row->bar > 0)
                        printf(" %5.2f", row->bar);
                printf("\n%15s %s; %s\n", "", row->ours, row->peer);
        }
        return fflush(stdout) ? -EIO : 0;
}

/* Tenths of a nanosecond, and thousandths of a ratio, are more than the clock tells. */
static double rounded(double value, double steps)
{
        return (double)(long long)(value * steps + 0.5) / steps;
}

static json_t *of_row(const struct path_row *row, struct path_figures *figures)
{
        const unsigned n = figures->count;
        const double ratio = median(figures->ratios, n);

        return json_pack("{s:s, s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:o, s:o}", "row",
                         row->name, "ours", row->ours, "peer", row->peer, "rounds", (int)n,
                         "ours_ns", rounded(median(figures->ours, n), 10), "peer_ns",
                         rounded(median(figures->peers, n), 10), "ratio", rounded(ratio, 1000),
                         "ratio_min", rounded(figures->ratios[0], 1000), "ratio_max",
                         rounded(figures->ratios[n - 1], 1000), "bar",
                         row->bar > 0 ? json_real(row->bar) : json_null(), "within",
                         row->bar > 0 ? json_boolean(ratio <= row->bar) : json_null());
}

int path_report_json(struct path_report *report)
{
        json_t *rows = json_array(), *all;
        int r = 0;

        for (unsigned i = 0; i < n_path_rows && !r; i++)
                if (report->figures[i].count)
                        r = json_array_append_new(rows, of_row(&path_rows[i], &report->figures[i]));
        all = json_pack("{s:{s:o}}", "path", "rows", rows);
        if (r || !all) {
                json_decref(all);
                return -ENOMEM;
        }
        r = json_dumpf(all, stdout, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
        json_decref(all);
        return r || putchar('\n') == EOF || fflush(stdout) ? -EIO : 0;
}
