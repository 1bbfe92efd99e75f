/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Letters where nobody looks or colours are not wanted; otherwise blocks and colours
 * of the terminal's own palette, so that they fit its background. Shades differ as well as colours
 * do, for those who see none.
 */
#include "map_text.h"

#include "table.h"
#include "units.h"

#define WIDTH_WITHOUT_TERMINAL 80

static const struct {
        char letter;
        const char *block, *color;
} looks[] = {
        [MAP_FREE] = { '.', "░", "\033[32m" },      [MAP_GRANTED] = { '#', "█", "\033[34m" },
        [MAP_REUSABLE] = { '+', "▓", "\033[36m" },  [MAP_OTHER] = { '?', "▒", "\033[37m" },
        [MAP_DRAINING] = { 'D', "▞", "\033[35m" },  [MAP_LEAVING] = { 'V', "▒", "\033[33m" },
        [MAP_LINGERING] = { 'L', "▓", "\033[33m" }, [MAP_QUARANTINED] = { 'Q', "█", "\033[33m" },
        [MAP_RETIRED] = { 'X', "█", "\033[31m" },   [MAP_NOTHING] = { ' ', "·", "\033[2m" },
};

/**
 * struct drawing - a picture being drawn
 * @color:  of what was drawn last; NULL: none
 * @indent: characters of an address and the blank behind it
 */
struct drawing {
        const struct output *output;
        const struct map *map;
        const struct map_style *style;
        struct map_shape shape;
        const char *color;
        size_t indent;
};

char map_letter(enum map_state state)
{
        return looks[state].letter;
}

static void set_color(struct drawing *drawing, const char *color)
{
        if (!drawing->output->color || drawing->color == color)
                return;
        fputs(color ? color : "\033[0m", drawing->output->stream);
        drawing->color = color;
}

static void draw_block(struct drawing *drawing, enum map_state state)
{
        /* A colour does not end what was dim. */
        if (drawing->color == looks[MAP_NOTHING].color && state != MAP_NOTHING)
                set_color(drawing, NULL);
        if (state == MAP_NOTHING && drawing->color != looks[state].color)
                set_color(drawing, NULL);
        set_color(drawing, looks[state].color);
        if (drawing->output->utf8)
                fputs(looks[state].block, drawing->output->stream);
        else
                fputc(looks[state].letter, drawing->output->stream);
}

static void draw_row(struct drawing *drawing, const struct map_row *row)
{
        FILE *stream = drawing->output->stream;
        enum map_state blocks[MAP_BLOCKS_MAX];
        unsigned count = drawing->shape.blocks;
        char address[24];

        map_row_blocks(drawing->map, drawing->shape, row, blocks);
        snprintf(address, sizeof(address), "0x%" PRIx64, row->first);
        fprintf(stream, "%-*s", (int)drawing->indent, address);
        if (!drawing->output->utf8)
                while (count && blocks[count - 1] == MAP_NOTHING)
                        count--;
        for (unsigned i = 0; i < count; i++)
                draw_block(drawing, blocks[i]);
        set_color(drawing, NULL);
        fputc('\n', stream);
}

/* The names of the pools in a row, as far as there is room. */
static void draw_title(struct drawing *drawing, const struct map_row *row)
{
        FILE *stream = drawing->output->stream;
        const struct map *map = drawing->map;
        const char *between = "";

        for (size_t i = 0; i < map->n_pools; i++) {
                if (!(row->pools >> (i < 63 ? i : 63) & 1))
                        continue;
                fprintf(stream, "%s%s", between, map->pools[i]);
                between = ", ";
        }
        fputc('\n', stream);
}

static void draw_gap(struct drawing *drawing, uint64_t bytes)
{
        const char *dots = drawing->output->utf8 ? "…" : "...";
        char size[UNIT_TEXT_BYTES];

        fprintf(drawing->output->stream, "%*s", (int)drawing->indent, "");
        set_color(drawing, looks[MAP_NOTHING].color);
        fprintf(drawing->output->stream, "%s %s not held %s", dots,
                size_text(bytes, drawing->style->bytes, size), dots);
        set_color(drawing, NULL);
        fputc('\n', drawing->output->stream);
}

/* How far each sixteenth block lies from the start of its row. */
static void draw_scale(struct drawing *drawing)
{
        FILE *stream = drawing->output->stream;
        char text[UNIT_TEXT_BYTES + 1] = "+";

        set_color(drawing, looks[MAP_NOTHING].color);
        fprintf(stream, "%*s", (int)drawing->indent, "");
        for (unsigned i = 0; i < drawing->shape.blocks; i += 16) {
                if (i)
                        size_human(i * drawing->shape.block_bytes, text + 1);
                else
                        snprintf(text + 1, sizeof(text) - 1, "0");
                fprintf(stream, i + 16 < drawing->shape.blocks ? "%-16s" : "%s", text);
        }
        set_color(drawing, NULL);
        fputc('\n', stream);
}

static void draw_legend(struct drawing *drawing, const uint64_t totals[MAP_STATES], size_t width)
{
        FILE *stream = drawing->output->stream;
        size_t at = 0;

        for (enum map_state state = 0; state <= MAP_NOTHING; state++) {
                char size[UNIT_TEXT_BYTES] = "", text[64];
                int length;

                if (state != MAP_NOTHING && !totals[state])
                        continue;
                if (state != MAP_NOTHING)
                        size_text(totals[state], drawing->style->bytes, size);
                length = snprintf(text, sizeof(text), " %s%s%s", map_state_name(state),
                                  *size ? " " : "", size);
                if (at && at + 4 + (size_t)length > width) {
                        fputc('\n', stream);
                        at = 0;
                }
                at += (size_t)fprintf(stream, "%s", at ? "   " : "") + 1 + (size_t)length;
                draw_block(drawing, state);
                set_color(drawing, NULL);
                fputs(text, stream);
        }
        fputc('\n', stream);
}

static void draw_head(struct drawing *drawing, uint64_t all)
{
        char held[UNIT_TEXT_BYTES], block[UNIT_TEXT_BYTES], row[UNIT_TEXT_BYTES];
        const bool exact = drawing->style->bytes;
        const struct map_shape shape = drawing->shape;

        fprintf(drawing->output->stream,
                "Physical memory that pard holds: %s. A block is %s, a row %s.\n",
                size_text(all, exact, held), size_text(shape.block_bytes, exact, block),
                size_text(shape.block_bytes * shape.blocks, exact, row));
}

void map_text(const struct map *map, const struct map_style *style, const struct output *output)
{
        const size_t width =
                output->width == OUTPUT_NO_END ? WIDTH_WITHOUT_TERMINAL : output->width;
        struct drawing drawing = { .output = output, .map = map, .style = style };
        struct map_walk walk = { .map = map };
        uint64_t totals[MAP_STATES];
        const uint64_t all = map_totals(map, totals);
        struct map_row row;
        char address[24];

        if (!map->n_extents) {
                fputs("pard holds no memory there.\n", output->stream);
                return;
        }
        drawing.indent = 1 + (size_t)snprintf(address, sizeof(address), "0x%" PRIx64,
                                              map->extents[map->n_extents - 1].last);
        drawing.shape =
                map_fit(map, width > drawing.indent ? width - drawing.indent : 0, style->rows);
        if (style->block_bytes)
                drawing.shape.block_bytes = style->block_bytes;
        walk.shape = drawing.shape;
        if (!style->bare) {
                draw_head(&drawing, all);
                draw_scale(&drawing);
        }
        while (map_walk_next(&walk, &row)) {
                if (row.gap_bytes)
                        draw_gap(&drawing, row.gap_bytes);
                if (row.title)
                        draw_title(&drawing, &row);
                draw_row(&drawing, &row);
        }
        if (!style->bare)
                draw_legend(&drawing, totals, width);
}
