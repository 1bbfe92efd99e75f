/* SPDX-License-Identifier: MIT */
/*
 * A mapping, for whoever makes one beside par_map().
 */
#pragma once

#include "dma_part.h"

/* Make a mapping of a device's memory. @part: without pages it is where the device sees it. */
void mapping_set_resource(struct par_mapping *mapping, const struct map_ask *ask,
                          const struct part *part);
