/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing between calls. Zones of different nodes may overlap, where memory of theirs takes
 * turns. Refuses numbers that make no range.
 */
#include "zones.h"

#include "numa.h"
#include "sysfs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/**
 * struct reading - the file so far
 * @node:          of the zone that the lines are about
 * @spanned_pages: of that zone, holes included
 */
struct reading {
        struct zone *zones;
        size_t n, room;
        int node;
        uint64_t spanned_pages;
};

static int add_zone(struct reading *reading, uint64_t first_page)
{
        uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), first, size, last;
        struct zone *larger;

        if (!reading->spanned_pages)
                return 0;
        if (__builtin_mul_overflow(first_page, page_bytes, &first) ||
            __builtin_mul_overflow(reading->spanned_pages, page_bytes, &size) ||
            __builtin_add_overflow(first, size - 1, &last))
                return -EBADMSG;

        if (reading->n == reading->room) {
                reading->room = reading->room ? 2 * reading->room : 16;
                larger = reallocarray(reading->zones, reading->room, sizeof(*larger));
                if (!larger)
                        return -ENOMEM;
                reading->zones = larger;
        }
        reading->zones[reading->n++] = (struct zone){ { first, last }, reading->node };
        reading->spanned_pages = 0;
        return 0;
}

/* The number behind @key, where the line begins with that. */
static bool number_after(const char *line, const char *key, uint64_t *ret)
{
        char *rest;

        line += strspn(line, " ");
        if (strncmp(line, key, strlen(key)) != 0)
                return false;
        line += strlen(key);
        line += strspn(line, " ");
        if (*line < '0' || *line > '9')
                return false;
        errno = 0;
        *ret = strtoull(line, &rest, 10);
        return errno == 0;
}

/* "Node 0, zone   Normal", then among others "        spanned  5505024", "  start_pfn:  1048576" */
static int read_line(struct reading *reading, const char *line)
{
        uint64_t number;

        if (number_after(line, "Node ", &number)) {
                if (number >= NUMA_NODES_MAX)
                        return -EBADMSG;
                reading->node = (int)number;
                reading->spanned_pages = 0;
        } else if (number_after(line, "spanned ", &number)) {
                reading->spanned_pages = number;
        } else if (number_after(line, "start_pfn:", &number)) {
                return add_zone(reading, number);
        }
        return 0;
}

static int by_first(const void *a, const void *b)
{
        const struct zone *x = a, *y = b;

        return (x->range.first > y->range.first) - (x->range.first < y->range.first);
}

int zones_read(const char *root, struct zone **ret, size_t *ret_n)
{
        char path[SYSFS_PATH_BYTES], line[512];
        struct reading reading = { .n = 0 };
        FILE *file;
        int r = 0;

        if (snprintf(path, sizeof(path), "%s/proc/zoneinfo", root) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        file = fopen(path, "re");
        if (!file)
                return -errno;
        while (!r && fgets(line, sizeof(line), file))
                r = read_line(&reading, line);
        fclose(file);
        if (!r && !reading.n)
                r = -EBADMSG;
        if (r) {
                free(reading.zones);
                return r;
        }
        qsort(reading.zones, reading.n, sizeof(*reading.zones), by_first);
        *ret = reading.zones;
        *ret_n = reading.n;
        return 0;
}

int zones_node_range(const struct zone *zones, size_t n, int node, struct range *ret)
{
        struct range all = { UINT64_MAX, 0 };

        for (size_t i = 0; i < n; i++) {
                if (zones[i].node != node)
                        continue;
                if (zones[i].range.first < all.first)
                        all.first = zones[i].range.first;
                if (zones[i].range.last > all.last)
                        all.last = zones[i].range.last;
        }
        if (all.first > all.last)
                return -ENOENT;
        *ret = all;
        return 0;
}
