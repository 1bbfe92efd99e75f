/* SPDX-License-Identifier: MIT */
/*
 * What was measured of the way to pard and back, for people and programs.
 */
#pragma once

#define PATH_ROWS_MAX   32
#define PATH_ROUNDS_MAX 101

/* What the rounds of a row gave, in nanoseconds; @count 0: it was not measured. */
struct path_figures {
        double ours[PATH_ROUNDS_MAX], peers[PATH_ROUNDS_MAX], ratios[PATH_ROUNDS_MAX];
        unsigned count;
};

/* One for each of path_rows. */
struct path_report {
        struct path_figures figures[PATH_ROWS_MAX];
};

/* One more round. */
void path_figures_add(struct path_figures *figures, double ours_ns, double peers_ns);

/* Print it. Return: 0; negative errno. */
int path_report_text(struct path_report *report);
int path_report_json(struct path_report *report);
