/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Each state is one path through all rows, so that the file stays small; a grid in
 * the background's colour lies over them and makes blocks of it.
 */
#include "map_svg.h"

#include "table.h"
#include "units.h"

#include <errno.h>

#define BLOCKS     64
#define BLOCK      11 /* width and height of a block, in pixels */
#define HIGH       14
#define LINE       18  /* from row to row */
#define LEFT       130 /* where the blocks start */
#define MARGIN     20
#define TOP        74 /* where the rows start */
#define WIDTH      (LEFT + BLOCKS * BLOCK + MARGIN)
#define LEGEND_ROW 5 /* entries of the legend in a line */

static const struct {
        const char *light, *dark;
} colors[] = {
        [MAP_FREE] = { "#8fdd9d", "#2f8f46" },      [MAP_GRANTED] = { "#1f6feb", "#4493f8" },
        [MAP_REUSABLE] = { "#54c5d8", "#2a9bb0" },  [MAP_OTHER] = { "#8c959f", "#9198a1" },
        [MAP_DRAINING] = { "#a475f9", "#ab7df8" },  [MAP_LEAVING] = { "#f2d675", "#a88a1c" },
        [MAP_LINGERING] = { "#e8a33d", "#d29922" }, [MAP_QUARANTINED] = { "#e16f24", "#f0883e" },
        [MAP_RETIRED] = { "#cf222e", "#f85149" },   [MAP_NOTHING] = { "#eaeef2", "#21262d" },
};

/**
 * struct svg - a picture being written
 * @lines:  of the picture
 * @totals: bytes shown as each state
 */
struct svg {
        FILE *stream;
        const struct map *map;
        const struct map_style *style;
        struct map_shape shape;
        size_t lines;
        uint64_t totals[MAP_STATES], all;
};

/* A text of somebody's choice. */
static void put_text(FILE *stream, const char *text)
{
        for (; *text; text++) {
                switch (*text) {
                case '<': fputs("&lt;", stream); break;
                case '>': fputs("&gt;", stream); break;
                case '&': fputs("&amp;", stream); break;
                case '"': fputs("&quot;", stream); break;
                default: fputc((unsigned char)*text < 0x20 ? '?' : *text, stream); break;
                }
        }
}

static bool occurs(const struct svg *svg, enum map_state state)
{
        return state == MAP_NOTHING || svg->totals[state];
}

static void put_colors(const struct svg *svg, bool dark)
{
        fprintf(svg->stream, ".back,.grid{%s:%s}", "fill", dark ? "#0d1117" : "#ffffff");
        fprintf(svg->stream, ".ink{fill:%s}.soft{fill:%s}.tick{stroke:%s}\n",
                dark ? "#e6edf3" : "#1f2328", dark ? "#9198a1" : "#59636e",
                dark ? "#9198a1" : "#59636e");
        for (enum map_state state = 0; state <= MAP_NOTHING; state++)
                if (occurs(svg, state))
                        fprintf(svg->stream, ".s%d{fill:%s}", (int)state,
                                dark ? colors[state].dark : colors[state].light);
        fputc('\n', svg->stream);
}

static void put_head(const struct svg *svg, unsigned height)
{
        FILE *stream = svg->stream;
        char held[UNIT_TEXT_BYTES], block[UNIT_TEXT_BYTES], row[UNIT_TEXT_BYTES];

        fprintf(stream,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" width=\"%d\" "
                "height=\"%u\" role=\"img\" aria-labelledby=\"t\" "
                "font-family=\"system-ui,sans-serif\" font-size=\"13\">\n",
                WIDTH, height, WIDTH, height);
        fputs("<style>\n.mono{font-family:ui-monospace,monospace;font-size:12px}"
              ".small{font-size:12px}.bold{font-weight:600}\n",
              stream);
        put_colors(svg, false);
        fputs("@media (prefers-color-scheme:dark){\n", stream);
        put_colors(svg, true);
        fputs("}\n</style>\n", stream);
        fprintf(stream,
                "<pattern id=\"g\" x=\"%d\" width=\"%d\" height=\"%d\" "
                "patternUnits=\"userSpaceOnUse\"><path class=\"grid\" d=\"M%d 0h1v%dh-1z\"/>"
                "</pattern>\n",
                LEFT, BLOCK, LINE, BLOCK - 1, LINE);
        fprintf(stream, "<rect class=\"back\" width=\"%d\" height=\"%u\"/>\n", WIDTH, height);
        fprintf(stream,
                "<text id=\"t\" class=\"ink\" x=\"%d\" y=\"28\" font-size=\"15\">Physical memory "
                "that pard holds: %s. A block is %s, a row %s.</text>\n",
                MARGIN, size_text(svg->all, svg->style->bytes, held),
                size_text(svg->shape.block_bytes, svg->style->bytes, block),
                size_text(svg->shape.block_bytes * BLOCKS, svg->style->bytes, row));
}

/* How far each sixteenth block lies from the start of its row. */
static void put_scale(const struct svg *svg)
{
        char text[UNIT_TEXT_BYTES];

        for (unsigned i = 0; i <= BLOCKS; i += 16) {
                const unsigned x = LEFT + i * BLOCK;

                fprintf(svg->stream, "<path class=\"tick\" d=\"M%u %dv6\"/>", x, TOP - 12);
                if (i < BLOCKS)
                        fprintf(svg->stream,
                                "<text class=\"soft mono\" x=\"%u\" y=\"%d\">+%s</text>\n", x + 4,
                                TOP - 8, i ? size_human(i * svg->shape.block_bytes, text) : "0");
        }
        fputc('\n', svg->stream);
}

/* Where the text of a line stands; its blocks start BLOCK above. */
static unsigned line_y(size_t line)
{
        return TOP + (unsigned)line * LINE + BLOCK;
}

static void put_title(const struct svg *svg, const struct map_row *row, size_t line)
{
        const char *between = "";

        fprintf(svg->stream, "<text class=\"ink bold\" x=\"%d\" y=\"%u\">", LEFT, line_y(line));
        for (size_t i = 0; i < svg->map->n_pools; i++) {
                if (!(row->pools >> (i < 63 ? i : 63) & 1))
                        continue;
                fputs(between, svg->stream);
                put_text(svg->stream, svg->map->pools[i]);
                between = ", ";
        }
        fputs("</text>\n", svg->stream);
}

/* All texts beside and between the rows. Return: how many lines there are. */
static size_t put_lines(const struct svg *svg)
{
        struct map_walk walk = { .map = svg->map, .shape = svg->shape };
        struct map_row row;
        size_t line = 0;

        while (map_walk_next(&walk, &row)) {
                char size[UNIT_TEXT_BYTES];

                if (row.gap_bytes)
                        fprintf(svg->stream,
                                "<text class=\"soft small\" x=\"%d\" y=\"%u\">… %s not held "
                                "…</text>\n",
                                LEFT, line_y(line++),
                                size_text(row.gap_bytes, svg->style->bytes, size));
                if (row.title)
                        put_title(svg, &row, line++);
                fprintf(svg->stream,
                        "<text class=\"ink mono\" x=\"%d\" y=\"%u\" text-anchor=\"end\">0x%" PRIx64
                        "</text>\n",
                        LEFT - 10, line_y(line++), row.first);
        }
        return line;
}

/* The blocks of one state in one row, as parts of a path. */
static void put_blocks(const struct svg *svg, const enum map_state *blocks, enum map_state state,
                       size_t line)
{
        const unsigned top = line_y(line) - BLOCK;

        for (unsigned i = 0; i < svg->shape.blocks; i++) {
                unsigned n = 0;

                while (i + n < svg->shape.blocks && blocks[i + n] == state)
                        n++;
                if (!n)
                        continue;
                fprintf(svg->stream, "M%u %uh%uv%dh-%uz", LEFT + i * BLOCK, top, n * BLOCK, HIGH,
                        n * BLOCK);
                i += n;
        }
}

/* Everything that is shown as one state. */
static void put_state(const struct svg *svg, enum map_state state)
{
        struct map_walk walk = { .map = svg->map, .shape = svg->shape };
        struct map_row row;
        size_t line = 0;

        fprintf(svg->stream, "<path class=\"s%d\" d=\"", (int)state);
        while (map_walk_next(&walk, &row)) {
                enum map_state blocks[MAP_BLOCKS_MAX];

                line += (row.gap_bytes != 0) + (size_t)row.title;
                map_row_blocks(svg->map, svg->shape, &row, blocks);
                put_blocks(svg, blocks, state, line++);
        }
        fputs("\"/>\n", svg->stream);
}

static void put_legend(const struct svg *svg)
{
        const unsigned step = (WIDTH - MARGIN - MARGIN) / LEGEND_ROW;
        unsigned place = 0;

        for (enum map_state state = 0; state <= MAP_NOTHING; state++) {
                const unsigned x = MARGIN + place % LEGEND_ROW * step;
                const unsigned y =
                        line_y(svg->lines) + 16 + place / LEGEND_ROW * (unsigned)(LINE + 4);
                char size[UNIT_TEXT_BYTES] = "";

                if (!occurs(svg, state))
                        continue;
                if (state != MAP_NOTHING)
                        size_text(svg->totals[state], svg->style->bytes, size);
                fprintf(svg->stream,
                        "<rect class=\"s%d\" x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\"/>"
                        "<text class=\"ink\" x=\"%u\" y=\"%u\">%s%s%s</text>\n",
                        (int)state, x, y - BLOCK, BLOCK, HIGH, x + BLOCK + 7, y,
                        map_state_name(state), *size ? " " : "", size);
                place++;
        }
}

static size_t count_lines(const struct svg *svg)
{
        struct map_walk walk = { .map = svg->map, .shape = svg->shape };
        struct map_row row;
        size_t lines = 0;

        while (map_walk_next(&walk, &row))
                lines += 1u + (row.gap_bytes != 0) + (size_t)row.title;
        return lines;
}

int map_svg(const struct map *map, const struct map_style *style, FILE *stream)
{
        struct svg svg = { .stream = stream, .map = map, .style = style };

        svg.all = map_totals(map, svg.totals);
        svg.shape = map_fit(map, BLOCKS, style->rows);
        if (style->block_bytes)
                svg.shape.block_bytes = style->block_bytes;
        svg.lines = count_lines(&svg);
        put_head(&svg, line_y(svg.lines) + 2 * LINE + 30);
        put_scale(&svg);
        for (enum map_state state = 0; state <= MAP_NOTHING; state++)
                if (occurs(&svg, state))
                        put_state(&svg, state);
        fprintf(stream, "<rect fill=\"url(#g)\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%u\"/>\n",
                LEFT, TOP, BLOCKS * BLOCK, (unsigned)svg.lines * LINE);
        put_lines(&svg);
        put_legend(&svg);
        fputs("</svg>\n", stream);
        return fflush(stream) || ferror(stream) ? -EIO : 0;
}
