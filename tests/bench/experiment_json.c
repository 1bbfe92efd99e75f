/* SPDX-License-Identifier: MIT */
/*
 * Owns what it has not handed on yet. json_pack() passes "no memory" on: a NULL that is packed
 * makes the whole NULL, and what was packed with it is freed.
 */
#include "experiment_json.h"

#include <errno.h>
#include <jansson.h>

static json_t *number(uint64_t value)
{
        return json_integer((json_int_t)value);
}

/* Append to an array; an array that cannot be appended to is gone. */
static json_t *append(json_t *array, json_t *value)
{
        if (json_array_append_new(array, value)) {
                json_decref(array);
                return NULL;
        }
        return array;
}

static json_t *of_figures(const struct study_row *row)
{
        json_t *object = json_object();

        for (enum study_metric m = 0; m < STUDY_METRICS; m++) {
                const struct study_figure *figure = &row->figures[m];
                json_t *value;

                if (figure->mean == STUDY_NONE)
                        value = json_null();
                else
                        value = json_pack("{s:o, s:o, s:o}", "mean", number(figure->mean), "min",
                                          number(figure->min), "max", number(figure->max));
                if (json_object_set_new(object, study_metric_name(m), value)) {
                        json_decref(object);
                        return NULL;
                }
        }
        return object;
}

static json_t *of_classes(const struct study_case *of, const struct study_row *row)
{
        json_t *array = json_array();

        for (size_t i = 0; i < of->mix->n_classes && array; i++) {
                const struct run_count *count = &row->classes[i];

                array = append(array,
                               json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "class",
                                         of->mix->classes[i].name, "bits",
                                         (int)of->mix->classes[i].bits, "asked",
                                         number(count->asked), "refused", number(count->refused),
                                         "asked_bytes", number(count->asked_bytes), "refused_bytes",
                                         number(count->refused_bytes)));
        }
        return array;
}

static json_t *of_series(const uint32_t series[RUN_SAMPLES])
{
        json_t *array = json_array();

        for (size_t i = 0; i < RUN_SAMPLES && array; i++)
                array = append(array, number(series[i]));
        return array;
}

static json_t *of_rows(const struct study_case *of)
{
        json_t *array = json_array();

        for (size_t i = 0; i < of->n_rows && array; i++) {
                const struct study_row *row = &of->rows[i];

                array = append(array, json_pack("{s:s, s:o, s:o, s:o}", "placer", row->name, "ppm",
                                                of_figures(row), "classes", of_classes(of, row),
                                                "fragmented_ppm", of_series(row->fragmented)));
        }
        return array;
}

static json_t *of_cases(const struct study *study)
{
        json_t *array = json_array();

        for (size_t i = 0; i < study->n_cases && array; i++) {
                const struct study_case *of = &study->cases[i];

                array = append(array,
                               json_pack("{s:s, s:s, s:i, s:o, s:o, s:o}", "mix", of->mix->name,
                                         "machine", of->machine->name, "load",
                                         (int)of->load_percent, "requests", number(of->n_requests),
                                         "seconds", number(of->seconds), "placers", of_rows(of)));
        }
        return array;
}

int experiment_json_print(const struct study *study, const struct study_options *options,
                          FILE *stream)
{
        json_t *all;
        int r;

        all = json_pack("{s:{s:o, s:o, s:o}}", "experiment", "seed", number(options->seed), "seeds",
                        number(options->n_seeds), "cases", of_cases(study));
        if (!all)
                return -ENOMEM;
        r = json_dumpf(all, stream, JSON_COMPACT | JSON_PRESERVE_ORDER) ||
            fputs("\n", stream) == EOF;
        json_decref(all);
        return r ? -EIO : 0;
}
