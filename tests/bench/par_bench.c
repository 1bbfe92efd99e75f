/* SPDX-License-Identifier: MIT */
/*
 * par-bench: what placing requests costs, what comes of it, and what is on top of that. Owns the
 * table of commands.
 */
#include "engine.h"
#include "experiment.h"
#include "heap_bench.h"
#include "macros.h"
#include "map_bench.h"
#include "path.h"
#include "slab_bench.h"

#include <stdio.h>
#include <string.h>

/**
 * struct command - one of them
 * @name: what it is called by
 * @run:  with its own name as the first argument; returns an exit status
 * @help: one line
 */
struct command {
        const char *name;
        int (*run)(int argc, char **argv);
        const char *help;
};

static const struct command commands[] = {
        { "engine", engine_main, "time the engine's searches, and those of its peers" },
        { "experiment", experiment_main, "place mixed traffic in several ways, and compare" },
        { "slab", slab_bench_main, "time objects of slabs and bounded buffers, and DPDK's" },
        { "heap", heap_main, "time the DMA heap, and other allocators" },
        { "map", map_bench_main, "time memory that is mapped for a device, and bounced" },
        { "path", path_main, "time the way to pard and back" },
};

static void print_help(FILE *stream)
{
        fputs("Usage: par-bench COMMAND [OPTION...]\n"
              "Measure how requests for memory are placed.\n"
              "\n",
              stream);
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                fprintf(stream, "  %-12s%s\n", commands[i].name, commands[i].help);
        fputs("\n"
              "par-bench COMMAND --help tells of its options. Exit status: 0; 1 where something\n"
              "failed; 2 for wrong usage.\n",
              stream);
}

int main(int argc, char **argv)
{
        if (argc < 2) {
                print_help(stderr);
                return 2;
        }
        if (strcmp(argv[1], "--help") == 0) {
                print_help(stdout);
                return fflush(stdout) ? 1 : 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                if (strcmp(commands[i].name, argv[1]) == 0)
                        return commands[i].run(argc - 1, argv + 1);
        fprintf(stderr, "par-bench: there is no command \"%s\"; see par-bench --help\n", argv[1]);
        return 2;
}
