/* SPDX-License-Identifier: MIT */
/*
 * Owns the figures of par-bench map, and a daemon on invented memory. Ours and the peer take turns
 * of some milliseconds, so that what else the machine does hits both; what counts are the medians
 * of the rounds.
 */
#include "map_bench.h"

#include "map_rows.h"
#include "pard_fixture.h"

#include "macros.h"
#include "units.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS_MAX 1001
#define ROWS_MAX   16

static const char help[] = "Usage: par-bench map [OPTION...]\n"
                           "Time streaming mappings, beside the copying that bouncing is.\n"
                           "\n"
                           "  --row NAME        only this one; may be given several times\n"
                           "  --rounds N        of each, whose medians count (default: 31)\n"
                           "  --times N         operations of a sample (default: 20000)\n"
                           "  --json            one object instead of a table\n"
                           "  --help            print this, and end\n"
                           "\n"
                           "Starts a daemon of its own, on invented memory.\n";

static const char config[] =
        "backend = \"sim\"\n"
        "sim {\n"
        "  extent \"low\" { first = \"128M\" size = \"64M\" page_size = \"2M\" }\n"
        "}\n"
        "pool \"low\" { size_min = \"32M\" }\n"
        "device \"engine\" { dma_bits = 28  boundary = \"64K\" }\n";

struct map_options {
        uint64_t rounds, times;
        bool json, help, chosen[ROWS_MAX], choice;
};

/* struct map_figure - medians in nanoseconds an operation; @peer_ns below 0: there is none */
struct map_figure {
        double own_ns, peer_ns;
        bool measured;
};

/* ---- options -------------------------------------------------------------------------------- */

static int complain(const char *option, const char *value, const char *expected)
{
        fprintf(stderr, "par-bench map: --%s %s: %s\n", option, value, expected);
        return -EINVAL;
}

static int parse_number(const char *name, const char *text, uint64_t most, uint64_t *ret)
{
        const char *rest;

        if (units_number(text, ret, &rest) == 0 && !*rest && *ret && *ret <= most)
                return 0;
        return complain(name, text, "a number above 0, and no such number, is wanted");
}

static int choose(struct map_options *options, const char *name)
{
        for (unsigned i = 0; i < n_map_rows; i++)
                if (strcmp(map_rows[i].name, name) == 0) {
                        options->choice = options->chosen[i] = true;
                        return 0;
                }
        return complain("row", name, "there is none of that name");
}

static int take_option(struct map_options *options, int c)
{
        switch (c) {
        case 'w': return choose(options, optarg);
        case 'r': return parse_number("rounds", optarg, ROUNDS_MAX, &options->rounds);
        case 't': return parse_number("times", optarg, UINT32_MAX, &options->times);
        case 'j': options->json = true; return 0;
        case 'h': options->help = true; return 0;
        default: return -EINVAL; /* getopt has said it */
        }
}

/* Return: 0; -EINVAL, said why. */
static int parse(int argc, char **argv, struct map_options *ret)
{
        static const struct option known[] = {
                { "row", required_argument, NULL, 'w' },
                { "rounds", required_argument, NULL, 'r' },
                { "times", required_argument, NULL, 't' },
                { "json", no_argument, NULL, 'j' },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int c, r = 0;

        *ret = (struct map_options){ .rounds = 31, .times = 20000 };
        optind = 0;
        while (!r && (c = getopt_long(argc, argv, "", known, NULL)) != -1)
                r = take_option(ret, c);
        if (!r && optind < argc)
                r = complain("help", argv[optind], "only options are wanted");
        return r;
}

/* ---- measuring ------------------------------------------------------------------------------ */

/* Time of this thread alone: a machine that does other things, too, interrupts it for longer than a
 * sample takes. */
static uint64_t thread_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int sample(int (*run)(const struct map_scene *, const struct map_row *, uint64_t),
                  const struct map_scene *scene, const struct map_row *row, uint64_t times,
                  double *ret_ns)
{
        const uint64_t began = thread_ns();
        const int r = run(scene, row, times);

        *ret_ns = (double)(thread_ns() - began) / (double)times;
        return r;
}

static int by_value(const void *a, const void *b)
{
        const double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
        qsort(values, n, sizeof(*values), by_value);
        return values[n / 2];
}

static int measure(const struct map_options *options, const struct map_scene *scene,
                   const struct map_row *row, struct map_figure *ret)
{
        static double own[ROUNDS_MAX], peer[ROUNDS_MAX];
        const size_t rounds = (size_t)options->rounds;
        int r;

        r = row->ours(scene, row, options->times / 10 + 1); /* slots are there */
        for (size_t i = 0; i < rounds && !r; i++) {
                r = sample(row->ours, scene, row, options->times, &own[i]);
                if (!r && row->copies)
                        r = sample(map_copy, scene, row, options->times, &peer[i]);
        }
        if (r) {
                fprintf(stderr, "par-bench map: %s: %s: %s\n", row->name, par_strerror(r),
                        par_error(NULL));
                return r;
        }
        *ret = (struct map_figure){ median(own, rounds), -1, true };
        if (row->copies)
                ret->peer_ns = median(peer, rounds);
        return 0;
}

/* ---- telling -------------------------------------------------------------------------------- */

/* What it may take; below 0: nobody asked. */
static double limit_of(const struct map_row *row, const struct map_figure *figure)
{
        if (!(row->plus_ns > 0))
                return -1;
        return row->plus_ns + (row->copies ? row->factor * figure->peer_ns : 0);
}

static json_t *tenths(double value)
{
        return value < 0 ? json_null() : json_real((double)(int64_t)(value * 10 + 0.5) / 10);
}

static json_t *of_row(const struct map_row *row, const struct map_figure *figure)
{
        const double limit = limit_of(row, figure);

        return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "row", row->name, "what", row->what,
                         "bytes", (json_int_t)row->bytes, "ours_ns", tenths(figure->own_ns),
                         "peer_ns", tenths(figure->peer_ns), "limit_ns", tenths(limit), "within",
                         limit < 0 ? json_null() : json_boolean(figure->own_ns <= limit));
}

static int tell_json(const struct map_options *options, const struct map_figure *figures)
{
        json_t *rows = json_array(), *object;
        int r;

        for (unsigned i = 0; i < n_map_rows; i++)
                if (figures[i].measured)
                        (void)json_array_append_new(rows, of_row(&map_rows[i], &figures[i]));
        object = json_pack("{s:{s:I, s:I, s:o}}", "map", "rounds", (json_int_t)options->rounds,
                           "times", (json_int_t)options->times, "rows", rows);
        r = object ? json_dumpf(object, stdout, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12)) : -1;
        json_decref(object);
        return r || putchar('\n') == EOF || fflush(stdout) ? 1 : 0;
}

static void tell_ns(double value)
{
        if (value < 0)
                printf("%11s", "-");
        else
                printf("%11.1f", value);
}

static int tell_table(const struct map_options *options, const struct map_figure *figures)
{
        printf("Nanoseconds an operation, medians of %llu samples of %llu; the peer copies as many "
               "bytes as often.\n\n%-16s%11s%11s%11s\n",
               (unsigned long long)options->rounds, (unsigned long long)options->times, "", "ours",
               "memcpy()", "limit");
        for (unsigned i = 0; i < n_map_rows; i++) {
                if (!figures[i].measured)
                        continue;
                printf("%-16s", map_rows[i].name);
                tell_ns(figures[i].own_ns);
                tell_ns(figures[i].peer_ns);
                tell_ns(limit_of(&map_rows[i], &figures[i]));
                printf("  %s\n", map_rows[i].what);
        }
        return fflush(stdout) ? 1 : 0;
}

/* ---- the scene ------------------------------------------------------------------------------ */

static int open_scene(struct par *par, struct map_scene *ret)
{
        struct par_alloc_options options = { 0 };
        struct par_buffer *buffer;
        int r;

        r = par_device_open(par, "engine", &ret->device);
        if (r)
                return r;
        options.device = ret->device;
        r = par_alloc(par, 4 * MAP_BYTES_MAX, &(struct par_constraint){ .max_segments = 4 },
                      &options, &buffer);
        if (r)
                return r;
        ret->reachable = par_buffer_data(buffer);
        ret->copy = ret->reachable + 2 * MAP_BYTES_MAX;
        ret->plain = aligned_alloc(4096, 2 * MAP_BYTES_MAX);
        if (!ret->plain)
                return -ENOMEM;
        memset(ret->plain, 1, 2 * MAP_BYTES_MAX);
        return 0;
}

static int run(const struct map_options *options, struct par *par, struct map_figure *figures)
{
        struct map_scene scene = { .plain = NULL };
        int r;

        r = open_scene(par, &scene);
        if (r)
                fprintf(stderr, "par-bench map: %s: %s\n", par_strerror(r), par_error(NULL));
        for (unsigned i = 0; i < n_map_rows && !r; i++)
                if (!options->choice || options->chosen[i])
                        r = measure(options, &scene, &map_rows[i], &figures[i]);
        free(scene.plain);
        return r;
}

int map_bench_main(int argc, char **argv)
{
        struct map_figure figures[ROWS_MAX] = { { 0 } };
        struct map_options options;
        struct pard_fixture pard;
        struct par *par;
        int r;

        if (parse(argc, argv, &options))
                return 2;
        if (options.help)
                return fputs(help, stdout) < 0 || fflush(stdout) ? 1 : 0;
        pard_fixture_start_filled(config, &pard);
        r = par_connect(pard.socket, NULL, &par);
        if (!r) {
                r = run(&options, par, figures);
                par_disconnect(par);
        }
        pard_fixture_stop(&pard);
        if (!r)
                r = (options.json ? tell_json : tell_table)(&options, figures);
        return r ? 1 : 0;
}
