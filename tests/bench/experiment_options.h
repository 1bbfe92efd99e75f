/* SPDX-License-Identifier: MIT */
/*
 * What par-bench experiment is told to do.
 */
#pragma once

#include "experiment_study.h"

#include <stdbool.h>

/**
 * struct experiment_options - the command line, checked
 * @study: what is run, all but the workload
 * @path:  of the workload
 * @svg:   where the picture goes; NULL: nowhere
 * @doc:   a file in which the tables between two marks are renewed; NULL: none
 * @quick: other defaults
 * @json:  one object instead of tables
 * @list:  nothing is to be done but to print who is compared
 * @help:  nothing is to be done but to show how it is used
 */
struct experiment_options {
        struct study_options study;
        const char *path, *svg, *doc;
        bool quick, json, list, help;
};

/* Read the command line; complains on standard error. Return: 0; -EINVAL. */
int experiment_options_parse(int argc, char **argv, struct experiment_options *ret);

extern const char experiment_options_help[];
