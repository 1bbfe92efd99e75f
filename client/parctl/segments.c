/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. What alloc got and what explain would get look the same.
 */
#include "segments.h"

#include "macros.h"
#include "table.h"

#include <errno.h>

json_t *segment_address_json(uint64_t address)
{
        return address == PAR_PHYS_NONE ? json_null() : json_address(address);
}

json_t *segments_json(const struct par_segment *segments, size_t n)
{
        json_t *array = json_array();

        for (size_t i = 0; i < n; i++) {
                const struct par_segment *segment = &segments[i];
                json_t *object = json_object();

                json_object_set_new(object, "dma", segment_address_json(segment->dma));
                json_object_set_new(object, "phys", segment_address_json(segment->phys));
                json_object_set_new(object, "length", json_size(segment->length));
                json_object_set_new(object, "offset", json_size(segment->offset));
                json_array_append_new(array, object);
        }
        return array;
}

int segments_print(const struct par_segment *segments, size_t n, const struct arguments *arguments,
                   FILE *stream)
{
        static const struct column columns[] = {
                { "dma", CELL_ADDRESS, SHOW_ALWAYS },
                { "phys", CELL_ADDRESS, SHOW_ALWAYS },
                { "length", CELL_SIZE, SHOW_ALWAYS },
                { "offset", CELL_SIZE, SHOW_ALWAYS },
        };
        const struct table_style style = {
                .bytes = arguments->bytes,
                .no_headings = arguments->no_headings,
                .stream = stream,
        };
        struct table *table = table_new("segments", columns, ARRAY_SIZE(columns));
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; i < n && !r; i++) {
                const struct par_segment *segment = &segments[i];
                const struct cell cells[] = {
                        CELL_IF(segment->dma != PAR_PHYS_NONE, segment->dma),
                        CELL_IF(segment->phys != PAR_PHYS_NONE, segment->phys),
                        CELL_OF(segment->length),
                        CELL_OF(segment->offset),
                };

                r = table_add(table, cells);
        }
        if (!r)
                r = table_print(table, &style);
        table_free(table);
        return r;
}
