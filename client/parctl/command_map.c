/* SPDX-License-Identifier: MIT */
/*
 * The map: which physical memory pard holds, and in which state it is.
 */
#include "commands.h"
#include "complain.h"
#include "exits.h"
#include "json.h"
#include "map_ask.h"
#include "map_svg.h"
#include "map_text.h"
#include "pools.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_WITHOUT_TERMINAL 32
#define ROWS_OF_A_PICTURE     40

static json_t *map_json(const struct map *map)
{
        json_t *object = json_object(), *array = json_array();

        for (size_t i = 0; i < map->n_extents; i++) {
                const struct map_extent *extent = &map->extents[i];
                json_t *entry = json_object();

                json_object_set_new(entry, "first", json_address(extent->first));
                json_object_set_new(entry, "last", json_address(extent->last));
                json_object_set_new(entry, "size", json_size(extent->last - extent->first + 1));
                json_object_set_new(entry, "pool", json_text(map->pools[extent->pool]));
                json_object_set_new(entry, "state", json_text(map_state_name(extent->state)));
                json_object_set_new(entry, "draining", json_boolean(extent->draining));
                json_object_set_new(entry, "page_size", json_size(extent->page_bytes));
                json_object_set_new(entry, "free", json_size(extent->free_bytes));
                json_array_append_new(array, entry);
        }
        json_object_set_new(object, "extents", array);
        return object;
}

/* The picture is made first and written then: a file is never half of one, unless the disk is full.
 */
static int write_picture(const struct map *map, const struct map_style *style, const char *path)
{
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size), *file = NULL;
        int r = stream ? map_svg(map, style, stream) : -ENOMEM;

        if (stream && fclose(stream) && !r)
                r = -ENOMEM;
        if (!r) {
                file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
                r = file ? 0 : -errno;
        }
        if (!r && (fwrite(text, 1, size, file) != size || fflush(file)))
                r = -errno;
        if (file && file != stdout && fclose(file) && !r)
                r = -errno;
        free(text);
        if (!r)
                return EXIT_DONE;
        complain("%s: %s", path, strerror(-r));
        return EXIT_OTHER;
}

static size_t rows_of(const struct arguments *arguments, const struct output *output)
{
        if (arguments->rows)
                return arguments->rows;
        if (arguments->svg)
                return ROWS_OF_A_PICTURE;
        if (!output->height)
                return ROWS_WITHOUT_TERMINAL;
        return output->height > 2 * MAP_TEXT_FRAME ? output->height - MAP_TEXT_FRAME
                                                   : MAP_TEXT_FRAME;
}

static int print(const struct map *map, const struct arguments *arguments,
                 const struct output *output)
{
        const struct map_style style = {
                .block_bytes = arguments->scale,
                .rows = rows_of(arguments, output),
                .bytes = arguments->bytes,
                .bare = arguments->no_headings,
        };
        int r = 0;

        if (arguments->svg)
                return write_picture(map, &style, arguments->svg);
        if (arguments->json)
                r = json_print(output->stream, "map", map_json(map));
        else
                map_text(map, &style, output);
        if (!r && fflush(output->stream) == 0)
                return EXIT_DONE;
        complain("the map cannot be printed");
        return EXIT_OTHER;
}

static int show(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        struct map map = { 0 };
        int status;

        status = map_ask(ask, arguments, &map);
        if (!status)
                status = print(&map, arguments, output);
        map_deinit(&map);
        return status;
}

const struct command command_map = {
        .name = "map",
        .takes = TAKES_WINDOW | TAKES_POOL | TAKES_PICTURE | TAKES_WATCH,
        .summary = "Show the physical memory as rows of blocks, by state",
        .help = "Each row starts with its address. Where several states are in one block it "
                "shows the most urgent of retired, quarantined, lingering, leaving and draining; "
                "where there is none of these, what there is most of. Rows of which pard holds "
                "nothing are left out, and how much that is stands in their place; the names of "
                "pools stand where others begin.\n\nBlocks have colours on a terminal, unless "
                "--no-color is given or the environment has NO_COLOR; otherwise there are letters: "
                ". free, # granted, + reusable, D draining, V leaving, L lingering, Q quarantined, "
                "X retired, and a blank where pard holds nothing at all.\n\nWithout --scale the "
                "smallest blocks are taken with which the picture has no more than --rows lines.",
        .show = show,
};
