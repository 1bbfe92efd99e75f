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
 * Print tables in Markdown: of the mixes on the machines of one size (the part of their names after
 * the last '-'), under one load, by placer; and of that size's loads.
 */
void experiment_text_markdown(const struct study *study, const char *size, unsigned load_percent,
                              FILE *stream);
