/* SPDX-License-Identifier: MIT */
/*
 * Owns tables of mapped BARs, each in ascending order.
 *
 * Invariant: a table never changes once it can be found, and stays as long as the handle: who looks
 * takes no lock. There is a new one only where something has changed. Refuses to touch what it
 * finds: reading a register may do anything.
 */
#include "bar_maps.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPS       "/proc/self/maps"
#define SYSFS      "/sys/"
#define LINE_BYTES 4608 /* PATH_MAX and what stands before the path */

void bar_maps_init(struct bar_maps *maps)
{
        *maps = (struct bar_maps){ .maps = MAPS, .sysfs = SYSFS };
        pthread_mutex_init(&maps->lock, NULL);
}

void bar_maps_deinit(struct bar_maps *maps)
{
        struct bar_table *table = atomic_load_explicit(&maps->table, memory_order_relaxed), *older;

        for (; table; table = older) {
                older = table->older;
                free(table);
        }
        pthread_mutex_destroy(&maps->lock);
}

/* ---- what the kernel says ------------------------------------------------------------------- */

/**
 * struct mapped - a line of the file
 * @offset: into the file at @path
 */
struct mapped {
        struct range at;
        uint64_t offset;
        const char *path;
};

/* "7f00-7f10 rw-s 00001000 00:15 42   /path". Return: whether it has a path. */
static bool parse_line(char *line, struct mapped *ret)
{
        char *at = line;
        uint64_t after;

        ret->at.first = strtoull(at, &at, 16);
        if (*at++ != '-')
                return false;
        after = strtoull(at, &at, 16);
        if (after <= ret->at.first)
                return false;
        ret->at.last = after - 1;
        at += strspn(at, " ");
        at += strcspn(at, " "); /* permissions */
        ret->offset = strtoull(at, &at, 16);
        for (unsigned skipped = 0; skipped < 2; skipped++) { /* device and inode */
                at += strspn(at, " ");
                at += strcspn(at, " \n");
        }
        at += strspn(at, " ");
        at[strcspn(at, "\n")] = '\0';
        ret->path = at;
        return *at;
}

/* The number of the BAR, where a path is that of a file resourceN, or resourceN_wc, of sysfs; -1.
 */
static int resource_number(const char *path, const char *sysfs)
{
        const char *name = strrchr(path, '/');
        const char *rest;
        long number;

        if (!name || strncmp(path, sysfs, strlen(sysfs)) != 0 ||
            strncmp(name, "/resource", 9) != 0 || !isdigit((unsigned char)name[9]))
                return -1;
        number = strtol(name + 9, (char **)&rest, 10);
        return (!*rest || !strcmp(rest, "_wc")) && number < 16 ? (int)number : -1;
}

static bool is_prefix(const char *prefix, const char *path)
{
        return !strncmp(prefix, path, strlen(prefix));
}

static bool is_bar(const char *path, const char *sysfs)
{
        return resource_number(path, sysfs) >= 0 || is_prefix("anon_inode:[vfio-device]", path) ||
               is_prefix("/dev/vfio/devices/", path) || is_prefix("/dev/uio", path);
}

/* Call a function with each BAR, until it says false. Return: 0; negative errno. */
static int each_bar(const struct bar_maps *maps, bool (*each)(void *data, const struct mapped *),
                    void *data)
{
        FILE *file = fopen(maps->maps, "re");
        char line[LINE_BYTES];
        struct mapped mapped;
        bool more = true;

        if (!file)
                return -errno;
        while (more && fgets(line, sizeof(line), file)) {
                if (parse_line(line, &mapped) && is_bar(mapped.path, maps->sysfs))
                        more = each(data, &mapped);
        }
        fclose(file);
        return 0;
}

/* ---- the table ------------------------------------------------------------------------------ */

struct gathering {
        struct bar_table *table;
        size_t room;
        int result;
};

static bool gather(void *data, const struct mapped *mapped)
{
        struct gathering *gathering = data;
        struct bar_table *table = gathering->table;

        if (table->n == gathering->room) {
                gathering->room *= 2;
                table = realloc(table, sizeof(*table) + gathering->room * sizeof(struct range));
                if (!table) {
                        gathering->result = -ENOMEM;
                        return false;
                }
                gathering->table = table;
        }
        table->ranges[table->n++] = mapped->at;
        return true;
}

static bool same(const struct bar_table *one, const struct bar_table *other)
{
        return one && one->n == other->n &&
               !memcmp(one->ranges, other->ranges, one->n * sizeof(one->ranges[0]));
}

int bar_maps_read(struct bar_maps *maps)
{
        struct gathering gathering = { .room = 8 };
        struct bar_table *known;
        int r;

        gathering.table = malloc(sizeof(struct bar_table) + 8 * sizeof(struct range));
        if (!gathering.table)
                return -ENOMEM;
        gathering.table->n = 0;
        pthread_mutex_lock(&maps->lock);
        r = each_bar(maps, gather, &gathering);
        if (!r)
                r = gathering.result;
        known = atomic_load_explicit(&maps->table, memory_order_relaxed);
        if (!r && !same(known, gathering.table)) {
                gathering.table->older = known;
                atomic_store_explicit(&maps->table, gathering.table, memory_order_release);
                gathering.table = NULL;
        }
        pthread_mutex_unlock(&maps->lock);
        free(gathering.table);
        return r;
}

static bool touches(const struct bar_table *table, struct range range)
{
        size_t first = 0, after = table ? table->n : 0;

        while (first < after) {
                const size_t middle = first + (after - first) / 2;

                if (range_overlaps(table->ranges[middle], range))
                        return true;
                if (table->ranges[middle].last < range.first)
                        first = middle + 1;
                else
                        after = middle;
        }
        return false;
}

static struct bar_table *newest(struct bar_maps *maps)
{
        return atomic_load_explicit(&maps->table, memory_order_acquire);
}

bool bar_maps_touch(struct bar_maps *maps, struct range range)
{
        return touches(newest(maps), range) && !bar_maps_read(maps) && touches(newest(maps), range);
}

/* ---- where one is --------------------------------------------------------------------------- */

struct search {
        const struct bar_maps *maps;
        struct range range;
        enum bar_place place;
        uint64_t phys;
};

/* The first address of a BAR, of its line in the file "resource" beside it; 0: it is not there. */
static uint64_t start_of(const char *path, int number)
{
        const int folder = (int)(strrchr(path, '/') - path);
        char file_name[LINE_BYTES], line[128];
        uint64_t start = 0;
        FILE *file;

        snprintf(file_name, sizeof(file_name), "%.*s/resource", folder, path);
        file = fopen(file_name, "re");
        if (!file)
                return 0;
        for (int i = 0; i <= number; i++) {
                if (!fgets(line, sizeof(line), file))
                        break;
                if (i == number)
                        start = strtoull(line, NULL, 16);
        }
        fclose(file);
        return start;
}

static bool look(void *data, const struct mapped *mapped)
{
        struct search *search = data;
        const int number = resource_number(mapped->path, search->maps->sysfs);
        uint64_t start, offset = mapped->offset;

        if (!range_contains(mapped->at, search->range))
                return true;
        start = number < 0 ? 0 : start_of(mapped->path, number);
        search->place = start ? BAR_KNOWN : BAR_UNKNOWN;
        /* Linux shows the physical address for the offset. A BAR begins on a multiple of its size,
         * so that an offset into it is never as large as its address. */
        if (offset < start)
                offset += start;
        search->phys = offset + (search->range.first - mapped->at.first);
        return false;
}

enum bar_place bar_maps_find(struct bar_maps *maps, struct range range, uint64_t *ret_phys)
{
        struct search search = { .maps = maps, .range = range };

        if (each_bar(maps, look, &search))
                return BAR_NONE;
        *ret_phys = search.phys;
        return search.place;
}
