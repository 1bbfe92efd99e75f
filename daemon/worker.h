/* SPDX-License-Identifier: MIT */
/*
 * The worker's process: it serves clients with what the keeper left open for it.
 */
#pragma once

#include "options.h"

/* Return: the status to exit with; EXIT_USAGE where no keeper started this. */
int worker_main(const struct options *options);
