/* SPDX-License-Identifier: MIT */
/*
 * Segments of a buffer, granted or not, as text and as JSON.
 */
#pragma once

#include "arguments.h"
#include "json.h"
#include "par.h"

#include <stdio.h>

/* An address of a segment; null: PAR_PHYS_NONE. */
json_t *segment_address_json(uint64_t address);

/* An array of @n objects, owned by the caller; an address that is not disclosed is null. */
json_t *segments_json(const struct par_segment *segments, size_t n);

/**
 * segments_print() - a table
 * @arguments: how to print
 *
 * Return: 0; -ENOMEM; -EIO.
 */
int segments_print(const struct par_segment *segments, size_t n, const struct arguments *arguments,
                   FILE *stream);
