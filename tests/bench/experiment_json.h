/* SPDX-License-Identifier: MIT */
/*
 * The figures of an experiment for programs: all of them, shares in millionths.
 */
#pragma once

#include "experiment_study.h"

#include <stdio.h>

/* Print one object in one line. Return: 0; -ENOMEM; -EIO. */
int experiment_json_print(const struct study *study, const struct study_options *options,
                          FILE *stream);
