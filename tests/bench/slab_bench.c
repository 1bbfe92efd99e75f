/* SPDX-License-Identifier: MIT */
/*
 * Owns the figures of par-bench slab. The two take turns of some milliseconds, so that what else
 * the machine does hits both; what counts is the median of the ratios of such pairs. Where one of
 * them waits for another process, a sample is the median of its operations, since one that the
 * machine held up for milliseconds is no figure.
 */
#include "slab_bench.h"

#include "histogram.h"
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

static const char help[] =
        "Usage: par-bench slab [OPTION...]\n"
        "Time objects of a slab, look-ups of addresses and buffers within a boundary, beside\n"
        "DPDK's mempool and rte_memzone_reserve_bounded().\n"
        "\n"
        "  --socket PATH     of the pard to ask (default: as for every program)\n"
        "  --rounds N        pairs of samples, whose medians count (default: 101)\n"
        "  --times N         operations of a sample (default: 100000); of buffers a hundredth\n"
        "  --dpdk ARGUMENTS  of its environment (default: without hugepages and devices)\n"
        "  --json            one object instead of a table\n"
        "  --help            print this, and end\n";

/**
 * struct cell - what is measured
 * @name:  for people and programs
 * @share: a sample has one of so many operations
 * @wall:  it waits for another process, so its own time is not all that it takes
 * @live:  beside SLAB_BENCH_LIVE buffers
 */
static const struct cell {
        const char *name;
        unsigned share;
        bool wall, live;
} cells[SLAB_CELLS] = {
        [SLAB_GET_PUT] = { "get_put", 1, false, false },
        [SLAB_BULK] = { "bulk_32", 1, false, false },
        [SLAB_BULK_DMA] = { "bulk_32_dma", 1, false, false },
        [SLAB_DMA_ADDRESS] = { "dma_address", 1, false, false },
        [SLAB_DMA_POINTER] = { "dma_pointer", 1, false, false },
        [SLAB_BOUNDED] = { "bounded", 100, true, false },
        [SLAB_BOUNDED_LIVE] = { "bounded_live", 100, true, true },
};

struct options {
        const char *socket, *dpdk;
        uint64_t rounds, times;
        bool json, help;
};

/* struct figure - medians in nanoseconds an operation; below 0: there is none */
struct figure {
        double own_ns, peer_ns, ratio;
};

/* ---- options -------------------------------------------------------------------------------- */

static int parse_number(const char *name, const char *text, uint64_t most, uint64_t *ret)
{
        const char *rest;

        if (units_number(text, ret, &rest) == 0 && !*rest && *ret && *ret <= most)
                return 0;
        fprintf(stderr, "par-bench slab: --%s %s: a number from 1 to %llu is wanted\n", name, text,
                (unsigned long long)most);
        return -EINVAL;
}

static int take_option(struct options *options, int c)
{
        switch (c) {
        case 's': options->socket = optarg; return 0;
        case 'd': options->dpdk = optarg; return 0;
        case 'r': return parse_number("rounds", optarg, ROUNDS_MAX, &options->rounds);
        case 't': return parse_number("times", optarg, UINT32_MAX, &options->times);
        case 'j': options->json = true; return 0;
        case 'h': options->help = true; return 0;
        default: return -EINVAL; /* getopt has said it */
        }
}

/* Return: 0; -EINVAL, said why. */
static int parse(int argc, char **argv, struct options *ret)
{
        static const struct option known[] = {
                { "socket", required_argument, NULL, 's' },
                { "dpdk", required_argument, NULL, 'd' },
                { "rounds", required_argument, NULL, 'r' },
                { "times", required_argument, NULL, 't' },
                { "json", no_argument, NULL, 'j' },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int c, r = 0;

        *ret = (struct options){
                .dpdk = "--no-huge -m 128 --no-pci --no-telemetry --no-shconf --log-level 1",
                .rounds = 101,
                .times = 100000,
        };
        optind = 0;
        while (!r && (c = getopt_long(argc, argv, "", known, NULL)) != -1)
                r = take_option(ret, c);
        if (!r && optind < argc) {
                fprintf(stderr, "par-bench slab: \"%s\" is no option\n", argv[optind]);
                r = -EINVAL;
        }
        return r;
}

/* ---- measuring ------------------------------------------------------------------------------ */

static uint64_t read_ns(clockid_t clock)
{
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t times_of(const struct options *options, const struct cell *cell)
{
        const uint64_t times = options->times / cell->share;

        return times ? times : 1;
}

/* Time of this thread alone: a machine that does other things, too, interrupts it for longer than a
 * sample takes. */
static double mean_ns(void (*run)(size_t times), uint64_t times)
{
        const uint64_t began = read_ns(CLOCK_THREAD_CPUTIME_ID);

        run((size_t)times);
        return (double)(read_ns(CLOCK_THREAD_CPUTIME_ID) - began) / (double)times;
}

static double median_ns(void (*run)(size_t times), uint64_t times)
{
        static struct histogram seen;

        memset(&seen, 0, sizeof(seen));
        for (uint64_t i = 0; i < times; i++) {
                const uint64_t began = read_ns(CLOCK_MONOTONIC);

                run(1);
                histogram_add(&seen, read_ns(CLOCK_MONOTONIC) - began);
        }
        return (double)histogram_at(&seen, 500);
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

/* @peer: NULL: there is none. */
static struct figure measure(const struct options *options, const struct cell *cell,
                             void (*own)(size_t times), void (*peer)(size_t times))
{
        static double owns[ROUNDS_MAX], peers[ROUNDS_MAX], ratios[ROUNDS_MAX];
        const size_t rounds = (size_t)options->rounds;
        const uint64_t times = times_of(options, cell);
        double (*sample_ns)(void (*run)(size_t times), uint64_t times) =
                cell->wall ? median_ns : mean_ns;
        struct figure figure = { -1, -1, -1 };

        for (size_t i = 0; i < rounds; i++) {
                owns[i] = sample_ns(own, times);
                if (peer) {
                        peers[i] = sample_ns(peer, times);
                        ratios[i] = owns[i] / peers[i];
                }
        }
        figure.own_ns = median(owns, rounds);
        if (peer) {
                figure.peer_ns = median(peers, rounds);
                figure.ratio = median(ratios, rounds);
        }
        return figure;
}

/* Return: 0; 1: said why not. */
static int measure_all(const struct options *options, const struct slab_rival *own,
                       const struct slab_rival *peer, struct figure *figures)
{
        for (size_t i = 0; i < SLAB_CELLS; i++) {
                if (cells[i].live && own->hold())
                        return 1;
                if (cells[i].live && peer && peer->hold())
                        peer = NULL;
                figures[i] = measure(options, &cells[i], own->run[i], peer ? peer->run[i] : NULL);
        }
        return 0;
}

/* ---- telling -------------------------------------------------------------------------------- */

static json_t *hundredths(double value)
{
        return value < 0 ? json_null() : json_real((double)(int64_t)(value * 100 + 0.5) / 100);
}

static int tell_json(const struct options *options, const char *peer, bool peer_is_there,
                     const struct figure *figures)
{
        json_t *rows = json_array(), *object;
        int r;

        for (size_t i = 0; i < SLAB_CELLS; i++)
                (void)json_array_append_new(
                        rows, json_pack("{s:s, s:o, s:o, s:o, s:I, s:s}", "operation",
                                        cells[i].name, "own_ns", hundredths(figures[i].own_ns),
                                        "peer_ns", hundredths(figures[i].peer_ns), "ratio",
                                        hundredths(figures[i].ratio), "times",
                                        (json_int_t)times_of(options, &cells[i]), "clock",
                                        cells[i].wall ? "wall" : "thread"));
        object = json_pack("{s:{s:I, s:I, s:i, s:s?, s:s?, s:o}}", "slab", "rounds",
                           (json_int_t)options->rounds, "times", (json_int_t)options->times,
                           "object_bytes", SLAB_BENCH_BYTES, "peer", peer_is_there ? peer : NULL,
                           "left_out", peer_is_there ? NULL : peer, "cells", rows);
        r = object ? json_dumpf(object, stdout, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12)) : -1;
        json_decref(object);
        puts("");
        return r ? 1 : 0;
}

static void tell_ns(double value)
{
        if (value < 0)
                printf("%12s", "-");
        else
                printf("%12.2f", value);
}

static int tell_table(const struct options *options, const char *peer, bool peer_is_there,
                      const struct figure *figures)
{
        printf("Nanoseconds an operation, medians of %llu samples of %llu, of buffers a hundredth "
               "of\nthat, each by the wall clock; ratio: the median of pairs.\n"
               "%s: %s\n\n%-14s%12s%12s%12s\n",
               (unsigned long long)options->rounds, (unsigned long long)options->times,
               peer_is_there ? "Peer" : "Left out", peer, "", "libpar", "peer", "ratio");
        for (size_t i = 0; i < SLAB_CELLS; i++) {
                printf("%-14s", cells[i].name);
                tell_ns(figures[i].own_ns);
                tell_ns(figures[i].peer_ns);
                tell_ns(figures[i].ratio);
                puts("");
        }
        return fflush(stdout) ? 1 : 0;
}

static int run(const struct options *options)
{
        struct figure figures[SLAB_CELLS];
        struct slab_rival own, peer;
        bool peer_is_there;
        int r;

        if (slab_rival_par_open(options->socket, &own))
                return 1;
        peer_is_there = !slab_rival_dpdk_open(options->dpdk, &peer);
        r = measure_all(options, &own, peer_is_there ? &peer : NULL, figures);
        if (!r)
                r = (options->json ? tell_json : tell_table)(options, peer.name, peer_is_there,
                                                             figures);
        if (peer_is_there)
                slab_rival_dpdk_close();
        slab_rival_par_close();
        return r;
}

int slab_bench_main(int argc, char **argv)
{
        struct options options;

        if (parse(argc, argv, &options))
                return 2;
        if (options.help) {
                fputs(help, stdout);
                return fflush(stdout) ? 1 : 0;
        }
        return run(&options);
}
