/* SPDX-License-Identifier: MIT */
/*
 * Owns the layout. Nothing depends on the machine: sums are of integers, and the fonts are the
 * viewer's. Colours follow the viewer's background.
 */
#include "experiment_plot.h"

#include "macros.h"
#include "svg.h"

#include <errno.h>
#include <string.h>

#define COLUMNS_MAX 4
#define PLOT_SIZE   "16G" /* machines whose names end so */
#define SERIES_LOAD 90    /* that the figures over time are of */

/* Tenths of a pixel. */
#define WIDTH                8800
#define MARGIN               400
#define GAP                  260
#define TOP                  760
#define ROW                  1640
#define PANEL                1060 /* height */
#define PANEL_DOWN           340  /* from the top of a row */
#define FOOT                 160
#define CHARACTER            68 /* width of one, in a wide font */
#define PANEL_WIDTH(columns) ((WIDTH - MARGIN - 200 - ((columns)-1) * GAP) / (columns))

/* Colours that also those can tell apart who do not see all of them. */
static const char style[] =
        "text{fill:#1f2328}.soft{fill:#59636e;font-size:11px}.bold{font-weight:600}\n"
        ".back{fill:#fff}.grid{stroke:#d8dee4;stroke-width:1}\n"
        "polyline{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}\n"
        ".par{stroke:#54aeff;stroke-width:6;opacity:.35}.ideal{stroke:#59636e;stroke-dasharray:3 "
        "3}\n"
        ".highest{stroke:#0072b2}.twoends{stroke:#1f2328}.zones{stroke:#d55e00}\n"
        ".buddy{stroke:#c78a00}.firstfit{stroke:#009e73}\n"
        "circle.highest{fill:#0072b2}circle.twoends{fill:#1f2328}circle.zones{fill:#d55e00}\n"
        "circle.buddy{fill:#c78a00}circle.firstfit{fill:#009e73}circle{stroke:none}\n"
        "@media (prefers-color-scheme:dark){\n"
        "text{fill:#e6edf3}.soft{fill:#9198a1}.back{fill:#0d1117}.grid{stroke:#30363d}\n"
        ".par{stroke:#388bfd}.ideal{stroke:#9198a1}\n"
        ".highest{stroke:#56b4e9}.twoends{stroke:#e6edf3}.zones{stroke:#ee7733}\n"
        ".buddy{stroke:#e6b333}.firstfit{stroke:#2fc49a}\n"
        "circle.highest{fill:#56b4e9}circle.twoends{fill:#e6edf3}circle.zones{fill:#ee7733}\n"
        "circle.buddy{fill:#e6b333}circle.firstfit{fill:#2fc49a}circle{stroke:none}\n"
        "}\n";

/* What is drawn, the first below the others; @class is its colour. */
static const struct {
        const char *name, *class, *legend;
} lines[] = {
        { "par", "par", "par, the engine" },      { "ideal", "ideal", "ideal" },
        { "first fit", "firstfit", "first fit" }, { "buddy", "buddy", "buddy" },
        { "zones", "zones", "zones (Linux)" },    { "highest", "highest", "highest place" },
        { "two ends", "twoends", "two ends" },
};

/* A row of panels: a figure by load, or over time. */
static const struct {
        const char *title;
        enum study_metric metric;
        bool over_time;
} rows[] = {
        { "Constrained requests: bytes that ought to be alive and are not, % by load",
          STUDY_UNSERVED_CONSTRAINED, false },
        { "All requests: bytes refused, % by load", STUDY_REFUSED_BYTES, false },
        { "Memory below 4 GiB held by those who do not need it, % by load", STUDY_MISPLACED_4G,
          false },
        { "Fragmentation of all free memory at 90 % load, % over the time of a run",
          STUDY_FRAGMENTED, true },
};

/**
 * struct plot - a picture in the making
 * @file:    where it goes
 * @study:   borrowed
 * @mixes:   one for each column
 * @machines: of the mixes
 * @n:       columns
 */
struct plot {
        FILE *file;
        const struct study *study;
        const struct workload_mix *mixes[COLUMNS_MAX];
        const struct workload_machine *machines[COLUMNS_MAX];
        size_t n;
};

/* One panel: where it is, and what its edges stand for. */
struct panel {
        struct svg_point at;
        int width;
        uint32_t top_ppm;
        unsigned load_min, load_max;
};

static void choose_columns(struct plot *plot)
{
        for (size_t i = 0; i < plot->study->n_cases && plot->n < COLUMNS_MAX; i++) {
                const struct study_case *of = &plot->study->cases[i];
                const char *dash = strrchr(of->machine->name, '-');

                if (!dash || strcmp(dash + 1, PLOT_SIZE) != 0 ||
                    (plot->n && plot->mixes[plot->n - 1] == of->mix))
                        continue;
                plot->mixes[plot->n] = of->mix;
                plot->machines[plot->n++] = of->machine;
        }
}

static bool is_in_column(const struct plot *plot, size_t column, const struct study_case *of)
{
        return of->mix == plot->mixes[column] && of->machine == plot->machines[column];
}

/* The largest value that a row of panels shows. */
static uint32_t largest_of(const struct plot *plot, enum study_metric metric)
{
        uint32_t largest = 0;

        for (size_t i = 0; i < plot->study->n_cases * plot->n; i++) {
                const struct study_case *of = &plot->study->cases[i / plot->n];

                if (!is_in_column(plot, i % plot->n, of))
                        continue;
                for (size_t l = 0; l < ARRAY_SIZE(lines); l++) {
                        const struct study_row *row = study_row_of(of, lines[l].name);

                        if (row && row->figures[metric].mean != STUDY_NONE &&
                            row->figures[metric].mean > largest)
                                largest = row->figures[metric].mean;
                }
        }
        return largest;
}

/* A round number of percent that is not below it. */
static uint32_t round_top(uint32_t ppm)
{
        static const uint32_t tops[] = { 1, 2, 5, 10, 20, 30, 40, 60, 80 };

        for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
                if (ppm <= tops[i] * (RUN_PPM / 100))
                        return (uint32_t)(tops[i] * (RUN_PPM / 100));
        }
        return RUN_PPM;
}

static int y_of(const struct panel *panel, uint32_t ppm)
{
        const uint32_t within = ppm < panel->top_ppm ? ppm : panel->top_ppm;

        return panel->at.y + PANEL - (int)((uint64_t)PANEL * within / panel->top_ppm);
}

static int x_of_load(const struct panel *panel, unsigned load)
{
        const unsigned span = panel->load_max - panel->load_min;

        return panel->at.x + (span ? panel->width * (int)(load - panel->load_min) / (int)span : 0);
}

static void draw_loads(const struct plot *plot, const struct panel *panel, size_t column,
                       enum study_metric metric, size_t line)
{
        struct svg_point points[STUDY_LOADS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < plot->study->n_cases && n < STUDY_LOADS_MAX; i++) {
                const struct study_case *of = &plot->study->cases[i];
                const struct study_row *row;

                row = is_in_column(plot, column, of) ? study_row_of(of, lines[line].name) : NULL;
                if (row && row->figures[metric].mean != STUDY_NONE)
                        points[n++] = (struct svg_point){ x_of_load(panel, of->load_percent),
                                                          y_of(panel, row->figures[metric].mean) };
        }
        if (n)
                svg_line(plot->file, lines[line].class, points, n);
        if (strcmp(lines[line].class, "par") == 0 || strcmp(lines[line].class, "ideal") == 0)
                return;
        for (size_t i = 0; i < n; i++)
                svg_dot(plot->file, lines[line].class, points[i], 20);
}

static void draw_series(const struct plot *plot, const struct panel *panel, size_t column,
                        size_t line)
{
        const struct study_case *of = study_case_of(plot->study, plot->mixes[column]->name,
                                                    plot->machines[column]->name, SERIES_LOAD);
        const struct study_row *row = of ? study_row_of(of, lines[line].name) : NULL;
        struct svg_point points[RUN_SAMPLES];

        if (!row || row->figures[STUDY_FRAGMENTED].mean == STUDY_NONE)
                return;
        for (int s = 0; s < RUN_SAMPLES; s++)
                points[s] = (struct svg_point){ panel->at.x + panel->width * (s + 1) / RUN_SAMPLES,
                                                y_of(panel, row->fragmented[s]) };
        svg_line(plot->file, lines[line].class, points, RUN_SAMPLES);
}

/* Lines at nothing, one half, and the top, with their percent in the first column. */
static void draw_grid(const struct plot *plot, const struct panel *panel, bool labels)
{
        for (uint32_t half = 0; half <= 2; half++) {
                const uint32_t ppm = panel->top_ppm / 2 * half;
                const uint32_t tenths = ppm / (uint32_t)(RUN_PPM / 1000);
                const int y = y_of(panel, ppm);
                const struct svg_point ends[] = { { panel->at.x, y },
                                                  { panel->at.x + panel->width, y } };
                char text[16];

                svg_line(plot->file, "grid", ends, 2);
                if (tenths % 10)
                        snprintf(text, sizeof(text), "%u.%u", tenths / 10, tenths % 10);
                else
                        snprintf(text, sizeof(text), "%u", tenths / 10);
                if (labels)
                        svg_text(plot->file, "soft", SVG_END,
                                 (struct svg_point){ panel->at.x - 60, y + 40 }, text);
        }
}

static void draw_load_axis(const struct plot *plot, const struct panel *panel, size_t column)
{
        for (size_t i = 0; i < plot->study->n_cases; i++) {
                const unsigned load = plot->study->cases[i].load_percent;
                char text[16];

                /* The last two are too close to each other for both. */
                if (!is_in_column(plot, column, &plot->study->cases[i]) || load == 95)
                        continue;
                snprintf(text, sizeof(text), "%u", load);
                svg_text(plot->file, "soft", SVG_MIDDLE,
                         (struct svg_point){ x_of_load(panel, load), panel->at.y + PANEL + 140 },
                         text);
        }
}

static void draw_time_axis(const struct plot *plot, const struct panel *panel, size_t column)
{
        const struct study_case *of = study_case_of(plot->study, plot->mixes[column]->name,
                                                    plot->machines[column]->name, SERIES_LOAD);
        char text[32];

        if (!of)
                return;
        snprintf(text, sizeof(text), "%u min", (unsigned)(of->seconds / 60));
        svg_text(plot->file, "soft", SVG_START,
                 (struct svg_point){ panel->at.x, panel->at.y + PANEL + 140 }, "0");
        svg_text(plot->file, "soft", SVG_END,
                 (struct svg_point){ panel->at.x + panel->width, panel->at.y + PANEL + 140 }, text);
}

static void draw_panel(const struct plot *plot, const struct panel *panel, size_t column,
                       size_t row)
{
        draw_grid(plot, panel, column == 0);
        if (rows[row].over_time)
                draw_time_axis(plot, panel, column);
        else
                draw_load_axis(plot, panel, column);
        for (size_t line = 0; line < ARRAY_SIZE(lines); line++) {
                if (rows[row].over_time)
                        draw_series(plot, panel, column, line);
                else
                        draw_loads(plot, panel, column, rows[row].metric, line);
        }
}

static void draw_row(const struct plot *plot, size_t row)
{
        struct panel panel = {
                .width = PANEL_WIDTH((int)plot->n),
                .load_min = UINT32_MAX,
        };
        const int y = TOP + (int)row * ROW;

        panel.top_ppm = rows[row].over_time ? (uint32_t)RUN_PPM
                                            : round_top(largest_of(plot, rows[row].metric));
        for (size_t i = 0; i < plot->study->n_cases; i++) {
                const unsigned load = plot->study->cases[i].load_percent;

                panel.load_min = load < panel.load_min ? load : panel.load_min;
                panel.load_max = load > panel.load_max ? load : panel.load_max;
        }
        svg_text(plot->file, "bold", SVG_START, (struct svg_point){ MARGIN, y + 200 },
                 rows[row].title);
        for (size_t column = 0; column < plot->n; column++) {
                panel.at = (struct svg_point){ MARGIN + (int)column * (panel.width + GAP),
                                               y + PANEL_DOWN };
                draw_panel(plot, &panel, column, row);
        }
}

static void draw_legend(const struct plot *plot)
{
        int x = MARGIN;

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                const struct svg_point ends[] = { { x, 210 }, { x + 200, 210 } };

                svg_line(plot->file, lines[i].class, ends, 2);
                svg_text(plot->file, "ink", SVG_START, (struct svg_point){ x + 260, 250 },
                         lines[i].legend);
                x += 440 + (int)strlen(lines[i].legend) * CHARACTER;
        }
}

static void draw(const struct plot *plot)
{
        const int height = TOP + (int)ARRAY_SIZE(rows) * ROW + FOOT;
        const int width = PANEL_WIDTH((int)plot->n);

        svg_begin(plot->file, WIDTH, height,
                  "What comes of different ways to place the same requests", style);
        svg_rect(plot->file, "back", (struct svg_point){ 0, 0 }, WIDTH, height);
        draw_legend(plot);
        for (size_t i = 0; i < plot->n; i++) {
                char text[2 * WORKLOAD_NAME_BYTES + 8];

                snprintf(text, sizeof(text), "%s, %s", plot->mixes[i]->name,
                         plot->machines[i]->name);
                svg_text(plot->file, "bold", SVG_MIDDLE,
                         (struct svg_point){ MARGIN + (int)i * (width + GAP) + width / 2, 620 },
                         text);
        }
        for (size_t row = 0; row < ARRAY_SIZE(rows); row++)
                draw_row(plot, row);
        svg_end(plot->file);
}

int experiment_plot_write(const char *path, const struct study *study)
{
        struct plot plot = { .study = study };
        int r = 0;

        plot.file = fopen(path, "we");
        if (!plot.file)
                return -errno;
        choose_columns(&plot);
        if (plot.n)
                draw(&plot);
        if (ferror(plot.file))
                r = -EIO;
        if (fclose(plot.file) && !r)
                r = -errno;
        return r;
}
