/* SPDX-License-Identifier: MIT */
/*
 * The moments of a mapping at which mistakes can be seen: from a mapping to what debug_map.h knows
 * of it. Not called unless debug_on().
 */
#pragma once

#include "debug.h"
#include "dma.h"

#include <stdbool.h>

/* Memory is about to be mapped. Return: 0; -EINVAL where it is that of a buffer that was freed.
 * par_error() is set. */
int watch_maps(const struct iovec *pieces, size_t count, struct debug_call call);

/**
 * watch_mapped() - a mapping was made
 * @mapping: remembers how it is known
 * @label:   of its options, or NULL
 * @pieces:  @count of them; NULL: it is one piece
 */
void watch_mapped(struct par_mapping *mapping, const char *label, const struct iovec *pieces,
                  size_t count, struct debug_call call);

/**
 * watch_syncs() - a mapping is about to be synced
 * @mapping: anything but NULL, @offset and @length, too
 *
 * Return: 0; -EINVAL where it was unmapped, or is not what was made. par_error() is set.
 */
int watch_syncs(const struct par_mapping *mapping, size_t offset, size_t length, bool for_device,
                struct debug_call call);

/* It is about to end. Return: 0; -EALREADY, as watch_syncs(). */
int watch_unmaps(const struct par_mapping *mapping, struct debug_call call);
