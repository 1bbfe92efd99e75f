/* SPDX-License-Identifier: MIT */
/*
 * A request that is tried: granted, mapped for its device, and given back at once.
 */
#pragma once

#include "arguments.h"

#include <stdio.h>

/* What libpar is asked for. */
struct par_constraint trial_constraint(const struct arguments *arguments);

/**
 * trial_print() - try a request as a driver of its device would make it, and print what came of it
 *
 * Where an IOMMU translates, only a mapping shows what the kernel allows.
 *
 * Return: the exit status, as of explanation_print().
 */
int trial_print(const struct arguments *arguments, FILE *text);
