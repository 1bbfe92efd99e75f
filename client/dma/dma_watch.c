/* SPDX-License-Identifier: MIT */
/*
 * Owns the number under which a mapping is known, in the mapping itself: also in copies of it, and
 * when it has ended.
 */
#include "dma_watch.h"

#include "debug_map.h"
#include "dma_map.h"
#include "error.h"

#include <errno.h>

static struct debug_shape shape_of(const struct par_mapping *mapping)
{
        return (struct debug_shape){
                .device = mapping->device,
                .pointer = mapping->pointer,
                .length = mapping->length,
                .dma = mapping->dma,
                .direction = mapping_direction(mapping),
        };
}

static uint64_t number_of(const struct par_mapping *mapping)
{
        return mapping->flags & MAPPING_WATCHED ? mapping->opaque[OPAQUE_WATCH] : 0;
}

int watch_maps(const struct iovec *pieces, size_t count, struct debug_call call)
{
        if (debug_map_starts(pieces, count, call))
                return 0;
        return error_set(-EINVAL, "memory of a buffer that was freed");
}

void watch_mapped(struct par_mapping *mapping, const char *label, const struct iovec *pieces,
                  size_t count, struct debug_call call)
{
        const struct iovec whole = { mapping->pointer, mapping->length };
        const struct debug_mapping made = {
                .device = mapping->device,
                .pieces = pieces ? pieces : &whole,
                .n_pieces = pieces ? count : 1,
                .dma = mapping->dma,
                .direction = mapping_direction(mapping),
                .label = label,
                .processors = mapping_options(mapping) & PAR_MAP_SKIP_SYNC,
                .resource = mapping->flags & PAR_MAPPING_RESOURCE,
        };

        mapping->opaque[OPAQUE_WATCH] = debug_map_made(&made, call);
        if (mapping->opaque[OPAQUE_WATCH])
                mapping->flags |= MAPPING_WATCHED;
}

int watch_syncs(const struct par_mapping *mapping, size_t offset, size_t length, bool for_device,
                struct debug_call call)
{
        const struct debug_shape shape = shape_of(mapping);

        if (!offset && !length)
                length = mapping->length;
        if (offset > mapping->length || length > mapping->length - offset)
                length = 0; /* it will be refused */
        if (debug_map_syncs(number_of(mapping), &shape, offset, length, for_device, call))
                return 0;
        return error_set(-EINVAL, "the mapping was unmapped before, or is not what was made");
}

int watch_unmaps(const struct par_mapping *mapping, struct debug_call call)
{
        const struct debug_shape shape = shape_of(mapping);

        if (debug_map_ends(number_of(mapping), &shape, call))
                return 0;
        return error_set(-EALREADY, "the mapping was unmapped before, or is not what was made");
}
