/* SPDX-License-Identifier: MIT */
/*
 * The figures of an experiment as text.
 */
#pragma once

#include "experiment_study.h"

#include <stdio.h>

/* Print a table for each case. */
void experiment_text_print(const struct study *study, FILE *stream);

/*
 * Print tables in Markdown, of one load, a column for each mix: the figures that matter most for
 * machines of each size (the part of their names after the last '-'), the others for one size.
 */
void experiment_text_markdown(const struct study *study, const char *size, unsigned load_percent,
                              FILE *stream);
