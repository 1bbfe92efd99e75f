/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of cases, and which allocators are there. Needs a running pard ($PAR_SOCKET).
 */
#include "heap_bench.h"

#include "heap_report.h"
#include "macros.h"
#include "units.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
        "Usage: par-bench heap [OPTION...]\n"
        "Time allocating and freeing in a DMA heap, and in what it is compared with: jemalloc,\n"
        "glibc, and DPDK's rte_malloc(), which takes 512 MiB of hugepages. The pard at "
        "$PAR_SOCKET\n"
        "gives the memory.\n"
        "\n"
        "  --rounds N  turns that each allocator has in each case, up to 1000 (default: 300)\n"
        "  --pairs N   of calls in a turn (default: 1024)\n"
        "  --no-dpdk   leave rte_malloc() out\n"
        "  --json      one object instead of a table\n"
        "  --help      print this, and end\n";

/* The bars are of these. */
static const struct heap_case cases[] = {
        { 64, 1, 0 },         { 256, 1, 0 },          { 1024, 1, 0 },         { 4096, 1, 0 },
        { 65536, 1, 0 },      { 64, 2, 0 },           { 1024, 2, 0 },         { 4096, 2, 0 },
        { 64, 1, HEAP_LIVE }, { 1024, 1, HEAP_LIVE }, { 4096, 1, HEAP_LIVE },
};

/**
 * struct options - the command line, checked
 */
struct options {
        unsigned rounds, pairs;
        bool no_dpdk, json, help;
};

static int parse_number(const char *name, const char *text, unsigned most, unsigned *ret)
{
        const char *rest;
        uint64_t value;

        if (units_number(text, &value, &rest) == 0 && !*rest && value && value <= most) {
                *ret = (unsigned)value;
                return 0;
        }
        fprintf(stderr, "par-bench heap: --%s %s: a number from 1 to %u is wanted\n", name, text,
                most);
        return -EINVAL;
}

static int parse(int argc, char **argv, struct options *ret)
{
        static const struct option known[] = {
                { "rounds", required_argument, NULL, 'r' },
                { "pairs", required_argument, NULL, 'p' },
                { "no-dpdk", no_argument, NULL, 'n' },
                { "json", no_argument, NULL, 'j' },
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        int option, r = 0;

        *ret = (struct options){ .rounds = 300, .pairs = 1024 };
        while (!r && (option = getopt_long(argc, argv, "", known, NULL)) != -1) {
                switch (option) {
                case 'r': r = parse_number("rounds", optarg, HEAP_ROUNDS_MAX, &ret->rounds); break;
                case 'p': r = parse_number("pairs", optarg, 1U << 20, &ret->pairs); break;
                case 'n': ret->no_dpdk = true; break;
                case 'j': ret->json = true; break;
                case 'h': ret->help = true; break;
                default: r = -EINVAL;
                }
        }
        if (!r && optind < argc) {
                fprintf(stderr, "par-bench heap: \"%s\" is no option\n", argv[optind]);
                r = -EINVAL;
        }
        /* Among live pieces they are allocated 16 at a time. */
        ret->pairs = (ret->pairs + 15) / 16 * 16;
        return r;
}

static int start_peers(const struct options *options, struct heap_report *report)
{
        const struct heap_peer *const all[] = { &heap_peer_par, &heap_peer_jemalloc,
                                                &heap_peer_mallocx, &heap_peer_glibc,
                                                &heap_peer_dpdk };
        char *why;

        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                why = report->missing[report->n_missing].why;
                if (all[i] == &heap_peer_dpdk && options->no_dpdk)
                        snprintf(why, HEAP_WHY_BYTES, "it was not asked for");
                else if (all[i]->start(why, HEAP_WHY_BYTES) == 0) {
                        report->peers[report->n_peers++] = all[i];
                        continue;
                }
                report->missing[report->n_missing++].peer = all[i];
        }
        if (report->n_missing && report->missing[0].peer == &heap_peer_par) {
                fprintf(stderr, "par-bench heap: %s\n", report->missing[0].why);
                return -ENOTCONN;
        }
        return 0;
}

static int measure(const struct options *options, struct heap_report *report)
{
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                report->cases[i] = cases[i];
                r = heap_case_run(&cases[i], report->peers, report->n_peers, options->rounds,
                                  options->pairs, &report->ticks, &report->results[i]);
                if (r) {
                        fprintf(stderr, "par-bench heap: %zu bytes: %s\n", cases[i].size,
                                strerror(-r));
                        return r;
                }
                report->n_cases++;
        }
        return 0;
}

int heap_main(int argc, char **argv)
{
        struct heap_report report = { 0 };
        struct options options;
        int r;

        if (parse(argc, argv, &options))
                return 2;
        if (options.help) {
                fputs(help, stdout);
                return fflush(stdout) ? 1 : 0;
        }
        _Static_assert(ARRAY_SIZE(cases) <= HEAP_CASES_MAX, "room for all");
        ticks_calibrate(&report.ticks);
        r = start_peers(&options, &report);
        if (!r)
                r = measure(&options, &report);
        if (!r)
                r = options.json ? heap_report_json(&report) : heap_report_text(&report);
        for (size_t i = 0; i < report.n_peers; i++)
                report.peers[i]->stop();
        return r ? 1 : 0;
}
