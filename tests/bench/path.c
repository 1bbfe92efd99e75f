/* SPDX-License-Identifier: MIT */
/*
 * The run: for each comparison rounds of turns, ours and the peer's by turns, so that what else the
 * machine does hits both. A round's figure is the median of its operations, and of its two figures
 * the ratio; what is told is the median of the rounds. Owns one scene at a time.
 */
#include "path.h"

#include "histogram.h"
#include "path_report.h"

#include "macros.h"
#include "units.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char help[] =
        "Usage: par-bench path [OPTION...]\n"
        "Time the way to pard and back, against the least that such a way costs.\n"
        "\n"
        "  --row NAME        only this comparison; may be given several times\n"
        "  --rounds N        of each, of which the medians are told (default: 9)\n"
        "  --turns N         of both sides in a round (default: 20)\n"
        "  --sessions N      of the crowd (default: 1000)\n"
        "  --buffers N       of each session of the crowd (default: 1000)\n"
        "  --quick           1 round, 2 turns, a crowd of 4 with 8, where nothing else is said\n"
        "  --json            one object instead of a table\n"
        "  --help            print this, and end\n"
        "\n"
        "Starts daemons of its own, on invented memory; \"first_use\", \"first_use_all\" and\n"
        "\"fill_2\" to \"fill_4\" take root and hugepages.\n";

struct path_options {
        unsigned long rounds, turns, sessions, buffers;
        bool json, chosen[PATH_ROWS_MAX], choice;
};

static int complain(const char *option, const char *value, const char *expected)
{
        fprintf(stderr, "par-bench path: --%s %s: %s\n", option, value, expected);
        return -EINVAL;
}

static int choose(struct path_options *options, const char *name)
{
        for (unsigned i = 0; i < n_path_rows; i++)
                if (strcmp(path_rows[i].name, name) == 0) {
                        options->choice = options->chosen[i] = true;
                        return 0;
                }
        return complain("row", name, "there is none of that name");
}

static int number(const char *option, const char *text, unsigned long most, unsigned long *ret)
{
        const char *rest;
        uint64_t value;

        if (units_number(text, &value, &rest) || *rest || !value || value > most)
                return complain(option, text, "a number above 0, and no such number, is wanted");
        *ret = (unsigned long)value;
        return 0;
}

static void if_zero(unsigned long *value, unsigned long otherwise)
{
        if (!*value)
                *value = otherwise;
}

/* Return: 0; 1 where the help was asked for; -EINVAL. */
static int parse(struct path_options *options, int argc, char **argv)
{
        static const struct option longs[] = {
                { "row", required_argument, NULL, 'r' },
                { "rounds", required_argument, NULL, 'n' },
                { "turns", required_argument, NULL, 't' },
                { "sessions", required_argument, NULL, 's' },
                { "buffers", required_argument, NULL, 'b' },
                { "quick", no_argument, NULL, 'q' },
                { "json", no_argument, NULL, 'j' },
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        bool quick = false;
        int option, r = 0;

        while (!r && (option = getopt_long(argc, argv, "", longs, NULL)) != -1)
                switch (option) {
                case 'r': r = choose(options, optarg); break;
                case 'n': r = number("rounds", optarg, PATH_ROUNDS_MAX, &options->rounds); break;
                case 't': r = number("turns", optarg, 100000, &options->turns); break;
                case 's': r = number("sessions", optarg, 1000, &options->sessions); break;
                case 'b': r = number("buffers", optarg, 100000, &options->buffers); break;
                case 'q': quick = true; break;
                case 'j': options->json = true; break;
                case 'h': return 1;
                default: r = -EINVAL;
                }
        if (!r && optind < argc)
                r = complain("help", argv[optind], "only options are wanted");
        if_zero(&options->rounds, quick ? 1 : 9);
        if_zero(&options->turns, quick ? 2 : 20);
        if_zero(&options->sessions, quick ? 4 : 1000);
        if_zero(&options->buffers, quick ? 8 : 1000);
        return r;
}

/* ---- measuring ------------------------------------------------------------------------------ */

static int turn(struct path_scene *scene, int (*once)(struct path_scene *, uint64_t *),
                unsigned count, const struct ticks *ticks, struct histogram *seen)
{
        uint64_t spent;
        int r = 0;

        for (unsigned i = 0; i < count && !r; i++) {
                r = once(scene, &spent);
                if (!r)
                        histogram_add(seen, ticks_between(ticks, 0, spent));
        }
        return r;
}

static double median_ns(const struct histogram *seen, const struct ticks *ticks)
{
        return (double)histogram_at(seen, 500) * ticks->ns_each;
}

static int run_round(struct path_scene *scene, const struct path_row *row, unsigned long turns,
                     const struct ticks *ticks, struct path_figures *figures)
{
        static struct histogram ours, peers;
        int r = 0;

        memset(&ours, 0, sizeof(ours));
        memset(&peers, 0, sizeof(peers));
        for (unsigned long i = 0; i < turns && !r; i++) {
                r = turn(scene, row->first, row->turn, ticks, &ours);
                if (!r)
                        r = turn(scene, row->second, row->turn, ticks, &peers);
        }
        if (!r)
                path_figures_add(figures, median_ns(&ours, ticks), median_ns(&peers, ticks));
        return r;
}

static int run_row(const struct path_row *row, const struct path_options *options,
                   const struct ticks *ticks, struct path_figures *figures)
{
        struct path_scene scene = {
                .crowd_sessions = options->sessions,
                .crowd_buffers = options->buffers,
        };
        struct path_figures warm = { 0 };
        int r;

        r = row->open(&scene, row);
        if (!r)
                r = run_round(&scene, row, 1, ticks, &warm);
        for (unsigned long i = 0; i < options->rounds && !r; i++)
                r = run_round(&scene, row, options->turns, ticks, figures);
        path_scene_close(&scene);
        return r;
}

static int run(const struct path_options *options, struct path_report *report)
{
        struct ticks ticks;
        int r;

        ticks_calibrate(&ticks);
        for (unsigned i = 0; i < n_path_rows; i++) {
                const struct path_row *row = &path_rows[i];

                if (options->choice && !options->chosen[i])
                        continue;
                if (isatty(STDERR_FILENO))
                        fprintf(stderr, "\r\033[K%s", row->name);
                r = run_row(row, options, &ticks, &report->figures[i]);
                if (r && r != -ENOTSUP) {
                        fprintf(stderr, "par-bench path: %s: %s: %s\n", row->name, par_strerror(r),
                                par_error(NULL));
                        return r;
                }
        }
        if (isatty(STDERR_FILENO))
                fputs("\r\033[K", stderr);
        return 0;
}

/* Each session of the crowd has some descriptors. */
static void want_descriptors(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit))
                return;
        if (limit.rlim_max < 16384 && getuid() == 0)
                limit.rlim_max = 16384;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int path_main(int argc, char **argv)
{
        static struct path_report report;
        struct path_options options = { 0 };
        int r;

        _Static_assert(PATH_ROWS_MAX >= 18, "a place for each row");
        r = parse(&options, argc, argv);
        if (r > 0)
                return fputs(help, stdout) < 0 || fflush(stdout) ? 1 : 0;
        if (r)
                return 2;
        want_descriptors();
        r = run(&options, &report);
        if (!r)
                r = options.json ? path_report_json(&report) : path_report_text(&report);
        return r ? 1 : 0;
}
