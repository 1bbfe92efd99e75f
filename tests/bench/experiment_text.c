/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Percent are printed from integers, rounded, so that they are the same everywhere.
 */
#include "experiment_text.h"

#include "macros.h"

#include <inttypes.h>
#include <string.h>

#define FIGURE_BYTES   32
#define PPM_OF_PERCENT 10000

/* Columns of the tables for people: a head of two lines. */
static const struct {
        const char *above, *head;
        enum study_metric metric;
} columns[] = {
        { "constrained:", "refused", STUDY_REFUSED_CONSTRAINED },
        { "", "bytes", STUDY_REFUSED_CONSTRAINED_BYTES },
        { "", "unserved", STUDY_UNSERVED_CONSTRAINED },
        { "all:", "refused", STUDY_REFUSED },
        { "", "bytes", STUDY_REFUSED_BYTES },
        { "", "unserved", STUDY_UNSERVED },
        { "fragmented:", "<16M", STUDY_FRAGMENTED_16M },
        { "", "<4G", STUDY_FRAGMENTED_4G },
        { "", "all", STUDY_FRAGMENTED },
        { "misplaced:", "<16M", STUDY_MISPLACED_16M },
        { "", "<4G", STUDY_MISPLACED_4G },
        { "wasted:", "all", STUDY_WASTED },
};

/* "12.3", with so many digits behind the point, at most 3; "-" where there is none. */
static const char *percent(uint32_t ppm, unsigned digits, char text[FIGURE_BYTES])
{
        static const uint32_t scales[] = { 1, 10, 100, 1000 };
        const uint32_t scale = scales[digits];
        const uint32_t unit = PPM_OF_PERCENT / scale;
        const uint32_t value = ppm / unit + (ppm % unit >= unit / 2);

        if (ppm == STUDY_NONE)
                snprintf(text, FIGURE_BYTES, "-");
        else if (digits == 0)
                snprintf(text, FIGURE_BYTES, "%" PRIu32, value);
        else
                snprintf(text, FIGURE_BYTES, "%" PRIu32 ".%0*" PRIu32, value / scale, (int)digits,
                         value % scale);
        return text;
}

static void print_head(FILE *stream)
{
        fprintf(stream, "%-14s", "");
        for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
                fprintf(stream, "%12s", columns[i].above);
        fprintf(stream, "\n%-14s", "PLACER");
        for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
                fprintf(stream, "%12s", columns[i].head);
        fputs("\n", stream);
}

static void print_case(const struct study_case *of, FILE *stream)
{
        char text[FIGURE_BYTES];

        fprintf(stream,
                "%s on %s, load %u %%: %" PRIu64 " requests in %" PRIu64 " s, memory taken %" PRIu64
                ".%" PRIu64 " times over\n",
                of->mix->name, of->machine->name, of->load_percent, of->n_requests, of->seconds,
                of->turnover / 10, of->turnover % 10);
        print_head(stream);
        for (size_t r = 0; r < of->n_rows; r++) {
                fprintf(stream, "%-14s", of->rows[r].name);
                for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
                        fprintf(stream, "%12s",
                                percent(of->rows[r].figures[columns[i].metric].mean, 3, text));
                fputs("\n", stream);
        }
        fputs("\n", stream);
}

void experiment_text_print(const struct study *study, FILE *stream)
{
        fputs("Percent, averages of all seeds. REFUSED: of the requests (BYTES: of their bytes) "
              "after\n"
              "warming up. UNSERVED: of the bytes that ought to be alive. FRAGMENTED: 1 - longest "
              "free\n"
              "run / free bytes. MISPLACED: of the memory there, what those hold who may have "
              "other\n"
              "memory as well. WASTED: by rounding, of all memory. Constrained is who does not "
              "reach all\n"
              "memory. \"ideal\" rearranges memory all the time; nobody is better than "
              "\"bound\".\n\n",
              stream);
        for (size_t i = 0; i < study->n_cases; i++)
                print_case(&study->cases[i], stream);
}

/* ---- Markdown -------------------------------------------------------------------------------- */

/* Several figures side by side, by placer. */
struct table {
        const struct study_case *cases[WORKLOAD_MIXES_MAX];
        size_t n_cases;
};

/* "16G" of "pc-16G". */
static const char *size_of(const struct study_case *of)
{
        const char *dash = strrchr(of->machine->name, '-');

        return dash ? dash + 1 : "";
}

/* Whether there is anything to be said of a placer. */
static bool has_figures(const struct table *table, size_t row, enum study_metric metric)
{
        for (size_t i = 0; i < table->n_cases; i++) {
                const uint32_t max = table->cases[i]->rows[row].figures[metric].max;

                if (max != STUDY_NONE && (max || metric != STUDY_WASTED))
                        return true;
        }
        return false;
}

/* The mean, and how far the seeds are apart. */
static void print_cell(const struct study_row *row, enum study_metric metric, FILE *stream)
{
        const struct study_figure *figure = &row->figures[metric];
        char mean[FIGURE_BYTES], min[FIGURE_BYTES], max[FIGURE_BYTES];

        percent(figure->mean, 2, mean);
        percent(figure->min, 2, min);
        percent(figure->max, 2, max);
        if (strcmp(min, max) == 0)
                fprintf(stream, " %s |", mean);
        else
                fprintf(stream, " %s <sub>%s–%s</sub> |", mean, min, max);
}

static void print_table(const struct table *table, enum study_metric metric, FILE *stream)
{
        fputs("| |", stream);
        for (size_t i = 0; i < table->n_cases; i++)
                fprintf(stream, " %s |", table->cases[i]->mix->name);
        fputs("\n|---|", stream);
        for (size_t i = 0; i < table->n_cases; i++)
                fputs("---:|", stream);
        fputs("\n", stream);
        for (size_t r = 0; r < table->cases[0]->n_rows; r++) {
                if (!has_figures(table, r, metric))
                        continue;
                fprintf(stream, "| %s |", table->cases[0]->rows[r].name);
                for (size_t i = 0; i < table->n_cases; i++)
                        print_cell(&table->cases[i]->rows[r], metric, stream);
                fputs("\n", stream);
        }
        fputs("\n", stream);
}

static void print_mixes(const struct study *study, const char *size, unsigned load_percent,
                        enum study_metric metric, const char *title, FILE *stream)
{
        struct table table = { .n_cases = 0 };

        for (size_t i = 0; i < study->n_cases; i++) {
                if (strcmp(size_of(&study->cases[i]), size) == 0 &&
                    study->cases[i].load_percent == load_percent &&
                    table.n_cases < ARRAY_SIZE(table.cases))
                        table.cases[table.n_cases++] = &study->cases[i];
        }
        if (!table.n_cases)
                return;
        fprintf(stream, "**%s** (%%, machines of %s, load %u %%)\n\n", title, size, load_percent);
        print_table(&table, metric, stream);
}

/* Whether a case is the first on a machine of its size. */
static bool is_first_of_size(const struct study *study, size_t number)
{
        for (size_t i = 0; i < number; i++) {
                if (strcmp(size_of(&study->cases[i]), size_of(&study->cases[number])) == 0)
                        return false;
        }
        return true;
}

void experiment_text_markdown(const struct study *study, const char *size, unsigned load_percent,
                              FILE *stream)
{
        static const struct {
                enum study_metric metric;
                bool all_sizes;
                const char *title;
        } tables[] = {
                { STUDY_REFUSED_BYTES, true, "All requests: bytes refused" },
                { STUDY_UNSERVED_CONSTRAINED, true, "Constrained requests: bytes unserved" },
                { STUDY_REFUSED_CONSTRAINED, false, "Constrained requests: refused" },
                { STUDY_MISPLACED_4G, false,
                  "Memory below 4 GiB that is held by those who do not need it" },
                { STUDY_FRAGMENTED, false, "All memory: 1 - longest free run / free bytes" },
                { STUDY_WASTED, false, "Memory lost by rounding; all others lose none" },
        };

        for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
                for (size_t i = 0; i < study->n_cases; i++) {
                        const char *of = size_of(&study->cases[i]);

                        if (is_first_of_size(study, i) &&
                            (tables[t].all_sizes || strcmp(of, size) == 0))
                                print_mixes(study, of, load_percent, tables[t].metric,
                                            tables[t].title, stream);
                }
        }
}
