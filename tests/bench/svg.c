/* SPDX-License-Identifier: MIT */
/* Owns nothing. Whether writing has failed is for who owns the file to ask. */
#include "svg.h"

/* "12.3" or "12"; no coordinate has a sign. */
static void put(FILE *file, int tenths)
{
        if (tenths % 10)
                fprintf(file, "%d.%d", tenths / 10, tenths % 10);
        else
                fprintf(file, "%d", tenths / 10);
}

static void put_attribute(FILE *file, const char *name, int tenths)
{
        fprintf(file, " %s=\"", name);
        put(file, tenths);
        fputs("\"", file);
}

void svg_begin(FILE *file, int width, int height, const char *title, const char *style)
{
        fprintf(file,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                "height=\"%d\" role=\"img\" aria-labelledby=\"t\" "
                "font-family=\"system-ui,sans-serif\" font-size=\"12\">\n"
                "<title id=\"t\">%s</title>\n<style>\n%s</style>\n",
                width / 10, height / 10, width / 10, height / 10, title, style);
}

void svg_end(FILE *file)
{
        fputs("</svg>\n", file);
}

void svg_text(FILE *file, const char *class, enum svg_anchor anchor, struct svg_point at,
              const char *text)
{
        static const char *const anchors[] = {
                [SVG_START] = "",
                [SVG_MIDDLE] = " text-anchor=\"middle\"",
                [SVG_END] = " text-anchor=\"end\"",
        };

        fprintf(file, "<text class=\"%s\"%s", class, anchors[anchor]);
        put_attribute(file, "x", at.x);
        put_attribute(file, "y", at.y);
        fprintf(file, ">%s</text>\n", text);
}

void svg_rect(FILE *file, const char *class, struct svg_point at, int width, int height)
{
        fprintf(file, "<rect class=\"%s\"", class);
        put_attribute(file, "x", at.x);
        put_attribute(file, "y", at.y);
        put_attribute(file, "width", width);
        put_attribute(file, "height", height);
        fputs("/>\n", file);
}

void svg_line(FILE *file, const char *class, const struct svg_point *points, size_t n_points)
{
        fprintf(file, "<polyline class=\"%s\" points=\"", class);
        for (size_t i = 0; i < n_points; i++) {
                if (i)
                        fputs(" ", file);
                put(file, points[i].x);
                fputs(",", file);
                put(file, points[i].y);
        }
        fputs("\"/>\n", file);
}

void svg_dot(FILE *file, const char *class, struct svg_point at, int radius)
{
        fprintf(file, "<circle class=\"%s\"", class);
        put_attribute(file, "cx", at.x);
        put_attribute(file, "cy", at.y);
        put_attribute(file, "r", radius);
        fputs("/>\n", file);
}
