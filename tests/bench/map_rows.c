/* SPDX-License-Identifier: MIT */
/* Owns the table of comparisons, and what an operation of each is. */
#include "map_rows.h"

#include "macros.h"

#include <string.h>
#include <sys/uio.h>

#define PIECES 8

static int map_only(const struct map_scene *scene, const struct map_row *row, uint64_t times)
{
        struct par_mapping mapping;
        int r = 0;

        for (uint64_t i = 0; i < times && !r; i++)
                r = par_map(scene->device, scene->reachable + (i & 15) * 64, row->bytes,
                            PAR_TO_DEVICE, NULL, &mapping);
        return r;
}

static int map_and_unmap(struct par_device *device, const char *memory, size_t bytes,
                         enum par_direction direction, const struct par_map_options *options,
                         uint64_t times)
{
        struct par_mapping mapping;
        int r = 0;

        for (uint64_t i = 0; i < times && !r; i++) {
                r = par_map(device, memory, bytes, direction, options, &mapping);
                if (!r)
                        r = par_unmap(&mapping);
        }
        return r;
}

static int reachable(const struct map_scene *scene, const struct map_row *row, uint64_t times)
{
        return map_and_unmap(scene->device, scene->reachable, row->bytes, PAR_TO_DEVICE, NULL,
                             times);
}

static int to_device(const struct map_scene *scene, const struct map_row *row, uint64_t times)
{
        return map_and_unmap(scene->device, scene->plain, row->bytes, PAR_TO_DEVICE, NULL, times);
}

static int from_device(const struct map_scene *scene, const struct map_row *row, uint64_t times)
{
        return map_and_unmap(scene->device, scene->plain, row->bytes, PAR_FROM_DEVICE, NULL, times);
}

static int overwrite(const struct map_scene *scene, const struct map_row *row, uint64_t times)
{
        static const struct par_map_options options = { .flags = PAR_MAP_OVERWRITE };

        return map_and_unmap(scene->device, scene->plain, row->bytes, PAR_FROM_DEVICE, &options,
                             times);
}

/* Eight pieces that lie apart, of which every second has to be bounced. */
static int pieces(const struct map_scene *scene, const struct map_row *row, uint64_t times)
{
        const size_t bytes = row->bytes / PIECES;
        struct iovec list[PIECES];
        struct par_mapping mapping;
        int r = 0;

        for (size_t i = 0; i < PIECES; i++)
                list[i] = (struct iovec){
                        (i & 1 ? scene->plain : scene->reachable) + 2 * i * bytes,
                        bytes,
                };
        for (uint64_t i = 0; i < times && !r; i++) {
                r = par_map_sg(scene->device, list, PIECES, PAR_TO_DEVICE, NULL, &mapping);
                if (!r)
                        r = par_unmap(&mapping);
        }
        return r;
}

int map_copy(const struct map_scene *scene, const struct map_row *row, uint64_t times)
{
        for (uint64_t i = 0; i < times; i++)
                for (unsigned copy = 0; copy < row->copies; copy++) {
                        memcpy(copy & 1 ? scene->plain : scene->copy,
                               copy & 1 ? scene->copy : scene->plain, row->bytes);
                        __asm__ volatile("" ::: "memory"); /* all of them are made */
                }
        return 0;
}

const struct map_row map_rows[] = {
        { "reachable", "par_map() of memory of pard's that the device reaches", 4096, 0, 0, 30,
          map_only },
        { "reachable_unmap", "and par_unmap()", 4096, 0, 0, 0, reachable },
        { "to_device", "4 KiB of malloc() for the device to read", 4096, 1, 1.3, 50, to_device },
        { "from_device", "4 KiB of malloc() for it to write, or to leave as they are", 4096, 2, 1.3,
          50, from_device },
        { "overwrite", "4 KiB of malloc() that it writes all of", 4096, 1, 1.3, 50, overwrite },
        { "small", "64 bytes of malloc() for it to read", 64, 1, 0, 0, to_device },
        { "large", "64 KiB of malloc() for it to read", MAP_BYTES_MAX, 1, 1.3, 50, to_device },
        { "pieces", "a list of 8 pieces of 512 bytes, 4 of malloc()", 4096, 0, 0, 0, pieces },
};

const unsigned n_map_rows = ARRAY_SIZE(map_rows);
