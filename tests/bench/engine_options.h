/* SPDX-License-Identifier: MIT */
/*
 * What par-bench engine is told to do.
 */
#pragma once

#include "contender.h"

#include <stdbool.h>
#include <stddef.h>

#define ENGINE_LIST_MAX 8 /* of sizes, of fills, of placers */

/**
 * struct engine_options - the command line, checked
 * @sizes:   bytes of memory, multiples of 256 MiB
 * @fills:   percent of it, 1 to 97, falling
 * @placers: who is compared
 * @plan:    for each state of each placer
 * @quick:   other defaults; @json: another form of the result
 * @help:    nothing is to be done but to show how it is used
 */
struct engine_options {
        uint64_t sizes[ENGINE_LIST_MAX];
        unsigned fills[ENGINE_LIST_MAX];
        const struct placer_ops *placers[ENGINE_LIST_MAX];
        size_t n_sizes, n_fills, n_placers;
        struct contender_plan plan;
        uint64_t seed;
        bool quick, json, help;
};

/* Read the command line; complains on standard error. Return: 0; -EINVAL. */
int engine_options_parse(int argc, char **argv, struct engine_options *ret);

extern const char engine_options_help[];
