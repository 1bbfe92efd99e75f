/* SPDX-License-Identifier: MIT */
/* Owns nothing. Refuses what it does not know, arguments that are no options included. */
#include "engine_options.h"

#include "macros.h"
#include "units.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_STEP   (256 * MiB)
#define SIZE_MOST   (1024 * TiB)
#define FILL_MAX    97 /* memory is filled up to 98 % before */
#define SECONDS_MAX 3600
#define CYCLES_MAX  UINT32_MAX /* what a bucket of a histogram can count */

const char engine_options_help[] =
        "Usage: par-bench engine [OPTION...]\n"
        "Time the engine's searches, and those of what it is compared with, in used memory.\n"
        "\n"
        "  --size SIZE       of memory, in granules of 4 KiB; may be given several times\n"
        "                    (default: 64G, 1T, 16T)\n"
        "  --fill PERCENT    how full it is; may be given several times (default: 95, 50)\n"
        "  --placer NAME     par, bitmap, buddy or zones; may be given several times\n"
        "                    (default: all)\n"
        "  --churn N         operations before each measurement (default: 10000000)\n"
        "  --samples N       of each search, half of them only find (default: 200000)\n"
        "  --seconds N       at most, for the churn and for the samples of each placer in each\n"
        "                    state of memory (default: 20)\n"
        "  --seed N          another sequence of requests (default: 1)\n"
        "  --quick           64G, 200000 operations, 10000 samples, 1 second, where nothing else\n"
        "                    is said\n"
        "  --json            one object instead of tables\n"
        "  --help            print this, and end\n";

static const struct placer_ops *const all_placers[] = {
        &placer_par,
        &placer_bitmap,
        &placer_buddy,
        &placer_zones,
};

static int complain(const char *option, const char *value, const char *expected)
{
        fprintf(stderr, "par-bench engine: --%s %s: %s\n", option, value, expected);
        return -EINVAL;
}

static int add_size(struct engine_options *options, const char *text)
{
        uint64_t bytes;

        if (options->n_sizes == ENGINE_LIST_MAX)
                return complain("size", text, "too many of them");
        if (size_parse(text, &bytes) || !bytes || bytes % SIZE_STEP || bytes > SIZE_MOST)
                return complain("size", text, "a multiple of 256M up to 1024T is wanted");
        options->sizes[options->n_sizes++] = bytes;
        return 0;
}

/* A number alone. Return: 0; -EINVAL. */
static int parse_number(const char *name, const char *text, uint64_t least, uint64_t most,
                        uint64_t *ret)
{
        const char *rest;
        char expected[80];

        if (units_number(text, ret, &rest) == 0 && !*rest && *ret >= least && *ret <= most)
                return 0;
        snprintf(expected, sizeof(expected), "a number from %" PRIu64 " to %" PRIu64 " is wanted",
                 least, most);
        return complain(name, text, expected);
}

/* Keep the list falling: memory is filled once, and then emptied from one state to the next. */
static int add_fill(struct engine_options *options, const char *text)
{
        uint64_t percent;
        size_t i;

        if (options->n_fills == ENGINE_LIST_MAX)
                return complain("fill", text, "too many of them");
        if (parse_number("fill", text, 1, FILL_MAX, &percent))
                return -EINVAL;
        for (i = options->n_fills++; i > 0 && options->fills[i - 1] < percent; i--)
                options->fills[i] = options->fills[i - 1];
        options->fills[i] = (unsigned)percent;
        return 0;
}

static int add_placer(struct engine_options *options, const char *name)
{
        if (options->n_placers == ENGINE_LIST_MAX)
                return complain("placer", name, "too many of them");
        for (size_t i = 0; i < ARRAY_SIZE(all_placers); i++) {
                if (strcmp(all_placers[i]->name, name) != 0)
                        continue;
                options->placers[options->n_placers++] = all_placers[i];
                return 0;
        }
        return complain("placer", name, "par, bitmap, buddy or zones is wanted");
}

static int parse_seconds(struct engine_options *options, const char *text)
{
        uint64_t seconds;

        if (parse_number("seconds", text, 1, SECONDS_MAX, &seconds))
                return -EINVAL;
        options->plan.box_ns = seconds * NS_PER_S;
        return 0;
}

static void if_zero(uint64_t *number, uint64_t otherwise)
{
        if (!*number)
                *number = otherwise;
}

static void set_quick(struct engine_options *options)
{
        if (!options->n_sizes)
                options->sizes[options->n_sizes++] = 64 * GiB;
        if_zero(&options->plan.operations, 200000);
        if_zero(&options->plan.cycles, 10000);
        if_zero(&options->plan.box_ns, NS_PER_S);
}

static void set_defaults(struct engine_options *options)
{
        static const uint64_t sizes[] = { 64 * GiB, TiB, 16 * TiB };
        static const unsigned fills[] = { 95, 50 };

        if (!options->n_sizes) {
                memcpy(options->sizes, sizes, sizeof(sizes));
                options->n_sizes = ARRAY_SIZE(sizes);
        }
        if (!options->n_fills) {
                memcpy(options->fills, fills, sizeof(fills));
                options->n_fills = ARRAY_SIZE(fills);
        }
        if (!options->n_placers) {
                memcpy(options->placers, all_placers, sizeof(all_placers));
                options->n_placers = ARRAY_SIZE(all_placers);
        }
        if_zero(&options->plan.operations, 10000000);
        if_zero(&options->plan.cycles, 200000);
        if_zero(&options->plan.box_ns, 20 * NS_PER_S);
}

static int parse_one(struct engine_options *options, int option, const char *value)
{
        switch (option) {
        case 's': return add_size(options, value);
        case 'f': return add_fill(options, value);
        case 'p': return add_placer(options, value);
        case 'c': return parse_number("churn", value, 1, UINT64_MAX, &options->plan.operations);
        case 'n': return parse_number("samples", value, 1, CYCLES_MAX, &options->plan.cycles);
        case 't': return parse_seconds(options, value);
        case 'S': return parse_number("seed", value, 0, UINT64_MAX, &options->seed);
        case 'q': options->quick = true; return 0;
        case 'j': options->json = true; return 0;
        case 'h': options->help = true; return 0;
        default: return -EINVAL;
        }
}

int engine_options_parse(int argc, char **argv, struct engine_options *ret)
{
        static const struct option known[] = {
                { "size", required_argument, NULL, 's' },
                { "fill", required_argument, NULL, 'f' },
                { "placer", required_argument, NULL, 'p' },
                { "churn", required_argument, NULL, 'c' },
                { "samples", required_argument, NULL, 'n' },
                { "seconds", required_argument, NULL, 't' },
                { "seed", required_argument, NULL, 'S' },
                { "quick", no_argument, NULL, 'q' },
                { "json", no_argument, NULL, 'j' },
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        int option;

        *ret = (struct engine_options){ .seed = 1 };
        while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
                if (parse_one(ret, option, optarg))
                        return -EINVAL;
        if (optind < argc) {
                fprintf(stderr, "par-bench engine: \"%s\" is no option\n", argv[optind]);
                return -EINVAL;
        }
        if (ret->quick)
                set_quick(ret);
        set_defaults(ret);
        return 0;
}
