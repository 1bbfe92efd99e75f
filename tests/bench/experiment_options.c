/* SPDX-License-Identifier: MIT */
/* Owns the list of who is compared. Refuses what it does not know. */
#include "experiment_options.h"

#include "macros.h"
#include "policy.h"
#include "units.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define SEEDS_MAX    100
#define REQUESTS_MAX 100000000

const char experiment_options_help[] =
        "Usage: par-bench experiment [OPTION...]\n"
        "Place the same invented requests in different ways, and tell what came of it.\n"
        "\n"
        "  --workload FILE  machines and mixes (default: " PAR_BENCH_WORKLOAD ")\n"
        "  --mix NAME       only this mix\n"
        "  --machine NAME   only this machine\n"
        "  --load PERCENT   only this load; may be given several times\n"
        "  --placer NAME    only this one; may be given several times\n"
        "  --requests N     after memory is filled, and twice as many as that took\n"
        "                   (default: 20000)\n"
        "  --seed N         of the first of several runs (default: 1)\n"
        "  --seeds N        so many runs of each (default: 3)\n"
        "  --quick          a single short run, a load of 90 %\n"
        "  --json           one object instead of tables\n"
        "  --svg FILE       write a picture\n"
        "  --doc FILE       renew the tables in a Markdown file, between the lines\n"
        "                   <!-- experiment: begin --> and <!-- experiment: end -->\n"
        "  --list           print who is compared, and end\n"
        "  --help           print this, and end\n";

/* First fit by a tree stands for the bitmap: it answers alike, and sooner in a large memory. */
static const struct placer_ops *const placers[] = { &placer_par, &placer_zones, &placer_buddy };

static int complain(const char *option, const char *value, const char *expected)
{
        fprintf(stderr, "par-bench experiment: --%s %s: %s\n", option, value, expected);
        return -EINVAL;
}

static int parse_number(const char *option, const char *value, uint64_t least, uint64_t most,
                        uint64_t *ret)
{
        const char *rest;
        char expected[80];

        if (units_number(value, ret, &rest) == 0 && !*rest && *ret >= least && *ret <= most)
                return 0;
        snprintf(expected, sizeof(expected), "a number from %" PRIu64 " to %" PRIu64 " is wanted",
                 least, most);
        return complain(option, value, expected);
}

static int parse_size(const char *option, const char *value, uint64_t most, size_t *ret)
{
        uint64_t number;
        int r;

        r = parse_number(option, value, 1, most, &number);
        if (!r)
                *ret = number;
        return r;
}

static void add_placer(struct study_options *study, struct run_placer placer)
{
        assert(study->n_placers < STUDY_PLACERS_MAX - 2);
        study->placers[study->n_placers++] = placer;
}

/* All of them, or those with a name. Return: whether there was one. */
static bool add_placers(struct study_options *study, const char *name)
{
        bool found = false;

        for (size_t i = 0; i < ARRAY_SIZE(placers); i++) {
                if (name && strcmp(placers[i]->name, name) != 0)
                        continue;
                add_placer(study, (struct run_placer){ .ops = placers[i] });
                found = true;
        }
        for (const struct policy *policy = policies; policy->ops.name; policy++) {
                if (name && strcmp(policy->ops.name, name) != 0)
                        continue;
                add_placer(study, (struct run_placer){ .ops = &policy->ops,
                                                       .know = policy->know,
                                                       .hint = policy->hint });
                found = true;
        }
        return found;
}

static int parse_placer(struct study_options *study, const char *name)
{
        if (study->n_placers >= STUDY_PLACERS_MAX - 2)
                return complain("placer", name, "that is one too many");
        if (!add_placers(study, name))
                return complain("placer", name, "see --list");
        return 0;
}

static int parse_load(struct study_options *study, const char *value)
{
        uint64_t percent;
        int r;

        if (study->n_loads == STUDY_LOADS_MAX)
                return complain("load", value, "that is one too many");
        r = parse_number("load", value, 1, 100, &percent);
        if (!r)
                study->loads[study->n_loads++] = (unsigned)percent;
        return r;
}

static int parse_one(struct experiment_options *options, int option, const char *value)
{
        struct study_options *study = &options->study;

        switch (option) {
        case 'w': options->path = value; return 0;
        case 'm': study->mix = value; return 0;
        case 'M': study->machine = value; return 0;
        case 'l': return parse_load(study, value);
        case 'p': return parse_placer(study, value);
        case 'n': return parse_size("requests", value, REQUESTS_MAX, &study->n_requests);
        case 's': return parse_number("seed", value, 0, UINT64_MAX, &study->seed);
        case 'S': return parse_size("seeds", value, SEEDS_MAX, &study->n_seeds);
        case 'q': options->quick = true; return 0;
        case 'j': options->json = true; return 0;
        case 'v': options->svg = value; return 0;
        case 'd': options->doc = value; return 0;
        case 'L': options->list = true; return 0;
        case 'h': options->help = true; return 0;
        default: return -EINVAL;
        }
}

static void set_defaults(struct experiment_options *options)
{
        static const unsigned loads[] = { 50, 70, 80, 90, 95, 98 };
        static const unsigned quick_loads[] = { 90 };
        struct study_options *study = &options->study;

        if (!study->n_loads && options->quick) {
                memcpy(study->loads, quick_loads, sizeof(quick_loads));
                study->n_loads = ARRAY_SIZE(quick_loads);
        } else if (!study->n_loads) {
                memcpy(study->loads, loads, sizeof(loads));
                study->n_loads = ARRAY_SIZE(loads);
        }
        if (!study->n_placers)
                add_placers(study, NULL);
        if (!study->n_requests)
                study->n_requests = options->quick ? 4000 : 20000;
        if (!study->n_seeds)
                study->n_seeds = options->quick ? 1 : 3;
        study->n_turns = options->quick ? 0 : 2;
}

int experiment_options_parse(int argc, char **argv, struct experiment_options *ret)
{
        static const struct option known[] = {
                { "workload", required_argument, NULL, 'w' },
                { "mix", required_argument, NULL, 'm' },
                { "machine", required_argument, NULL, 'M' },
                { "load", required_argument, NULL, 'l' },
                { "placer", required_argument, NULL, 'p' },
                { "requests", required_argument, NULL, 'n' },
                { "seed", required_argument, NULL, 's' },
                { "seeds", required_argument, NULL, 'S' },
                { "quick", no_argument, NULL, 'q' },
                { "json", no_argument, NULL, 'j' },
                { "svg", required_argument, NULL, 'v' },
                { "doc", required_argument, NULL, 'd' },
                { "list", no_argument, NULL, 'L' },
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        int option;

        *ret = (struct experiment_options){ .path = PAR_BENCH_WORKLOAD, .study = { .seed = 1 } };
        while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
                if (parse_one(ret, option, optarg))
                        return -EINVAL;
        if (optind < argc) {
                fprintf(stderr, "par-bench experiment: \"%s\" is no option\n", argv[optind]);
                return -EINVAL;
        }
        set_defaults(ret);
        return 0;
}
