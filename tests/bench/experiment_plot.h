/* SPDX-License-Identifier: MIT */
/*
 * The figures of an experiment as a picture: a column for each mix, a row for each figure, a line
 * for each placer.
 */
#pragma once

#include "experiment_study.h"

/**
 * experiment_plot_write() - write the picture
 * @path:  of the SVG file, written anew
 * @study: borrowed. Mixes on machines of 16 GiB are shown, the first few; placers that it does not
 *         have are left out
 *
 * Return: 0; -errno.
 */
int experiment_plot_write(const char *path, const struct study *study);
